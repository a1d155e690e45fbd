"""A request as whoever decides looks at it: what was asked, what would be signed, what is wrong.

Nothing is written and nothing is signed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from chancery.domain.certificate import CertificateRecord
from chancery.domain.errors import BadRequest, CAError, WrongState
from chancery.domain.identity import Permission, Principal
from chancery.domain.registration import RegistrationAuthority
from chancery.domain.request import (
    Approval,
    CertificateRequest,
    Note,
    RequestState,
    Submission,
)
from chancery.ports import Clock, Linter, RequestFilter, Session, Store
from chancery.services import request_standing as standing
from chancery.services.access import demand_within
from chancery.services.catalogue import Catalogue
from chancery.services.confinement import holds
from chancery.services.history import Entry, entries
from chancery.services.issuance_records import refuse_blocked
from chancery.services.portal.check import Finding, Severity, fault, remarks
from chancery.services.portal.comparison import Line, compare
from chancery.services.preparation import Preparation, submission_of
from chancery.services.request_access import visible
from chancery.wire import pkcs10
from chancery.wire.describe import describe, describe_request
from chancery.wire.tbs import assemble, certificate
from chancery.wire.twin import twin_signature

_HISTORY: Final = 200
"""Lines of the audit log about one request, the newest."""
_MOST: Final = 1000  # counts go no further


class Act(StrEnum):
    """What may be done about a request."""

    APPROVE = "approve"
    DENY = "deny"
    EDIT = "edit"
    NOTE = "note"
    WITHDRAW = "withdraw"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Review:
    """*content* is what would be signed, *asked* what the CSR says (None: there is none).

    *lines* hold them against each other.  *approvals* count for the content as
    it is now, *void* were given to an earlier one.  *refusals* tells what this
    principal may not do now, and why.  *history* is newest first.
    """

    request: CertificateRequest
    content: dict[str, Any]
    asked: dict[str, Any] | None
    lines: tuple[Line, ...]
    submission: Submission
    approvals: Sequence[Approval]
    void: Sequence[Approval]
    notes: Sequence[Note]
    group: str
    refusals: Mapping[Act, CAError]
    history: Sequence[Entry]
    certificate: CertificateRecord | None

    @property
    def missing(self) -> int:
        """How many approvals it still needs."""
        if self.request.state is not RequestState.PENDING:
            return 0
        return max(0, self.request.approvals_needed - _people(self.approvals))


@dataclass(frozen=True, slots=True)
class Queue:
    """Undecided requests of one registration authority, counted up to a bound.

    *mine*: the principal is in the group that decides.
    """

    ra: str
    group: str
    waiting: int
    more: bool
    mine: bool


def _people(approvals: Iterable[Approval]) -> int:
    return len({approval.approver for approval in approvals})


class ReviewService:
    """See the module."""

    def __init__(
        self,
        store: Store,
        catalogue: Catalogue,
        preparation: Preparation,
        clock: Clock,
        linter: Linter,
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._preparation = preparation
        self._clock = clock
        self._linter = linter

    def queues(self, principal: Principal) -> list[Queue]:
        """What waits at each registration authority; those the principal decides come first."""
        demand_within(principal, Permission.REQUEST_READ_ALL)
        decides = Permission.REQUEST_DECIDE in principal.permissions
        found = []
        with self._store.read() as session:
            for ra in session.registrations.all():
                if not holds(principal, ra.name):
                    continue
                where = RequestFilter(state=RequestState.PENDING, ra=ra.name)
                waiting = session.requests.count(where, _MOST + 1)
                mine = decides and ra.approval_group in principal.groups
                found.append(
                    Queue(ra.name, ra.approval_group, min(waiting, _MOST), waiting > _MOST, mine)
                )
        return sorted(found, key=lambda queue: (not queue.mine, queue.ra))

    def given(self, requests: Iterable[CertificateRequest]) -> dict[str, int]:
        """How many approvals each that waits has, for its content as it is now; by id."""
        waiting = [one for one in requests if one.state is RequestState.PENDING]
        with self._store.read() as session:
            return {
                one.id: _people(standing.counting(one, session.requests.approvals(one.id)))
                for one in waiting
            }

    def show(self, principal: Principal, request_id: str) -> Review:
        """Everything about one request; NotFound for those who may not know it exists."""
        with self._store.read() as session:
            request = visible(session, principal, request_id, None)
            approvals = session.requests.approvals(request_id)
            counting = standing.counting(request, approvals)
            ra = self._ra(request)
            issued = request.certificate_id
            content = describe(request.tbs)
            asked = describe_request(pkcs10.decode(request.csr)) if request.csr else None
            return Review(
                request,
                content,
                asked,
                compare(asked, content) if asked else (),
                submission_of(request),
                counting,
                [one for one in approvals if one not in counting],
                session.requests.notes(request_id),
                ra.approval_group if ra else "",
                dict(self._refusals(session, principal, request, counting, ra)),
                entries(session.audit.find(subject_id=request_id, limit=_HISTORY)),
                session.certificates.get(issued) if issued else None,
            )

    def findings(
        self, principal: Principal, request_id: str, *, full: bool = False
    ) -> tuple[Finding, ...]:
        """What speaks against a request, key and content; *full*: the full linter's word, too."""
        with self._store.read() as session:
            request = visible(session, principal, request_id, None)
        found: list[Finding] = []
        for look in (self._key, self._content):
            try:
                found += look(request)
            except CAError as error:
                found.append(fault(error))
        if full:
            found += self._full(request)
        return tuple(dict.fromkeys(found))

    def _ra(self, request: CertificateRequest) -> RegistrationAuthority | None:
        try:
            return self._catalogue.ra(request.ra)
        except CAError:  # it was deleted since
            return None

    def _refusals(
        self,
        session: Session,
        principal: Principal,
        request: CertificateRequest,
        counting: Sequence[Approval],
        ra: RegistrationAuthority | None,
    ) -> Iterator[tuple[Act, CAError]]:
        now = self._clock.s()

        def approve() -> None:
            deny(denying=False)
            standing.approving_once(principal, counting)

        def deny(*, denying: bool = True) -> None:
            if ra is None:
                raise WrongState(f"{request.ra} is no more", field="ra", rule="ra.known")
            standing.deciding(session, principal, request, ra, now, denying=denying)

        tries: dict[Act, Callable[[], None]] = {
            Act.APPROVE: approve,
            Act.DENY: deny,
            Act.EDIT: lambda: standing.editing(principal, request),
            Act.NOTE: lambda: standing.noting(principal, request),
            Act.WITHDRAW: lambda: standing.withdrawing(principal, request),
            Act.DELETE: lambda: standing.deleting(principal, request),
        }
        for act, attempt in tries.items():
            try:
                attempt()
            except CAError as error:
                yield act, error

    def _key(self, request: CertificateRequest) -> Iterator[Finding]:
        version = self._catalogue.pinned(request.profile_sha256)
        with self._store.read() as session:
            refuse_blocked(session, [request.key_sha256])
        if request.csr is not None:
            csr = pkcs10.decode(request.csr)
            sent = submission_of(request)
            yield from map(fault, self._preparation.key_faults(csr, version.profile, sent))
            yield from remarks(csr)

    def _content(self, request: CertificateRequest) -> Iterator[Finding]:
        version = self._catalogue.pinned(request.profile_sha256)
        template = self._catalogue.template(self._catalogue.authority(request.authority), version)
        if not template.fits(request.tbs):
            yield Finding(
                Severity.ERROR,
                f"{request.authority} changed its key since this content was fixed",
                "authority",
                "content.bound",
                "let its requester edit the request, so that the new content can be approved",
            )
        for text in template.lint(self._twin(request)):
            yield fault(BadRequest(text, field="profile", rule="lint"))

    def _full(self, request: CertificateRequest) -> Iterator[Finding]:
        try:
            twin = self._twin(request)
        except CAError as error:
            yield fault(error)
            return
        for text in self._linter(twin):
            severity, _, rest = text.partition(" ")
            worst = severity in ("FATAL", "ERROR")
            yield Finding(Severity.ERROR if worst else Severity.WARNING, rest, "profile", "pkilint")

    def _twin(self, request: CertificateRequest) -> bytes:
        """The certificate as it would be if it were signed now, with a signature of nobody's."""
        algorithm = self._catalogue.authority(request.authority).signature_algorithm
        tbs = assemble(request.tbs, *request.tbs.validity.starting(self._clock.s()))
        return certificate(tbs, algorithm, twin_signature(algorithm))
