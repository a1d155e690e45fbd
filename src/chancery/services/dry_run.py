"""What a candidate would have made of the last requests.  Nothing is put on record."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from chancery.domain import key_quality
from chancery.domain.authority import LEVELS
from chancery.domain.dn_profile import DnProfile
from chancery.domain.errors import CAError, LintFailed, NotPermitted, WrongState
from chancery.domain.identity import Permission, Principal
from chancery.domain.profile import ExtensionProfile, Override, ProfileVersion
from chancery.domain.profile_rules import check_dn_profile, check_profile
from chancery.domain.registration import RegistrationAuthority, check_ra
from chancery.domain.request import CertificateRequest, RequestState, ToBeSigned
from chancery.domain.san_rules import select_names
from chancery.domain.subject import build_subject
from chancery.ports import Page, RequestFilter, Session, Store
from chancery.services.access import demand
from chancery.services.indirect import listed_by, listing
from chancery.services.issuers import find, issuer_context
from chancery.services.preparation import submission_of
from chancery.services.profile_diff import Change, differences
from chancery.services.requested import custom_extensions, lasting, requested_names
from chancery.wire import documents, pkcs10
from chancery.wire.describe import describe
from chancery.wire.lint import compile_lint
from chancery.wire.tbs import assemble, certificate, compile_profile
from chancery.wire.twin import twin_signature

DEFAULT_LAST: Final = 100
MAX_LAST: Final = 1000
_ANONYMOUS: Final = "anonymous"
_TURNED_DOWN: Final = frozenset({RequestState.FAILED, RequestState.DENIED})


class Outcome(StrEnum):
    """What would become of a request."""

    SAME = "same"
    CHANGED = "changed"
    REFUSED = "refused"
    ACCEPTED = "accepted"  # it came to nothing then, and would be let in now


@dataclass(frozen=True, slots=True)
class Trial:
    """One request under the candidate.  *refusal* says why, where the outcome is that."""

    request: CertificateRequest
    outcome: Outcome
    changes: tuple[Change, ...] = ()
    refusal: CAError | None = None


@dataclass(frozen=True, slots=True)
class DryRun:
    """Trials, newest request first."""

    trials: tuple[Trial, ...]

    def count(self, outcome: Outcome) -> int:
        return sum(trial.outcome is outcome for trial in self.trials)


class DryRunService:
    """Tries candidates on requests that are on record."""

    def __init__(self, store: Store, *, http: str) -> None:
        self._store = store
        self._http = http

    def profile(
        self,
        principal: Principal,
        candidate: ExtensionProfile,
        *,
        like: str | None = None,
        last: int = DEFAULT_LAST,
    ) -> DryRun:
        """Try *candidate* on the last requests for that profile, or for the one named by *like*."""
        _allowed(principal, Permission.PROFILE_MANAGE)
        check_profile(candidate)
        with self._store.read() as session:
            dn_profile = session.profiles.dn(candidate.dn_profile)
            rules = _Rules(candidate, dn_profile)
            trial = _Trials(session, self._http, lambda _: rules)
            return trial.run(_latest(session, RequestFilter(profile=like or candidate.name), last))

    def dn_profile(
        self, principal: Principal, candidate: DnProfile, *, last: int = DEFAULT_LAST
    ) -> DryRun:
        """Try *candidate* on the last requests for any profile that uses it."""
        _allowed(principal, Permission.PROFILE_MANAGE)
        check_dn_profile(candidate)
        with self._store.read() as session:
            users = {
                version.profile.name: _Rules(version.profile, candidate)
                for version in session.profiles.all()
                if version.profile.dn_profile == candidate.name
            }
            found = [
                request
                for name in users
                for request in _latest(session, RequestFilter(profile=name), last)
            ]
            newest = sorted(found, key=lambda request: request.id, reverse=True)[:last]
            return _Trials(session, self._http, lambda request: users[request.profile]).run(newest)

    def ra(
        self, principal: Principal, candidate: RegistrationAuthority, *, last: int = DEFAULT_LAST
    ) -> DryRun:
        """Hold *candidate* against the last requests to that RA: who may ask for what, of whom."""
        _allowed(principal, Permission.RA_MANAGE)
        check_ra(candidate)
        with self._store.read() as session:
            found = _latest(session, RequestFilter(ra=candidate.name), last)
            return DryRun(tuple(_admission(session, candidate, request) for request in found))


@dataclass(frozen=True, slots=True)
class _Rules:
    profile: ExtensionProfile
    dn_profile: DnProfile | None

    @property
    def version(self) -> ProfileVersion:
        return ProfileVersion(self.profile, 0, documents.sha256(self.profile), 0, "dry run")


class _Trials:
    """One run: what is compiled for one request serves the next."""

    def __init__(
        self, session: Session, http: str, rules: Callable[[CertificateRequest], _Rules]
    ) -> None:
        self._session = session
        self._http = http
        self._rules = rules
        self._compiled: dict[tuple[str, str], tuple[Any, Any, Any]] = {}

    def run(self, requests: Iterable[CertificateRequest]) -> DryRun:
        return DryRun(tuple(map(self._trial, requests)))

    def _trial(self, request: CertificateRequest) -> Trial:
        before = describe(request.tbs)
        try:
            tbs = self._content(request, before)
        except CAError as refusal:
            return Trial(request, Outcome.REFUSED, refusal=refusal)
        changes = differences(before, describe(tbs)) + self._approvals(request)
        if request.state in _TURNED_DOWN:
            return Trial(request, Outcome.ACCEPTED, changes)
        return Trial(request, Outcome.CHANGED if changes else Outcome.SAME, changes)

    def _content(self, request: CertificateRequest, before: dict[str, Any]) -> ToBeSigned:
        """What would be signed now for what was sent then, under the serial it was given."""
        rules = self._rules(request)
        profile, dn_profile = rules.profile, rules.dn_profile
        submission = submission_of(request)
        csr = pkcs10.decode(submission.csr) if submission.csr else None
        if csr is not None:
            key_quality.allowed(profile.key_algorithms, csr.public_key)
        if dn_profile is None:
            raise WrongState(f"no DN profile {profile.dn_profile!r}", field="profile.dn_profile")
        subject = build_subject(
            dn_profile,
            csr.subject if csr else None,
            submission.subject,
            may_override=Override.SUBJECT in profile.overrides,
        )
        asked = csr.names if csr else ()
        compiled, lint, algorithm = self._compile(request.authority, rules)
        tbs: ToBeSigned = compiled.build(
            serial=int(request.serial, 16),
            subject=subject,
            spki=bytes.fromhex(before["key"]["spki"]),
            names=select_names(profile, asked, requested_names(submission, profile), subject),
            extensions=custom_extensions(submission, csr, profile),
            lasting_s=lasting(submission, profile),
        )
        validity = tbs.validity.starting(request.created_at)
        twin = certificate(assemble(tbs, *validity), algorithm, twin_signature(algorithm))
        if findings := lint(twin):
            raise LintFailed("; ".join(findings), field="profile", rule="lint")
        return tbs

    def _compile(self, authority: str, rules: _Rules) -> tuple[Any, Any, Any]:
        key = (authority, rules.profile.name)
        if key not in self._compiled:
            record = find(self._session, authority)
            certificates = self._session.authorities.certificates(authority)
            others = listing(self._session.authorities.all(), authority)
            listed = listed_by(self._session, others, self._http)
            context = issuer_context(record, certificates, self._http, listed)
            version = rules.version
            self._compiled[key] = (
                compile_profile(version, context),
                compile_lint(version),
                context.signature_algorithm,
            )
        return self._compiled[key]

    def _approvals(self, request: CertificateRequest) -> tuple[Change, ...]:
        ra = self._session.registrations.get(request.ra)
        needed = self._rules(request).profile.approvals
        return _more_or_fewer(self._session, request, needed, ra.approvals if ra else 0)


def _admission(session: Session, ra: RegistrationAuthority, request: CertificateRequest) -> Trial:
    refusal = _turned_away(session, ra, request)
    if refusal is not None:
        return Trial(request, Outcome.REFUSED, refusal=refusal)
    version = session.profiles.latest(request.profile)
    needed = version.profile.approvals if version else 0
    changes = _more_or_fewer(session, request, needed, ra.approvals)
    return Trial(request, Outcome.CHANGED if changes else Outcome.SAME, changes)


def _turned_away(
    session: Session, ra: RegistrationAuthority, request: CertificateRequest
) -> CAError | None:
    if ra.disabled:
        return WrongState(f"{ra.name} takes no requests", field="ra.disabled", rule="ra.disabled")
    if request.profile not in ra.profiles:
        why = f"profile {request.profile} is not offered"
        return NotPermitted(why, field="ra.profiles", rule="ra.profiles")
    if request.authority not in ra.authorities:
        why = f"{request.authority} does not issue for it"
        return NotPermitted(why, field="ra.authorities", rule="ra.authorities")
    stranger = request.requester == _ANONYMOUS
    if stranger and not ra.public:
        why = "people without an account may not submit"
        return NotPermitted(why, field="ra.anonymous", rule="ra.anonymous")
    if not stranger and ra.submit_groups:
        user = session.identities.user(request.requester)
        if user is None or user.groups.isdisjoint(ra.submit_groups):
            why = f"{request.requester} is in none of the submit groups"
            return NotPermitted(why, field="ra.submit_groups", rule="ra.submit-group")
    return None


def _more_or_fewer(
    session: Session, request: CertificateRequest, profile: int, ra: int
) -> tuple[Change, ...]:
    authority = session.authorities.get(request.authority)
    level = LEVELS[authority.security_level].approvals if authority else 0
    needed = max(profile, ra, level)
    if needed == request.approvals_needed:
        return ()
    return (Change("approvals", str(request.approvals_needed), str(needed)),)


def _latest(session: Session, where: RequestFilter, last: int) -> list[CertificateRequest]:
    return session.requests.find(where, Page(limit=max(1, min(last, MAX_LAST))))


def _allowed(principal: Principal, permission: Permission) -> None:
    """Candidates are for who makes them; the requests of others for who may read them."""
    demand(principal, permission)
    demand(principal, Permission.REQUEST_READ_ALL)
