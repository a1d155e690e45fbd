"""What somebody may do about one request as it stands; each function raises why not.

The services ask before they act, and pages ask beforehand, to tell who may
not why not: one answer for both.
"""

from collections.abc import Iterable
from typing import Final

from chancery.domain.errors import AlreadyExists, NotPermitted, WrongState
from chancery.domain.identity import Permission, Principal
from chancery.domain.registration import RegistrationAuthority
from chancery.domain.request import Approval, CertificateRequest, RequestState
from chancery.ports import Session
from chancery.services.access import demand_within
from chancery.services.request_access import own, pending

REMOVABLE: Final = frozenset(
    {RequestState.DENIED, RequestState.EXPIRED, RequestState.WITHDRAWN, RequestState.FAILED}
)
"""Came to nothing.  What was issued, or may be, stays."""
_LINES: Final = 1000  # of the audit log, about one request and by its requester


def deciding(
    session: Session,
    principal: Principal,
    request: CertificateRequest,
    ra: RegistrationAuthority,
    now: int,
    *,
    denying: bool = False,
) -> None:
    """Approve it or, *denying*, refuse it: that much one may do to one's own."""
    demand_within(principal, Permission.REQUEST_DECIDE)
    pending(request)
    if ra.approval_group not in principal.groups:
        raise NotPermitted(
            f"only members of {ra.approval_group} decide this request",
            field="principal",
            rule="approval.group",
        )
    if not denying and principal.people & _behind(session, request):
        raise NotPermitted(
            "nobody approves their own request", field="principal", rule="approval.not-own"
        )
    if request.expires_at <= now:
        raise WrongState("the request has expired", field="id", rule="request.expired")


def counting(request: CertificateRequest, approvals: Iterable[Approval]) -> list[Approval]:
    """Those that were given to the content as it is now."""
    return [one for one in approvals if one.content_sha256 == request.content_sha256]


def approving_once(principal: Principal, before: Iterable[Approval]) -> None:
    """Two who signed in together give one approval, and neither gives another."""
    if principal.people & frozenset().union(*(approval.people for approval in before)):
        raise AlreadyExists(
            "you approved this content already; another officer must approve"
            if not principal.partner
            else "one of you two approved this content already; others must approve",
            field="id",
            rule="approval.once",
            remedy="ask another officer; `chancery request show` tells how many are missing",
        )


def editing(principal: Principal, request: CertificateRequest) -> None:
    demand_within(principal, Permission.REQUEST_SUBMIT)
    own(principal, request)
    pending(request)


def withdrawing(principal: Principal, request: CertificateRequest) -> None:
    own(principal, request)
    pending(request)


def deleting(principal: Principal, request: CertificateRequest) -> None:
    own(principal, request)
    if request.state not in REMOVABLE:
        raise WrongState(
            f"the request is {request.state.value}",
            field="id",
            rule="request.removable",
            remedy="withdraw it first" if request.state is RequestState.PENDING else None,
        )


def noting(principal: Principal, request: CertificateRequest) -> None:
    demand_within(principal, Permission.AUTHENTICATED)
    if request.requester != principal.name:
        demand_within(principal, Permission.REQUEST_DECIDE)  # an auditor reads, and writes nothing


def _behind(session: Session, request: CertificateRequest) -> frozenset[str]:
    """Who asked for it: the requester, and who was signed in beside them when they did."""
    people = {request.requester}
    for record in session.audit.find(actor=request.requester, subject_id=request.id, limit=_LINES):
        if (partner := record.event.details.get("partner")) is not None:
            people.add(str(partner))
    return frozenset(people)
