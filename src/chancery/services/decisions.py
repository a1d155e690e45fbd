"""Approve and deny: by distinct people, about exactly the content on record."""

from dataclasses import replace
from typing import Final

from chancery.domain.errors import (
    AlreadyExists,
    BadRequest,
    Conflict,
    NotPermitted,
    WrongState,
)
from chancery.domain.identity import Permission, Principal
from chancery.domain.request import Approval, CertificateRequest, RequestState
from chancery.ports import Clock, KeyVault, Session, Store
from chancery.services.access import demand
from chancery.services.catalogue import Catalogue
from chancery.services.issuance import Issuance
from chancery.services.notifications import SILENT, Announcer
from chancery.services.rehearsal import Work
from chancery.services.request_access import bounded, forget_key, locked, request_event

_LINES: Final = 1000  # of the audit log, about one request and by its requester


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
            if content_sha256 not in (None, request.content_sha256):
                raise Conflict(
                    "the request changed after you looked at it",
                    field="content_sha256",
                    rule="approval.exact-content",
                    remedy="look at it again, then approve",
                )
            approval = Approval(
                request_id,
                principal.name,
                request.content_sha256,
                now // 1000,
                principal.partner,
            )
            approvers = _counted(session, approval)
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

    def deny(self, principal: Principal, request_id: str, reason: str) -> CertificateRequest:
        """Say no, with a reason the requester will read."""
        if not reason.strip():
            raise BadRequest("a denial needs a reason", field="reason", rule="denial.reason")
        bounded(reason, "reason")
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
        if not own and principal.people & _behind(session, request):
            raise NotPermitted(
                "nobody approves their own request", field="principal", rule="approval.not-own"
            )
        if request.expires_at <= self._clock.s():
            raise WrongState("the request has expired", field="id", rule="request.expired")
        return request


def _counted(session: Session, new: Approval) -> tuple[str, ...]:
    """Record *new* and return who approved this content, one name for each approval.

    Two who signed in together give one approval, and neither gives another.
    """
    before = [
        approval
        for approval in session.requests.approvals(new.request_id)
        if approval.content_sha256 == new.content_sha256
    ]
    if new.people & frozenset().union(*(approval.people for approval in before)):
        raise AlreadyExists(
            "you approved this content already; another officer must approve"
            if not new.partner
            else "one of you two approved this content already; others must approve",
            field="id",
            rule="approval.once",
            remedy="ask another officer; `chancery request show` tells how many are missing",
        )
    session.requests.add_approval(new)
    return tuple(sorted({approval.approver for approval in (*before, new)}))


def _behind(session: Session, request: CertificateRequest) -> frozenset[str]:
    """Who asked for it: the requester, and who was signed in beside them when they did."""
    people = {request.requester}
    for record in session.audit.find(actor=request.requester, subject_id=request.id, limit=_LINES):
        if (partner := record.event.details.get("partner")) is not None:
            people.add(str(partner))
    return frozenset(people)
