"""What happens to a request besides decisions: edit, withdraw, delete, note, expiry."""

from dataclasses import replace

from chancery.domain.errors import CAError, Unavailable
from chancery.domain.identity import SYSTEM, Permission, Principal
from chancery.domain.request import CertificateRequest, Note, RequestState, Submission
from chancery.ports import Clock, KeyVault, Session, Store
from chancery.services import request_standing as standing
from chancery.services.access import demand_within
from chancery.services.issuance_records import refuse_blocked
from chancery.services.notifications import SILENT, Announcer
from chancery.services.portal.admission import Admission
from chancery.services.preparation import Preparation
from chancery.services.request_access import (
    bounded,
    forget_key,
    locked,
    own,
    refuse_duplicates,
    request_event,
    visible,
)


class RequestChangeService:
    """See the module."""

    def __init__(
        self,
        store: Store,
        vault: KeyVault,
        preparation: Preparation,
        clock: Clock,
        admission: Admission,
        announcer: Announcer = SILENT,
    ) -> None:
        self._store = store
        self._admission = admission
        self._vault = vault
        self._preparation = preparation
        self._clock = clock
        self._announcer = announcer

    def edit(
        self, principal: Principal, request_id: str, submission: Submission
    ) -> CertificateRequest:
        """Replace an undecided request's content; approvals given so far are void."""
        now = self._clock.ms()
        with self._store.read() as session:
            before = visible(session, principal, request_id, None)
        standing.editing(principal, before)
        prepared = self._preparation.prepare(principal, submission, request_id=request_id)

        def unit(session: Session) -> tuple[CertificateRequest, CertificateRequest]:
            current = locked(session, request_id)
            refuse_blocked(session, [prepared.key_sha256])
            refuse_duplicates(session, [prepared])
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
                    request_event(
                        principal,
                        "request.edited",
                        after,
                        before=current.content_sha256,
                        after=after.content_sha256,
                    )
                ],
                now,
            )
            self._announcer.waiting(session, [after])  # whoever decides has new content to look at
            return current, after

        try:
            former, edited = self._store.write(unit)
        except CAError as error:
            if not isinstance(error, Unavailable):  # else the edit may be on record all the same
                forget_key(self._vault, prepared)
            raise
        forget_key(self._vault, former)
        return edited

    def withdraw(
        self, principal: Principal, request_id: str, code: str | None = None
    ) -> CertificateRequest:
        """Take back an undecided request."""
        now = self._clock.ms()

        def unit(session: Session) -> CertificateRequest:
            request = visible(session, principal, request_id, code)
            if code is None:
                own(principal, request)
            request = locked(session, request_id)
            session.requests.set_state(
                request_id, RequestState.PENDING, RequestState.WITHDRAWN, decided_at=now // 1000
            )
            session.audit.append([request_event(principal, "request.withdrawn", request)], now)
            return replace(request, state=RequestState.WITHDRAWN, decided_at=now // 1000)

        with self._admission.guess(principal, code):
            withdrawn = self._store.write(unit)
        forget_key(self._vault, withdrawn)
        return withdrawn

    def delete(self, principal: Principal, request_id: str) -> None:
        """Remove a request that came to nothing.  What was issued, or may be, stays."""
        now = self._clock.ms()

        def unit(session: Session) -> CertificateRequest:
            request = visible(session, principal, request_id, None)
            standing.deleting(principal, request)
            session.requests.delete(request_id)
            session.audit.append([request_event(principal, "request.deleted", request)], now)
            return request

        forget_key(self._vault, self._store.write(unit))

    def add_note(self, principal: Principal, request_id: str, text: str) -> CertificateRequest:
        """Leave a note for the deciders and the requester."""
        bounded(text, "text")
        now = self._clock.ms()

        def unit(session: Session) -> CertificateRequest:
            demand_within(principal, Permission.AUTHENTICATED)
            request = visible(session, principal, request_id, None)
            standing.noting(principal, request)
            session.requests.add_note(request_id, Note(principal.name, now // 1000, text))
            session.audit.append([request_event(principal, "request.noted", request)], now)
            return request

        return self._store.write(unit)

    def expire_due(self, limit: int = 500) -> int:
        """Close pending requests whose time is up; return how many (run by the scheduler)."""
        now = self._clock.ms()

        def unit(session: Session) -> list[CertificateRequest]:
            due = [locked(session, one) for one in session.requests.expired(now // 1000, limit)]
            for request in due:
                session.requests.set_state(
                    request.id, RequestState.PENDING, RequestState.EXPIRED, decided_at=now // 1000
                )
                session.audit.append([request_event(SYSTEM, "request.expired", request)], now)
            return due

        expired = self._store.write(unit)
        for request in expired:
            forget_key(self._vault, request)
        return len(expired)
