"""The registration authority: submit, decide, follow and fetch requests.

Every door ends here; no other module decides about a request.
"""

import hashlib
from base64 import b32encode
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace

from chancery.domain.audit import AuditEvent
from chancery.domain.certificate import CertificateRecord
from chancery.domain.errors import (
    AlreadyExists,
    CAError,
    Conflict,
    NotFound,
    NotPermitted,
    TooLarge,
    Unavailable,
    WrongState,
)
from chancery.domain.identity import SYSTEM, AuthMethod, Permission, Principal
from chancery.domain.request import (
    Approval,
    CertificateRequest,
    Note,
    RequestState,
    Submission,
)
from chancery.ports import Clock, Entropy, Page, RequestFilter, Session, Store
from chancery.services.access import demand
from chancery.services.catalogue import Catalogue
from chancery.services.issuance import Issuance, Issued, Work
from chancery.services.preparation import Preparation
from chancery.wire.describe import describe

_BULK_WINDOW = 256
_NOTE_LIMIT = 4000


@dataclass(frozen=True, slots=True)
class Submitted:
    """*code* lets an anonymous requester come back; it is shown once and kept only as a hash."""

    request: CertificateRequest
    code: str | None
    certificate: CertificateRecord | None


@dataclass(frozen=True, slots=True)
class RequestView:
    """All that a decider or the requester may see.  *content* is the decoded to-be-signed."""

    request: CertificateRequest
    approvals: list[Approval]
    notes: list[Note]
    content: dict[str, object]


