"""Approve and deny: by distinct people, about exactly the content on record."""

from dataclasses import replace

from chancery.domain.errors import BadRequest, Conflict
from chancery.domain.identity import Permission, Principal
from chancery.domain.request import Approval, CertificateRequest, RequestState
from chancery.ports import Clock, KeyVault, Session, Store
from chancery.services import request_standing as standing
from chancery.services.access import demand_within
from chancery.services.catalogue import Catalogue
from chancery.services.issuance import Issuance
from chancery.services.notifications import SILENT, Announcer
from chancery.services.rehearsal import Work
from chancery.services.request_access import bounded, forget_key, locked, request_event


class DecisionService:
    """See the module."""

    def __init__(
        self,
        store: Store,
        vault: KeyVault,
        catalogue: Catalogue,
        issuance: Issuance,
        clock: Clock,
        announcer: Announcer = SILENT,
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._issuance = issuance
        self._vault = vault
        self._clock = clock
        self._announcer = announcer

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
            _as_seen(request, content_sha256)
            approvers = _counted(session, principal, request, now // 1000)
            session.audit.append(
                [
                    request_event(
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
            self._announcer.approved(session, request, approvers)
            approved = replace(request, state=RequestState.APPROVED, decided_at=now // 1000)
            return approved, approvers

        request, approvers = self._store.write(unit)
        if request.state is not RequestState.APPROVED:
            return request
        return self._issuance.enqueue(Work(principal, request, approvers)).result().request

    def deny(
        self,
        principal: Principal,
        request_id: str,
        reason: str,
        content_sha256: str | None = None,
    ) -> CertificateRequest:
        """Say no, with a reason the requester will read; *content_sha256* as for ``approve``."""
        if not reason.strip():
            raise BadRequest("a denial needs a reason", field="reason", rule="denial.reason")
        bounded(reason, "reason")
        now = self._clock.ms()

        def unit(session: Session) -> CertificateRequest:
            request = self._decidable(session, principal, request_id, denying=True)
            _as_seen(request, content_sha256)
            session.requests.set_state(
                request_id,
                RequestState.PENDING,
                RequestState.DENIED,
                decided_at=now // 1000,
                reason=reason,
            )
            session.audit.append(
                [request_event(principal, "request.denied", request, reason=reason)], now
            )
            self._announcer.denied(session, request, principal.name, reason)
            return replace(
                request,
                state=RequestState.DENIED,
                decided_at=now // 1000,
                decision_reason=reason,
            )

        denied = self._store.write(unit)
        forget_key(self._vault, denied)
        return denied

    def _decidable(
        self, session: Session, principal: Principal, request_id: str, *, denying: bool = False
    ) -> CertificateRequest:
        """The locked, pending request, if *principal* may decide it."""
        demand_within(principal, Permission.REQUEST_DECIDE)
        request = locked(session, request_id, principal)
        ra = self._catalogue.ra(request.ra)
        standing.deciding(session, principal, request, ra, self._clock.s(), denying=denying)
        return request


def _as_seen(request: CertificateRequest, content_sha256: str | None) -> None:
    """Raise Conflict unless the content is what the decider saw, where that was said."""
    if content_sha256 not in (None, request.content_sha256):
        raise Conflict(
            "the request changed after you looked at it",
            field="content_sha256",
            rule="approval.exact-content",
            remedy="look at it again, then decide",
        )


def _counted(
    session: Session, principal: Principal, request: CertificateRequest, now: int
) -> tuple[str, ...]:
    """Record this approval and return who approved this content, one name for each approval."""
    before = standing.counting(request, session.requests.approvals(request.id))
    standing.approving_once(principal, before)
    new = Approval(request.id, principal.name, request.content_sha256, now, principal.partner)
    session.requests.add_approval(new)
    return tuple(sorted({approval.approver for approval in (*before, new)}))
