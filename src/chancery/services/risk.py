"""Risks of policy as it stands, and the gate that every change of policy passes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Final

from chancery.domain.authority import LEVELS
from chancery.domain.dn_profile import DnProfile
from chancery.domain.errors import BadRequest, NotFound
from chancery.domain.identity import Permission, Principal
from chancery.domain.policy import AcceptedRisk, PolicyKind
from chancery.domain.profile import ExtensionProfile
from chancery.domain.registration import RegistrationAuthority
from chancery.domain.risk import Issuer, Risk, Severity, Use, assess, assess_ra
from chancery.ports import Session, Store
from chancery.services.access import demand
from chancery.services.audit import event
from chancery.services.issuers import decode
from chancery.wire.ca_certificate import purposes

MIN_REASON: Final = 10
MAX_REASON: Final = 1000
"""Characters of a reason for which a risk is accepted."""

Accepts = Mapping[str, str]
"""Finding id -> the reason in writing."""
NOTHING: Final[Accepts] = MappingProxyType({})

_PLACES: Final = {
    # kind: (what a field is prefixed with, the type, where findings about another type go)
    PolicyKind.PROFILE: ("profile", ExtensionProfile, "profile"),
    PolicyKind.DN_PROFILE: ("dn_profile", DnProfile, "dn_profile.attributes"),
    PolicyKind.RA: ("ra", RegistrationAuthority, "ra.profiles"),
}


@dataclass(frozen=True, slots=True)
class Judged:
    """A finding, and who accepted it, if somebody did."""

    risk: Risk
    accepted: AcceptedRisk | None


class RiskService:
    """Looks at policy; it changes nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def profile(self, principal: Principal, name: str) -> list[Judged]:
        """Findings about a profile, by itself and in each RA that offers it."""
        demand(principal, Permission.PROFILE_READ)
        with self._store.read() as session:
            found = session.profiles.latest(name)
            if found is None:
                raise NotFound(f"no profile {name!r}", field="profile", rule="profile.known")
            return judged(session, PolicyKind.PROFILE, name, of_profile(session, found.profile))

    def dn_profile(self, principal: Principal, name: str) -> list[Judged]:
        """Findings about every profile that uses it, which its fixed attributes may prevent."""
        demand(principal, Permission.PROFILE_READ)
        with self._store.read() as session:
            found = session.profiles.dn(name)
            if found is None:
                raise NotFound(f"no DN profile {name!r}", field="dn_profile")
            return judged(session, PolicyKind.DN_PROFILE, name, of_dn_profile(session, found))

    def ra(self, principal: Principal, name: str) -> list[Judged]:
        """Findings about an RA and what it offers."""
        demand(principal, Permission.RA_READ)
        with self._store.read() as session:
            found = session.registrations.get(name)
            if found is None:
                raise NotFound(f"no registration authority {name!r}", field="ra", rule="ra.known")
            return judged(session, PolicyKind.RA, name, of_ra(session, found))


def of_profile(
    session: Session, profile: ExtensionProfile, dn_profile: DnProfile | None = None
) -> tuple[Risk, ...]:
    """Findings about *profile*, by itself and in each RA that offers that name.

    *dn_profile*: as it would be, instead of what is on record.
    """
    dn = dn_profile or session.profiles.dn(profile.dn_profile)
    found = list(assess(Use(profile, dn)))
    for ra in session.registrations.all():
        if profile.name in ra.profiles:
            found += assess(Use(profile, dn, ra, issuers_of(session, ra)))
    return _worst_first(found)


def new_in_profile(
    session: Session, profile: ExtensionProfile, now: ExtensionProfile | None
) -> tuple[Risk, ...]:
    """What *profile* would be asked to answer for where *now* is in force.

    In the hands of an RA only what *now* does not bring there already: the
    rest was answered for when the RA was made.
    """
    standing = {risk for risk in of_profile(session, now) if risk.about} if now else set()
    return tuple(risk for risk in of_profile(session, profile) if risk not in standing)


def of_dn_profile(session: Session, dn_profile: DnProfile) -> tuple[Risk, ...]:
    """Findings about the profiles that use *dn_profile*."""
    found: list[Risk] = []
    for version in session.profiles.all():
        if version.profile.dn_profile == dn_profile.name:
            found += of_profile(session, version.profile, dn_profile)
    return _worst_first(found)