class RegistrationService:
    """See the module."""

    def __init__(
        self,
        store: Store,
        catalogue: Catalogue,
        preparation: Preparation,
        issuance: Issuance,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._preparation = preparation
        self._issuance = issuance
        self._clock = clock
        self._entropy = entropy

    # Submitting

    def enqueue(self, principal: Principal, submission: Submission) -> "Future[Submitted]":
        """Take a submission in without waiting: the future holds what became of it."""
        code = self._new_code() if principal.method is AuthMethod.NONE else None
        code_sha256 = hash_code(code) if code else None

        def prepare() -> CertificateRequest:
            request = self._preparation.prepare(principal, submission)
            if request.state is RequestState.PENDING:
                self._check_queue(request)
            return replace(request, code_sha256=code_sha256)

        answer: Future[Submitted] = Future()

        def finished(future: "Future[Issued]") -> None:
            if error := future.exception():
                answer.set_exception(error)
                return
            issued = future.result()
            answer.set_result(Submitted(issued.request, code, issued.certificate))

        self._issuance.enqueue(Work(principal, prepare)).add_done_callback(finished)
        return answer

    def submit(self, principal: Principal, submission: Submission) -> Submitted:
        """Record a request, and issue at once if nobody needs to approve it."""
        return self.enqueue(principal, submission).result()

    def submit_many(
        self, principal: Principal, submissions: Iterable[Submission | CAError]
    ) -> Iterator[Submitted | CAError]:
        """Answer each submission in order, at most ``_BULK_WINDOW`` under way.

        An input that a door could not even read comes in, and goes out, as its error.
        """
        demand(principal, Permission.REQUEST_SUBMIT)
        under_way: list[Future[Submitted] | CAError] = []
        for submission in submissions:
            if isinstance(submission, CAError):
                under_way.append(submission)
            else:
                under_way.append(self.enqueue(principal, submission))
            if len(under_way) >= _BULK_WINDOW:
                yield _outcome(under_way.pop(0))
        for future in under_way:
            yield _outcome(future)

    def _check_queue(self, request: CertificateRequest) -> None:
        """Refuse a duplicate, and a queue that has grown past what its officers can see."""
        with self._store.read() as session:
            twin = session.requests.pending_with_key(request.key_sha256, request.profile)
            waiting = session.requests.count_pending(request.ra)
        if twin is not None:
            raise AlreadyExists(
                "a request for this key and profile is already pending",
                field="csr",
                rule="request.duplicate",
                remedy="wait for its decision, or withdraw it first",
            )
        if waiting >= self._catalogue.ra(request.ra).max_pending:
            raise Unavailable(
                f"{request.ra} has too many undecided requests", field="ra", rule="ra.max-pending"
            )

    def _new_code(self) -> str:
        """80 random bits, in four groups that can be read aloud."""
        text = b32encode(self._entropy(10)).decode()
        return "-".join(text[i : i + 4] for i in range(0, 16, 4))

    # Looking

    def show(
        self, principal: Principal, request_id: str, code: str | None = None
    ) -> RequestView:
        """Everything about one request; NotFound for those who may not know it exists."""
        with self._store.read() as session:
            request = visible(session, principal, request_id, code)
            return RequestView(
                request,
                session.requests.approvals(request_id),
                session.requests.notes(request_id),
                describe(request.tbs),
            )

    def find(
        self, principal: Principal, where: RequestFilter, page: Page
    ) -> list[CertificateRequest]:
        """Requests newest first: one's own, or everybody's with REQUEST_READ_ALL."""
        demand(principal, Permission.AUTHENTICATED)
        if Permission.REQUEST_READ_ALL not in principal.permissions:
            if where.requester not in (None, principal.name):
                raise NotPermitted(
                    "you see your own requests",
                    field="requester",
                    rule=Permission.REQUEST_READ_ALL.value,
                )
            where = replace(where, requester=principal.name)
        with self._store.read() as session:
            return session.requests.find(where, page)

    # Deciding

    def approve(
        self, principal: Principal, request_id: str, content_sha256: str | None = None
    ) -> CertificateRequest:
        """Say yes to exactly the content on record; issue if that was the last yes needed.

        *content_sha256*, when given, is what the approver saw: if the request
        was edited since, the approval is refused.
        """
        now = self._clock.ms()

        def unit(session: Session) -> tuple[CertificateRequest, tuple[str, ...]]:
            request = self._decidable(session, principal, request_id)
            if content_sha256 not in (None, request.content_sha256):
                raise Conflict(
                    "the request changed after you looked at it",
                    field="content_sha256",
                    rule="approval.exact-content",
                    remedy="look at it again, then approve",
                )
            session.requests.add_approval(
                Approval(request_id, principal.name, request.content_sha256, now // 1000)
            )
            approvers = tuple(
                sorted(
                    {
                        approval.approver
                        for approval in session.requests.approvals(request_id)
                        if approval.content_sha256 == request.content_sha256
                    }
                )
            )
            session.audit.append(
                [
                    _event(
                        principal,
                        "request.approved",
                        request,
                        have=len(approvers),
                        need=request.approvals_needed,
                    )
                ],
                now,
            )
            if len(approvers) < request.approvals_needed:
                return request, approvers
            session.requests.set_state(
                request_id, RequestState.PENDING, RequestState.APPROVED, decided_at=now // 1000
            )
            approved = replace(request, state=RequestState.APPROVED, decided_at=now // 1000)
            return approved, approvers

        request, approvers = self._store.write(unit)
        if request.state is not RequestState.APPROVED:
            return request
        return self._issuance.enqueue(Work(principal, request, approvers)).result().request

    def deny(self, principal: Principal, request_id: str, reason: str) -> CertificateRequest:
        """Say no, with a reason the requester will read."""
        if not reason.strip():
            raise WrongState("a denial needs a reason", field="reason", rule="denial.reason")
        _bounded(reason, "reason")
        now = self._clock.ms()

        def unit(session: Session) -> CertificateRequest:
            request = self._decidable(session, principal, request_id, own=True)
            session.requests.set_state(
                request_id,
                RequestState.PENDING,
                RequestState.DENIED,
                decided_at=now // 1000,
                reason=reason,
            )
            session.audit.append([_event(principal, "request.denied", request, reason=reason)], now)
            return replace(
                request,
                state=RequestState.DENIED,
                decided_at=now // 1000,
                decision_reason=reason,
            )

        return self._store.write(unit)

    def _decidable(
        self, session: Session, principal: Principal, request_id: str, *, own: bool = False
    ) -> CertificateRequest:
        """The locked, pending request, if *principal* may decide it."""
        demand(principal, Permission.REQUEST_DECIDE)
        request = locked(session, request_id)
        group = self._catalogue.ra(request.ra).approval_group
        if group not in principal.groups:
            raise NotPermitted(
                f"only members of {group} decide this request",
                field="principal",
                rule="approval.group",
            )
        if request.requester == principal.name and not own:
            raise NotPermitted(
                "nobody approves their own request", field="principal", rule="approval.not-own"
            )
        if request.expires_at <= self._clock.s():
            raise WrongState("the request has expired", field="id", rule="request.expired")
        return request

    # The requester's own moves

    def edit(
        self, principal: Principal, request_id: str, submission: Submission
    ) -> CertificateRequest:
        """Replace an undecided request's content; approvals given so far are void."""
        now = self._clock.ms()
        with self._store.read() as session:
            before = visible(session, principal, request_id, None)
        _own(principal, before)
        prepared = self._preparation.prepare(principal, submission, request_id=request_id)

        def unit(session: Session) -> CertificateRequest:
            current = locked(session, request_id)
            after = replace(
                prepared,
                state=RequestState.PENDING,
                requester=current.requester,
                approvals_needed=max(1, prepared.approvals_needed),
                created_at=current.created_at,
                code_sha256=current.code_sha256,
            )
            session.requests.replace(after)
            session.requests.void_approvals(request_id)
            session.audit.append(
                [
                    _event(
                        principal,
                        "request.edited",
                        after,
                        before=current.content_sha256,
                        after=after.content_sha256,
                    )
                ],
                now,
            )
            return after

        return self._store.write(unit)

    def withdraw(
        self, principal: Principal, request_id: str, code: str | None = None
    ) -> CertificateRequest:
        """Take back an undecided request."""
        now = self._clock.ms()

        def unit(session: Session) -> CertificateRequest:
            request = visible(session, principal, request_id, code)
            if code is None:
                _own(principal, request)
            request = locked(session, request_id)
            session.requests.set_state(
                request_id, RequestState.PENDING, RequestState.WITHDRAWN, decided_at=now // 1000
            )
            session.audit.append([_event(principal, "request.withdrawn", request)], now)
            return replace(request, state=RequestState.WITHDRAWN, decided_at=now // 1000)

        return self._store.write(unit)

    def delete(self, principal: Principal, request_id: str) -> None:
        """Remove a request that came to nothing.  What was issued, or may be, stays."""
        now = self._clock.ms()
        removable = {
            RequestState.DENIED,
            RequestState.EXPIRED,
            RequestState.WITHDRAWN,
            RequestState.FAILED,
        }

        def unit(session: Session) -> None:
            request = visible(session, principal, request_id, None)
            _own(principal, request)
            if request.state not in removable:
                raise WrongState(
                    f"the request is {request.state.value}",
                    field="id",
                    rule="request.removable",
                    remedy="withdraw it first" if request.state is RequestState.PENDING else None,
                )
            session.requests.delete(request_id)
            session.audit.append([_event(principal, "request.deleted", request)], now)

        self._store.write(unit)

    def add_note(self, principal: Principal, request_id: str, text: str) -> CertificateRequest:
        """Leave a note for the deciders and the requester."""
        _bounded(text, "text")
        now = self._clock.ms()

        def unit(session: Session) -> CertificateRequest:
            demand(principal, Permission.AUTHENTICATED)
            request = visible(session, principal, request_id, None)
            session.requests.add_note(request_id, Note(principal.name, now // 1000, text))
            session.audit.append([_event(principal, "request.noted", request)], now)
            return request

        return self._store.write(unit)

    def expire_due(self, limit: int = 500) -> int:
        """Close pending requests whose time is up; return how many (run by the scheduler)."""
        now = self._clock.ms()

        def unit(session: Session) -> int:
            ids = session.requests.expired(now // 1000, limit)
            for request_id in ids:
                request = locked(session, request_id)
                session.requests.set_state(
                    request_id, RequestState.PENDING, RequestState.EXPIRED, decided_at=now // 1000
                )
                session.audit.append([_event(SYSTEM, "request.expired", request)], now)
            return len(ids)

        return self._store.write(unit)


def hash_code(code: str) -> str:
    """What is kept of a request code; case and dashes do not matter."""
    return hashlib.sha256(code.replace("-", "").upper().encode()).hexdigest()


def visible(
    session: Session, principal: Principal, request_id: str, code: str | None
) -> CertificateRequest:
    """The request, for its owner, a reader of all, or the holder of its code."""
    request = session.requests.get(request_id)
    if request is not None:
        if Permission.REQUEST_READ_ALL in principal.permissions:
            return request
        if principal.method is not AuthMethod.NONE and request.requester == principal.name:
            return request
        # The code is 80 random bits and only its hash is compared: timing tells nothing of use.
        if code is not None and request.code_sha256 == hash_code(code):
            return request
    raise NotFound(
        f"no request {request_id!r} that you may see",
        field="id",
        rule="request.visible",
        remedy="sign in as its requester, or give its code",
    )


def locked(session: Session, request_id: str) -> CertificateRequest:
    """The pending request, its row locked until this unit commits, so that decisions queue."""
    request = session.requests.get(request_id)
    if request is None:
        raise NotFound(f"no request {request_id!r}", field="id")
    if request.state is not RequestState.PENDING:
        raise WrongState(
            f"the request is {request.state.value}", field="id", rule="request.pending"
        )
    session.requests.set_state(request_id, RequestState.PENDING, RequestState.PENDING)
    current = session.requests.get(request_id)
    assert current is not None
    return current


def _own(principal: Principal, request: CertificateRequest) -> None:
    if principal.method is AuthMethod.NONE or request.requester != principal.name:
        raise NotPermitted(
            "only its requester may do this", field="principal", rule="request.owner"
        )


def _bounded(text: str, field: str) -> None:
    if len(text) > _NOTE_LIMIT:
        raise TooLarge(f"at most {_NOTE_LIMIT} characters", field=field, rule="text.max-length")


def _outcome(future: "Future[Submitted] | CAError") -> Submitted | CAError:
    if isinstance(future, CAError):
        return future
    try:
        return future.result()
    except CAError as error:
        return error


def _event(
    principal: Principal, action: str, request: CertificateRequest, **details: object
) -> AuditEvent:
    return AuditEvent(
        action=action,
        actor=principal.name,
        method=principal.method.value,
        origin=principal.origin,
        subject_id=request.id,
        details={"content": request.content_sha256, **details},
    )
