"""What a definition would make, while somebody still writes it: nothing is put on record."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from cryptography import x509

from chancery.domain.dn_profile import DnProfile
from chancery.domain.dn_profile_rules import dn_profile_faults
from chancery.domain.errors import BadRequest, CAError
from chancery.domain.identity import Permission, Principal
from chancery.domain.policy import PolicyKind
from chancery.domain.profile import ExtensionProfile, ProfileVersion
from chancery.domain.profile_rules import profile_faults
from chancery.domain.registration import RegistrationAuthority, check_ra
from chancery.ports import Linter, Session, Store
from chancery.services.access import demand
from chancery.services.profile_diff import Change, differences
from chancery.services.registrations import check_references
from chancery.services.risk import (
    Judged,
    judged,
    new_in_dn_profile,
    of_dn_profile,
    of_profile,
    of_ra,
)
from chancery.services.sample import sample
from chancery.wire import documents
from chancery.wire.describe import describe_certificate
from chancery.wire.lint import compile_lint

_NAMES: Final = frozenset({"profile.name", "dn_profile.name"})
"""What is typed first, and does not show in a certificate."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What is known of a candidate.

    *faults* would refuse it outright; *risks* may.  *certificate* is a
    decoded sample with its DER in *der*, None where the faults allow none.
    *lint* are findings about the sample, the full linter's among them if it
    was asked.  *changes* are against what is in force; None: it is new.
    """

    faults: tuple[CAError, ...]
    risks: tuple[Judged, ...]
    certificate: dict[str, Any] | None = None
    der: bytes | None = None
    lint: tuple[str, ...] = ()
    changes: tuple[Change, ...] | None = None
    full: bool = False  # the full linter was asked, too


class PreviewService:
    """Judges candidates.  Without the full linter it takes a few milliseconds."""

    def __init__(self, store: Store, linter: Linter) -> None:
        self._store = store
        self._linter = linter

    def profile(
        self, principal: Principal, candidate: ExtensionProfile, *, full: bool = False
    ) -> Preview:
        """*full*: ask the full linter as well, as saving does."""
        demand(principal, Permission.PROFILE_READ)
        with self._store.read() as session:
            dn_profile = session.profiles.dn(candidate.dn_profile)
            current = session.profiles.latest(candidate.name)
            risks = judged(
                session, PolicyKind.PROFILE, candidate.name, of_profile(session, candidate)
            )
        faults = list(profile_faults(candidate))
        if dn_profile is None:
            faults.append(_no_dn_profile(candidate.dn_profile))
        changes = differences(current.profile, candidate) if current else None
        return self._sampled(candidate, dn_profile, faults, risks, changes, full=full)

    def dn_profile(
        self, principal: Principal, candidate: DnProfile, *, within: str | None = None
    ) -> Preview:
        """The sample is of profile *within*, else of the first that uses it, else of a bare one."""
        demand(principal, Permission.PROFILE_READ)
        with self._store.read() as session:
            current = session.profiles.dn(candidate.name)
            users = [
                version.profile
                for version in session.profiles.all()
                if within in (None, version.profile.name)
                and (within or version.profile.dn_profile == candidate.name)
            ]
            found = new_in_dn_profile(session, candidate, current)
            standing = of_dn_profile(session, candidate)
            risks = judged(
                session, PolicyKind.DN_PROFILE, candidate.name, [*found, *_quiet(standing, found)]
            )
        faults = list(dn_profile_faults(candidate))
        host = users[0] if users else ExtensionProfile(name="sample")
        changes = differences(current, candidate) if current else None
        return self._sampled(host, candidate, faults, risks, changes, full=False)

    def ra(self, principal: Principal, candidate: RegistrationAuthority) -> Preview:
        """Faults, risks and changes; a registration authority makes no certificate itself."""
        demand(principal, Permission.RA_READ)
        with self._store.read() as session:
            current = session.registrations.get(candidate.name)
            risks = judged(session, PolicyKind.RA, candidate.name, of_ra(session, candidate))
            faults = _refusals(session, candidate)
        changes = differences(current, candidate) if current else None
        return Preview(faults, tuple(risks), changes=changes)

    def _sampled(
        self,
        profile: ExtensionProfile,
        dn_profile: DnProfile | None,
        faults: Sequence[CAError],
        risks: Sequence[Judged],
        changes: tuple[Change, ...] | None,
        *,
        full: bool,
    ) -> Preview:
        found = tuple(faults)
        if any(fault.field not in _NAMES for fault in found):  # it may not even encode
            return Preview(found, tuple(risks), changes=changes)
        try:
            der = sample(profile, dn_profile, complete=True)
            decoded = _decoded(der)
        except (CAError, ValueError) as error:
            fault = error if isinstance(error, CAError) else BadRequest(str(error))
            return Preview((*found, fault), tuple(risks), changes=changes)
        lint = compile_lint(ProfileVersion(profile, 1, documents.sha256(profile), 0, "preview"))
        findings = list(lint(der))
        if full and not found:
            findings += self._linter(sample(profile, dn_profile))
        return Preview(found, tuple(risks), decoded, der, tuple(findings), changes, full)


def _decoded(der: bytes) -> dict[str, Any]:
    parsed = x509.load_der_x509_certificate(der)
    return describe_certificate(parsed) | {
        "not_before": int(parsed.not_valid_before_utc.timestamp()),
        "not_after": int(parsed.not_valid_after_utc.timestamp()),
    }


def _quiet(standing: Sequence[Any], found: Sequence[Any]) -> list[Any]:
    """What stands already and does not block: shown, and nobody is asked again."""
    return [risk for risk in standing if risk not in found and risk.severity != "block"]


def _refusals(session: Session, candidate: RegistrationAuthority) -> tuple[CAError, ...]:
    try:
        check_ra(candidate)
        check_references(session, candidate)
    except CAError as error:
        return (error,)
    return ()


def _no_dn_profile(name: str) -> BadRequest:
    return BadRequest(
        f"no DN profile {name!r}",
        field="profile.dn_profile",
        rule="dn-profile.known",
        remedy="`chancery dn-profile list` shows those there are",
    )