def new_in_dn_profile(
    session: Session, dn_profile: DnProfile, now: DnProfile | None
) -> tuple[Risk, ...]:
    """What the profiles that use it do not bring already where *now* is in force."""
    standing = set(of_dn_profile(session, now)) if now else set()
    return tuple(risk for risk in of_dn_profile(session, dn_profile) if risk not in standing)


def of_ra(session: Session, ra: RegistrationAuthority) -> tuple[Risk, ...]:
    """Findings about *ra* and what it offers from its CAs."""
    issuers = issuers_of(session, ra)
    versions = [session.profiles.latest(name) for name in ra.profiles]
    uses = [
        Use(version.profile, session.profiles.dn(version.profile.dn_profile), ra, issuers)
        for version in versions
        if version is not None
    ]
    return assess_ra(ra, uses)


def settle(
    session: Session,
    principal: Principal,
    kind: PolicyKind,
    name: str,
    risks: Sequence[Risk],
    accepts: Accepts,
    now_ms: int,
) -> None:
    """Refuse a change for its risks, or put on record which of them *principal* accepts."""
    blocks = [risk for risk in risks if risk.severity is Severity.BLOCK]
    # What cannot be accepted comes first: no reason would help.
    for risk in sorted(blocks, key=lambda risk: risk.acceptable):
        if not risk.acceptable or risk.id not in accepts:
            raise _refused(kind, risk, blocks)
        if not MIN_REASON <= len(accepts[risk.id].strip()) <= MAX_REASON:
            raise BadRequest(
                f"no reason for {risk.id}",
                field=f"accept_risks.{risk.id}",
                rule="risk.reason",
                remedy=f"write {MIN_REASON} to {MAX_REASON} characters that an auditor understands",
            )
    reasons = {risk.id: accepts[risk.id].strip() for risk in blocks}
    accepted = [
        AcceptedRisk(kind, name, risk, reason, principal.name, now_ms // 1000)
        for risk, reason in sorted(reasons.items())
    ]
    session.policy_history.accept(accepted, kind, name)
    if accepted:
        said = event(principal, "risk.accepted", name, kind=kind.value, risks=reasons)
        session.audit.append([said], now_ms)


def place(kind: PolicyKind, field: str) -> str:
    """Where a finding's *field* stands in a document of *kind*, as errors name fields."""
    prefix, document, elsewhere = _PLACES[kind]
    root = field.partition("[")[0].partition(".")[0]
    known = any(one.name == root for one in fields(document))
    return f"{prefix}.{field}" if known else elsewhere


def _refused(kind: PolicyKind, risk: Risk, blocks: Sequence[Risk]) -> BadRequest:
    others = sorted({one.id for one in blocks} - {risk.id})
    place_of_it = risk.profile if kind is PolicyKind.RA else risk.about
    where = f"{place_of_it}: " if place_of_it else ""
    reason = f"{where}{risk.reason}" + (f"; also {', '.join(others)}" if others else "")
    remedy = risk.remedy
    if risk.acceptable:
        remedy += f'; or accept it: {risk.id}="the reason"'
    return BadRequest(reason, field=place(kind, risk.field), rule=f"risk.{risk.id}", remedy=remedy)


def issuers_of(session: Session, ra: RegistrationAuthority) -> tuple[Issuer, ...]:
    found = []
    for name in ra.authorities:
        authority = session.authorities.get(name)
        if authority is None:
            continue
        der = authority.certificate
        found.append(
            Issuer(
                name,
                root=der is not None and decode(der).self_issued,
                approvals=LEVELS[authority.security_level].approvals,
                purposes=None if der is None else purposes(der),
            )
        )
    return tuple(found)


def judged(session: Session, kind: PolicyKind, name: str, risks: Sequence[Risk]) -> list[Judged]:
    """With what was accepted about it here, or where an RA took it up."""

    def accepted(of: PolicyKind, whose: str) -> dict[str, AcceptedRisk]:
        return {one.risk: one for one in session.policy_history.accepted(of, whose)}

    here = accepted(kind, name)
    there = {ra: accepted(PolicyKind.RA, ra) for ra in {risk.about for risk in risks} if ra}
    return [
        Judged(risk, here.get(risk.id) or there.get(risk.about, {}).get(risk.id))
        if risk.severity is Severity.BLOCK
        else Judged(risk, None)
        for risk in risks
    ]


def _worst_first(risks: Sequence[Risk]) -> tuple[Risk, ...]:
    order = list(Severity)
    return tuple(sorted(dict.fromkeys(risks), key=lambda risk: order.index(risk.severity)))
