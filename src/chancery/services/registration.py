"""The registration authority: submit, decide, follow and fetch requests.

Every door ends here; no other module decides about a request.
"""

from base64 import b32encode
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from itertools import islice

from chancery.domain.errors import AlreadyExists, CAError, NotPermitted, Unavailable
from chancery.domain.gateway import Receipt
from chancery.domain.identity import AuthMethod, Permission, Principal
from chancery.domain.request import (
    Approval,
    CertificateRequest,
    Note,
    RequestState,
    Submission,
)
from chancery.ports import Clock, Entropy, Page, RequestFilter, Store
from chancery.services import crew
from chancery.services.access import demand_within
from chancery.services.catalogue import Catalogue
from chancery.services.confinement import request_within, requests_within
from chancery.services.issuance import Issuance
from chancery.services.portal.admission import Admission
from chancery.services.preparation import Preparation, submission_of
from chancery.services.rehearsal import Submitted, Together, Work
from chancery.services.request_access import hash_code, visible
from chancery.wire import pkcs10
from chancery.wire.describe import describe

_CHUNK = 128
"""Submissions that are begun with together: a batch of the pipeline."""
_WINDOW = 8
"""Chunks under way at once: four here, four with a sibling."""
_NOTE_LIMIT = 4000
_ONE_CODE = 500
"""Requests under one code, at the most that are looked through."""


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
        admission: Admission,
        siblings: crew.Siblings | None = None,
    ) -> None:
        self._siblings = siblings
        self._store = store
        self._catalogue = catalogue
        self._preparation = preparation
        self._issuance = issuance
        self._clock = clock
        self._entropy = entropy
        self._admission = admission

    # Submitting

    def enqueue(
        self, principal: Principal, submission: Submission, *, stamp: str | None = None
    ) -> "Future[Submitted]":
        """Take a submission in without waiting: the future holds what became of it.

        *stamp* is a stranger's proof of work, where one is asked.
        """
        code = None
        if principal.method is AuthMethod.NONE:
            self._admission.submissions(principal, [submission.csr], stamp)
            code = self._new_code()
        return self._enqueue(principal, submission, code)

    def submit_together(
        self,
        principal: Principal,
        submissions: Sequence[Submission],
        *,
        stamp: str | None = None,
        receipt: Receipt | None = None,
    ) -> "tuple[str, list[Submitted | CAError]]":
        """Take in what a stranger brings at once: one code opens all of it.

        One failure does not stop the rest.
        """
        self._admission.submissions(principal, [one.csr for one in submissions], stamp)
        if receipt is not None:
            answers = [self._attempt(principal, one, receipt) for one in submissions]
            return receipt.code, answers
        code = self._new_code()
        under_way = [self._enqueue(principal, one, code) for one in submissions]
        return code, [crew.outcome(future) for future in under_way]

    def receive(
        self,
        principal: Principal,
        submission: Submission,
        receipt: Receipt,
        *,
        stamp: str | None = None,
    ) -> Submitted:
        """Take in what a gateway hands over: once, however often it does.

        The code of the receipt becomes the request's own, and is on record in
        the same commit: by it a repetition is known, whatever broke off before.
        """
        if receipt.queued:
            self._admission.delivered(principal, [submission.csr])
        else:
            self._admission.submissions(principal, [submission.csr], stamp)
        return self._once(principal, submission, receipt)

    def _attempt(
        self, principal: Principal, submission: Submission, receipt: Receipt
    ) -> Submitted | CAError:
        try:
            return self._once(principal, submission, receipt)
        except CAError as error:
            return error

    def _once(self, principal: Principal, submission: Submission, receipt: Receipt) -> Submitted:
        if (earlier := self._earlier(principal, submission, receipt.code)) is not None:
            return earlier
        try:
            return self._enqueue(principal, submission, receipt.code).result()
        except AlreadyExists:
            # The first attempt, cut off at the gateway's end, may have come through meanwhile.
            if (earlier := self._earlier(principal, submission, receipt.code)) is not None:
                return earlier
            raise

    def _earlier(self, principal: Principal, submission: Submission, code: str) -> Submitted | None:
        """What came of the same submission under the same code."""
        with self._store.read() as session:
            for one in session.portal.requests_with_code(hash_code(code), _ONE_CODE):
                request = session.requests.get(one)
                if request is None or not request_within(principal, request):
                    continue
                if request.requester == principal.name and _same(request, submission):
                    record = session.certificates.get(request.certificate_id or "")
                    return Submitted(request, code, record)
        return None

    def take(
        self, principal: Principal, submission: Submission, request_id: str, together: Together
    ) -> Submitted:
        """Take in what a door hands over, under an id that it chose.

        *together* goes on record with the request, or neither does.
        """
        demand_within(principal, Permission.REQUEST_SUBMIT)
        return self._enqueue(principal, submission, None, request_id, together).result()

    def _enqueue(
        self,
        principal: Principal,
        submission: Submission,
        code: str | None,
        request_id: str | None = None,
        together: Together | None = None,
    ) -> "Future[Submitted]":
        code_sha256 = hash_code(code) if code else None

        examination = self._preparation.examination(
            principal,
            submission,
            code_sha256=code_sha256,
            check=self._check_queue,
            request_id=request_id,
        )
        work = Work(principal, examination, code=code, note=submission.note, together=together)
        return self._issuance.enqueue(work)

    def submit(self, principal: Principal, submission: Submission) -> Submitted:
        """Record a request, and issue at once if nobody needs to approve it."""
        return self.enqueue(principal, submission).result()

    def submit_many(
        self, principal: Principal, submissions: Iterable[Submission | CAError]
    ) -> Iterator[Submitted | CAError]:
        """Answer each submission in order, at most ``_WINDOW`` chunks under way.

        An input that a door could not even read comes in, and goes out, as its error.
        Every other chunk goes to a sibling, if there is one and it keeps up.
        """
        demand_within(principal, Permission.REQUEST_SUBMIT)
        source = iter(submissions)
        under_way: deque[crew.Later] = deque()
        call: crew.Call | None = None
        try:
            while chunk := list(islice(source, _CHUNK)):
                if under_way and call is None and self._siblings is not None:
                    call = self._siblings.call()
                mine = 2 * call.waiting >= len(under_way) if call is not None else True
                under_way.append(self._begin(principal, chunk, None if mine else call))
                if len(under_way) >= _WINDOW:
                    yield from under_way.popleft()()
            while under_way:
                yield from under_way.popleft()()
        finally:
            if call is not None:
                call.close()

    def _begin(
        self,
        principal: Principal,
        chunk: Sequence[Submission | CAError],
        call: "crew.Call | None",
    ) -> crew.Later:
        readable = [one for one in chunk if isinstance(one, Submission)]
        if call is None or len(readable) < len(chunk):
            return crew.begin(self.enqueue, principal, chunk)
        return crew.share(call, principal, readable)

    def _check_queue(self, request: CertificateRequest) -> None:
        """Refuse to lengthen a queue that has grown past what its officers can see."""
        if request.state is not RequestState.PENDING:
            return
        with self._store.read() as session:
            waiting = session.requests.count_pending(request.ra)
        if waiting >= self._catalogue.ra(request.ra).max_pending:
            raise Unavailable(
                f"{request.ra} has too many undecided requests", field="ra", rule="ra.max-pending"
            )

    def _new_code(self) -> str:
        """80 random bits, in four groups that can be read aloud."""
        text = b32encode(self._entropy(10)).decode()
        return "-".join(text[i : i + 4] for i in range(0, 16, 4))

    # Looking

    def show(self, principal: Principal, request_id: str, code: str | None = None) -> RequestView:
        """Everything about one request; NotFound for those who may not know it exists."""
        with self._admission.guess(principal, code), self._store.read() as session:
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
        demand_within(principal, Permission.AUTHENTICATED)
        if Permission.REQUEST_READ_ALL not in principal.permissions:
            if where.requester not in (None, principal.name):
                raise NotPermitted(
                    "you see your own requests",
                    field="requester",
                    rule=Permission.REQUEST_READ_ALL.value,
                )
            where = replace(where, requester=principal.name)
        within = requests_within(principal, where)
        if within is None:
            return []
        with self._store.read() as session:
            return session.requests.find(within, page)


def _same(request: CertificateRequest, submission: Submission) -> bool:
    """Whether *request* was made of that very submission."""
    sent = submission_of(request)
    if replace(sent, csr=None) != replace(submission, csr=None):
        return False
    return sent.csr == (None if submission.csr is None else pkcs10.decode(submission.csr).der)
