"""Nonces that any node can check: made of a moment, randomness and a keyed hash of both.

Only those that were used are on record, until their time is over; one that
was given out is never refused for a restart, or for load.
"""

import hmac
from typing import Final

from chancery.domain.errors import BadRequest
from chancery.ports import Clock, Entropy, Session, Store
from chancery.ports_sign_in import Sealer
from chancery.wire.jwk import b64url, from_b64url

LIFETIME_S: Final = 3_600
"""How long a nonce can be used: a client may wait for its DNS meanwhile."""
_MOMENT: Final = 5  # octets of Unix seconds
_RANDOM: Final = 11
_TAG: Final = 16
_WHOLE: Final = _MOMENT + _RANDOM + _TAG
_CONTEXT: Final = "acme nonce"
_SKEW_S: Final = 60  # between the clocks of two nodes
_SWEEP_S: Final = 300
_STALE_S: Final = 30 * 86_400
"""What came to nothing is kept so long for whoever wonders why."""


class Nonces:
    """See the module."""

    def __init__(self, store: Store, sealer: Sealer, clock: Clock, entropy: Entropy) -> None:
        self._store = store
        self._sealer = sealer
        self._clock = clock
        self._entropy = entropy
        self._swept_at = 0

    def issue(self) -> str:
        """One that nobody had before."""
        head = self._clock.s().to_bytes(_MOMENT) + self._entropy(_RANDOM)
        return b64url(head + self._tag(head))

    def use(self, nonce: str) -> None:
        """BadRequest unless it is ours, fresh, and used for the first time."""
        raw = from_b64url(nonce, most=100) or b""
        head, tag = raw[: -_TAG or None], raw[-_TAG:]
        now = self._clock.s()
        if len(raw) != _WHOLE or not hmac.compare_digest(self._tag(head), tag):
            raise _bad("this nonce was not given out here")
        expires_at = int.from_bytes(head[:_MOMENT]) + LIFETIME_S
        if expires_at + _SKEW_S < now:
            raise _bad("this nonce is too old")
        sweep = now - self._swept_at > _SWEEP_S
        if sweep:
            self._swept_at = now

        def unit(session: Session) -> bool:
            if sweep:
                session.acme.forget(now - 2 * _SKEW_S, now - _STALE_S)
            return session.acme.use_nonce(head.hex(), expires_at)

        if not self._store.write(unit):
            raise _bad("this nonce was used before")

    def _tag(self, head: bytes) -> bytes:
        return self._sealer.digest(head, _CONTEXT)[:_TAG]


def _bad(what: str) -> BadRequest:
    return BadRequest(what, field="nonce", rule="acme.nonce", remedy="try again with the new one")
