"""The last look at a CRL before anybody sees it.

It knows nothing of how the CRL was made: it reads the octets that are about
to be published with other code, and holds them against what this key at this
URL must say.  Past incidents it would have stopped: another CA's CRL at a
CDP, a number that fell after a restore, a CRL that had expired.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chancery.domain.errors import BadCSR, BadRequest
from chancery.services.issuers import CaKey
from chancery.wire import algorithms, crl
from chancery.wire.crl import Crl, Scope

AHEAD_S: Final = 300
"""How far thisUpdate may lie ahead of our clock, in seconds."""

_LEAST: Final = 20  # octets of an entry: a serial number and a UTCTime, with their frames
_MOST: Final = 1_400  # octets of one with every extension that we write


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a CRL made here must be.  *above*: the number published under its name."""

    number: int
    above: int
    this_update: int
    next_update: int
    entries: int
    scope: Scope | None
    base: int | None = None
    freshest: tuple[str, ...] = ()
    expired_since: int | None = None


def from_key(key: CaKey, der: bytes, now: int) -> Crl:
    """Issuer, key, signature and dates; whoever made it."""
    decoded = crl.decode(der)
    if decoded.issuer != key.certificate.subject_der:
        raise refused("it was issued by another CA", "crl.issuer")
    if decoded.key_identifier != key.certificate.key_identifier:
        raise refused("it was signed by another key of this CA", "crl.authority-key")
    try:
        algorithms.verify(key.certificate.spki, decoded.algorithm, decoded.signature, decoded.tbs)
    except BadCSR:
        raise refused("its signature does not verify", "crl.signature") from None
    if not decoded.this_update <= now + AHEAD_S or decoded.next_update <= now:
        raise refused("it is not yet, or no longer, in force", "crl.dates")
    return decoded


def made_here(key: CaKey, der: bytes, wanted: Wanted, now: int) -> None:
    """All that and: it is the very CRL that was meant, and newer than what it replaces."""
    decoded = from_key(key, der, now)
    if decoded.number != wanted.number or wanted.number <= wanted.above:
        raise refused(f"number {decoded.number} is not above {wanted.above}", "crl.number")
    if (decoded.this_update, decoded.next_update) != (wanted.this_update, wanted.next_update):
        raise refused("its dates are not those that were chosen", "crl.dates")
    if decoded.scope != wanted.scope:
        raise refused("its scope is not the one its authority chose", "crl.scope")
    if (decoded.base, decoded.freshest) != (wanted.base, wanted.freshest):
        raise refused("it is a delta, or points to one, where it should not", "crl.delta")
    if decoded.expired_since != wanted.expired_since:
        raise refused("it says something else of expired certificates", "crl.expired")
    if decoded.entries != wanted.entries:
        raise refused(
            f"{decoded.entries} certificates are in it, and not {wanted.entries}", "crl.entries"
        )
    octets = decoded.signed.stop - decoded.signed.start
    if not decoded.entries * _LEAST < octets < decoded.entries * _MOST + 65_536:
        raise refused(f"{octets} octets are no size for {decoded.entries} entries", "crl.size")


def adds_up(full: int, shards: Sequence[int], *, whole: bool = True) -> None:
    """The shards of one partition together list as many certificates as the full CRL.

    Not *whole*: some were made before, and may still list what has expired since.
    """
    if sum(shards) < full or (whole and sum(shards) != full):
        raise refused(f"its shards have {sum(shards)} entries, and it has {full}", "crl.shards")


def refused(why: str, rule: str) -> BadRequest:
    """Why a CRL is not published."""
    return BadRequest(
        f"this CRL is not published: {why}",
        field="crl",
        rule=rule,
        remedy="the CRL in force stays in place; issue a new one",
    )
