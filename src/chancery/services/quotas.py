"""What one requester may submit to a registration authority, counted where requests are recorded.

Counted in the very unit that records the request: units are run one at a
time, on every node, so two requests at once cannot both be the last.
"""

from typing import Final

from chancery.domain.errors import TooOften
from chancery.domain.identity import AuthMethod, Principal
from chancery.domain.ids import new_id
from chancery.domain.registration import RegistrationAuthority
from chancery.domain.request import CertificateRequest, RequestState
from chancery.ports import Session
from chancery.services.portal.buckets import source

DAY_S: Final = 86_400
_RETRY_S: Final = 3_600
_NOTHING: Final = bytes(10)


def count_submission(
    session: Session,
    principal: Principal,
    ra: RegistrationAuthority,
    request: CertificateRequest,
) -> None:
    """Count *request*, which is on record already; TooOften if it is one too many.

    An account is itself, whatever address it comes from; who has none is the
    network address.  The service's own requests are not counted.
    """
    if not ra.counts_requesters or principal.method is AuthMethod.SYSTEM:
        return
    stranger = principal.method is AuthMethod.NONE
    who = f"address:{source(principal.origin)}" if stranger else f"user:{principal.name}"
    a_day_ago = new_id((request.created_at - DAY_S) * 1000, _NOTHING)
    session.quotas.forget(ra.name, who, a_day_ago)
    session.quotas.count(ra.name, who, request.id)
    you = "your address" if stranger else principal.name
    daily, waiting = ra.daily_per_requester, ra.open_per_requester
    if daily is not None and session.quotas.since(ra.name, who, a_day_ago) > daily:
        raise TooOften(
            f"{ra.name} takes {daily} request{'' if daily == 1 else 's'} a day from {you}",
            retry_after_s=_RETRY_S,
            field="ra",
            rule="ra.quota-daily",
            remedy="come back tomorrow, or ask for a higher quota",
        )
    if (
        waiting is not None
        and request.state is RequestState.PENDING
        and session.quotas.open(ra.name, who) > waiting
    ):
        raise TooOften(
            f"{ra.name} lets {you} have {waiting} undecided request{'' if waiting == 1 else 's'}",
            retry_after_s=_RETRY_S,
            field="ra",
            rule="ra.quota-open",
            remedy="wait for a decision, or withdraw one",
        )
