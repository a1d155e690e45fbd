"""When an authority's CRLs are due, and which of them."""

from chancery.domain.authority import Authority
from chancery.domain.crl import DELTA, CrlTrigger, list_name
from chancery.ports import Session
from chancery.services.issuers import current_key

EVERYTHING_AT = 0
"""The time of a wish for every CRL, whatever a revocation would bring about."""


def due(session: Session, authority: Authority, now: int) -> CrlTrigger | None:
    """What is to be made now; None: nothing."""
    latest = session.crls.latest(authority.name)
    if latest is None or latest.this_update + authority.crl_every_s <= now:
        return CrlTrigger.ALL
    wishes = session.crls.wishes(authority.name, now)
    if EVERYTHING_AT in wishes or (wishes and not authority.crl_delta_every_s):
        return CrlTrigger.ALL
    if wishes:
        return authority.crl_on_revocation
    if authority.crl_delta_every_s and _delta_at(session, authority) <= now:
        return CrlTrigger.DELTA
    return None


def next_at(session: Session, authority: Authority) -> int:
    """The next regular date, in Unix seconds."""
    latest = session.crls.latest(authority.name)
    if latest is None:
        return 0
    full = latest.this_update + authority.crl_every_s
    return min(full, _delta_at(session, authority)) if authority.crl_delta_every_s else full


def _delta_at(session: Session, authority: Authority) -> int:
    key = current_key(authority, session.authorities.certificates(authority.name))
    delta = session.crl_lists.get(list_name(key.label, DELTA))
    return 0 if delta is None else delta.this_update + authority.crl_delta_every_s
