"""When something that comes by itself should have come: one rule for mails and for screens."""

from typing import Final

from chancery.domain.authority import Authority, AuthorityState, CrlRecord

_GRACE_S: Final = 3_600
"""A CRL may come this long after its regular date before somebody is called."""


def crl_late_at(authority: Authority, crl: CrlRecord) -> int | None:
    """Unix seconds from which *crl* is late: an hour past its regular date.

    Of an offline CA, the last quarter of its life.  None: nobody waits for
    one of this CA.
    """
    if authority.state not in {AuthorityState.ACTIVE, AuthorityState.DISABLED}:
        return None
    life = crl.next_update - crl.this_update
    if authority.offline or authority.key_id is None:
        return crl.next_update - life // 4
    spare = max(0, life - authority.crl_every_s)
    return crl.this_update + authority.crl_every_s + min(_GRACE_S, spare // 2)
