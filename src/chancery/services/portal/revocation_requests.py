"""Revocation wished by who knows a request's code: an officer answers.

A code has been in mails and on notes.  It says who asked for a certificate, so
it may ask to end it; it is no proof that the asker holds it, so it does not
end it by itself.  Whoever holds the key has the shorter way (``revocation``).
"""

from typing import Any

from chancery.domain.audit import AuditEvent
from chancery.domain.certificate import CertificateStatus, RevocationReason
from chancery.domain.errors import BadRequest, NotFound, WrongState
from chancery.domain.identity import Permission, Principal
from chancery.domain.ids import new_id
from chancery.domain.notification import Event
from chancery.domain.portal import RevocationRequest, RevocationRequestState
from chancery.ports import Clock, Entropy, Session, Store
from chancery.services.access import demand_within
from chancery.services.audit import event
from chancery.services.confinement import request_within
from chancery.services.notifications.announcer import Announcer, certificate_facts
from chancery.services.portal.admission import Admission
from chancery.services.portal.revocation import check_reason, refuse_over
from chancery.services.request_access import bounded, visible
from chancery.services.status_changes import apply, revocation


class RevocationRequestService:
    """See the module."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        entropy: Entropy,
        admission: Admission,
        announcer: Announcer,
    ) -> None:
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._admission = admission
        self._announcer = announcer

    def ask(
        self,
        principal: Principal,
        request_id: str,
        code: str | None,
        reason: RevocationReason,
        note: str = "",
    ) -> RevocationRequest:
        """Ask the officers to revoke what came of a request."""
        check_reason(reason)
        bounded(note, "note")
        now = self._clock.ms()

        def unit(session: Session) -> RevocationRequest:
            request = visible(session, principal, request_id, code)
            record = session.certificates.get(request.certificate_id or "")
            if record is None:
                raise WrongState(
                    "nothing was issued for this request",
                    field="id",
                    rule="request.issued",
                    remedy="withdraw the request instead",
                )
            refuse_over(record, now // 1000)
            wish = RevocationRequest(
                id=new_id(now, self._entropy(10)),
                certificate_id=record.id,
                request_id=request.id,
                authority=record.authority,
                serial=record.serial,
                reason=reason,
                note=note,
                state=RevocationRequestState.OPEN,
                created_at=now // 1000,
            )
            session.portal.ask_revocation(wish)
            told = {
                "wish": wish.id,
                "certificate": certificate_facts(record),
                "requester": request.requester,
                "reason": reason.name,
                "note": note,
            }
            self._announcer.tell(session, Event.REVOCATION_REQUESTED, wish.id, told, ra=request.ra)
            session.audit.append([_event(principal, "requested", wish, reason=reason.name)], now)
            return wish

        with self._admission.guess(principal, code):
            return self._store.write(unit)

    def find(
        self,
        principal: Principal,
        state: RevocationRequestState | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> list[RevocationRequest]:
        """Wishes to revoke, newest first."""
        demand_within(principal, Permission.CERTIFICATE_REVOKE)
        with self._store.read() as session:
            return session.portal.revocation_requests(state, cursor, limit, ra=principal.ra or None)

    def show(self, principal: Principal, wish_id: str) -> RevocationRequest:
        demand_within(principal, Permission.CERTIFICATE_REVOKE)
        with self._store.read() as session:
            return _wish(session, wish_id, principal)

    def accept(
        self, principal: Principal, wish_id: str, reason: RevocationReason | None = None
    ) -> RevocationRequest:
        """Revoke as wished, or for another *reason*; what was revoked meanwhile stays as it is."""
        demand_within(principal, Permission.CERTIFICATE_REVOKE)
        now = self._clock.ms()

        def unit(session: Session) -> RevocationRequest:
            wish = _wish(session, wish_id, principal)
            record = session.certificates.get(wish.certificate_id)
            assert record is not None  # the wish goes with its certificate
            given = reason or wish.reason
            answer = f"revoked: {given.name}"
            if record.status is CertificateStatus.REVOKED:
                answer = "was revoked already"
            else:
                apply(session, principal, record, revocation(given, wish=wish.id), now)
            return self._answered(
                session, principal, wish, RevocationRequestState.ACCEPTED, answer, now
            )

        return self._store.write(unit)

    def refuse(self, principal: Principal, wish_id: str, why: str) -> RevocationRequest:
        """Say no, with a reason that the asker will read."""
        demand_within(principal, Permission.CERTIFICATE_REVOKE)
        if not why.strip():
            raise BadRequest("a refusal needs a reason", field="reason", rule="denial.reason")
        bounded(why, "reason")
        now = self._clock.ms()

        def unit(session: Session) -> RevocationRequest:
            wish = _wish(session, wish_id, principal)
            return self._answered(
                session, principal, wish, RevocationRequestState.REFUSED, why, now
            )

        return self._store.write(unit)

    @staticmethod
    def _answered(
        session: Session,
        principal: Principal,
        wish: RevocationRequest,
        state: RevocationRequestState,
        answer: str,
        now_ms: int,
    ) -> RevocationRequest:
        session.portal.answer_revocation(
            wish.id, state, by=principal.name, at=now_ms // 1000, answer=answer
        )
        session.audit.append([_event(principal, state.value, wish, answer=answer)], now_ms)
        return _wish(session, wish.id, principal)


def _event(principal: Principal, verb: str, wish: RevocationRequest, **details: Any) -> AuditEvent:
    return event(
        principal,
        f"revocation.{verb}",
        f"{wish.authority}/{wish.serial}",
        wish=wish.id,
        request=wish.request_id,
        **details,
    )


def _wish(session: Session, wish_id: str, principal: Principal) -> RevocationRequest:
    wish = session.portal.revocation_request(wish_id)
    if wish is None or not _within(session, principal, wish):
        raise NotFound(
            f"no wish to revoke {wish_id[:80]!r}",
            field="id",
            rule="revocation-request.known",
            remedy="`chancery revocation list` shows those there are",
        )
    return wish


def _within(session: Session, principal: Principal, wish: RevocationRequest) -> bool:
    return not principal.ra or request_within(principal, session.requests.get(wish.request_id))
