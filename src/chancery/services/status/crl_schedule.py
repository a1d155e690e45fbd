"""When an authority's CRLs are due, and which of them."""

from collections.abc import Iterator
from typing import Final

from chancery.domain.authority import Authority
from chancery.domain.crl import (
    DELTA,
    CrlList,
    CrlTrigger,
    Due,
    list_name,
    partitions,
    shard_of,
    shard_part,
)
from chancery.ports import Session
from chancery.services.issuers import CaKey, ca_keys, current_key
from chancery.services.status.crl_scope import parts_of

EVERYTHING_AT = 0
"""The time of a wish for every CRL, whatever a revocation would bring about."""

_LISTED: Final = 50_000
"""Changes looked at one by one; where there are more, every shard is touched."""


def living(session: Session, authority: Authority, now: int) -> list[CaKey]:
    """Keys of ours whose certificates have not expired, the current one last."""
    if authority.certificate is None or authority.offline:
        return []
    keys = ca_keys(session.authorities.certificates(authority.name))
    return [key for key in keys if key.key_id is not None and key.certificate.not_after >= now]


def due(session: Session, authority: Authority, now: int) -> Due | None:
    """What is to be made now; None: nothing."""
    oldest = _oldest(session, authority, now)
    if oldest is None or oldest + authority.crl_every_s <= now:
        return Due.ALL
    wishes = session.crls.wishes(authority.name, now)
    if EVERYTHING_AT in wishes:
        return Due.ALL
    if wishes:
        return Due.REVOKED
    if authority.crl_delta_every_s and _delta_at(session, authority) <= now:
        return Due.DELTA
    return None


def next_at(session: Session, authority: Authority, now: int) -> int:
    """The next regular date, in Unix seconds."""
    oldest = _oldest(session, authority, now)
    if oldest is None:
        return 0
    full = oldest + authority.crl_every_s
    return min(full, _delta_at(session, authority)) if authority.crl_delta_every_s else full


def parts_due(session: Session, authority: Authority, key: CaKey, why: Due) -> tuple[str, ...]:
    """Which CRLs of a key are made: a revocation leaves alone the shards it did not fall into."""
    parts = parts_of(authority)
    if why is Due.ALL or (why is Due.DELTA and DELTA not in parts):
        return parts
    if why is Due.DELTA:
        return (DELTA,)
    shards = {
        shard_part(generation, index)
        for generation, count in partitions(authority.crl_shards)
        for index in range(count)
    }
    touched = shards & set(_touched(session, authority, key))
    only_delta = authority.crl_on_revocation is CrlTrigger.DELTA
    return tuple(
        part
        for part in parts
        if (part in touched if part in shards else part == DELTA or not only_delta)
    )


def _touched(session: Session, authority: Authority, key: CaKey) -> Iterator[str]:
    """Shards that are not there yet, or that something fell into since they were made."""
    lists = {
        one.part: one for one in session.crl_lists.of(authority.name) if one.label == key.label
    }
    parts = [
        (shard_part(generation, index), index, count)
        for generation, count in partitions(authority.crl_shards)
        for index in range(count)
    ]
    if not parts:
        return
    known = [lists[part].seq for part, _, _ in parts if part in lists]
    since = min(known, default=0)
    changes = session.crl_lists.changed_serials(authority.name, since, _LISTED + 1)
    for part, index, count in parts:
        one = lists.get(part)
        if one is None or len(changes) > _LISTED or _fell(changes, one, index, count):
            yield part


def _fell(changes: list[tuple[str, int]], one: CrlList, index: int, count: int) -> bool:
    return any(
        changed >= one.seq and shard_of(serial, count) == index for serial, changed in changes
    )


def _oldest(session: Session, authority: Authority, now: int) -> int | None:
    """When the oldest of those was made that only the schedule makes; None: one is missing."""
    latest = session.crls.latest(authority.name)
    if latest is None:
        return None
    if not authority.crl_shards:
        return latest.this_update
    labels = {key.label for key in living(session, authority, now)}
    made = [
        one.this_update
        for one in session.crl_lists.of(authority.name)
        if one.label in labels and one.part != DELTA
    ]
    return min([latest.this_update, *made])


def _delta_at(session: Session, authority: Authority) -> int:
    key = current_key(authority, session.authorities.certificates(authority.name))
    delta = session.crl_lists.get(list_name(key.label, DELTA))
    return 0 if delta is None else delta.this_update + authority.crl_delta_every_s
