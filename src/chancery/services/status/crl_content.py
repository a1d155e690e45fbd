"""What the CRLs of one key list, read from one snapshot of the record."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from chancery.domain.authority import Authority, CrlRecord
from chancery.domain.crl import CAS, DELTA, INDIRECT, Entries, partitions, shard_part
from chancery.ports import Session
from chancery.services.issuers import ca_keys
from chancery.wire import der
from chancery.wire.crl_entries import issued_by

_FEW: Final = 4  # shards picked out one by one: each walks over all entries inside the database


@dataclass(frozen=True, slots=True)
class Content:
    """The entries of one CRL; *base* the number that a delta adds to."""

    part: str
    entries: Entries
    base: int | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """What counts: certificates that had not expired at *since*, changes after *base*.

    *base* None: there was no CRL before, so that a delta has nothing to say
    beside *number*, which is made now.
    """

    since: int
    number: int
    base: CrlRecord | None


def contents(
    session: Session, authority: Authority, span: Span, parts: Sequence[str]
) -> Iterator[Content]:
    """The content of each of *parts*, one after another."""
    lists, name = session.crl_lists, authority.name
    if "" in parts:
        yield Content("", lists.entries(name, span.since))
    if DELTA in parts:
        yield _delta(session, authority, span)
    if CAS in parts:
        yield Content(CAS, lists.of_cas(name, span.since))
    if INDIRECT in parts:
        yield Content(INDIRECT, _indirect(session, authority, span.since))
    yield from _shards(session, authority, span, parts)


def _shards(
    session: Session, authority: Authority, span: Span, parts: Sequence[str]
) -> Iterator[Content]:
    """Those of *parts* that are shards: a few are picked out, many are sorted in one walk."""
    lists, name = session.crl_lists, authority.name
    wanted = [
        (shard_part(generation, index), index, count, at)
        for at, (generation, count) in enumerate(partitions(authority.crl_shards))
        for index in range(count)
        if shard_part(generation, index) in parts
    ]
    if len(wanted) <= _FEW:
        for part, index, count, _ in wanted:
            yield Content(part, lists.shard(name, span.since, count, index))
        return
    counts = [count for _, count in partitions(authority.crl_shards)]
    sharded = lists.sharded(name, span.since, counts)
    for part, index, _, at in wanted:
        yield Content(part, sharded[at][index])


def _delta(session: Session, authority: Authority, span: Span) -> Content:
    if span.base is None:
        return Content(DELTA, Entries(0, ()), span.number)
    # What first stood in a delta and has expired since stays until a full CRL had it (§5.2.4).
    since = 0 if authority.crl_keep_expired else min(span.since, span.base.this_update)
    changed = session.crl_lists.changed(authority.name, since, span.base.seq)
    return Content(DELTA, changed, span.base.number)


def _indirect(session: Session, authority: Authority, since: int) -> Entries:
    """Our own first, then those of each other issuer, whose first entry names it."""
    own = session.crl_lists.entries(authority.name, since)
    count, parts = own.count, [*own.parts]
    for name in authority.crl_indirect:
        keys = ca_keys(session.authorities.certificates(name))
        theirs = session.crl_lists.entries(name, since)
        if not keys or not theirs.count:
            continue
        first, *rest = theirs.parts
        _, _, end = der.header(first, 0, len(first))
        parts += [issued_by(first[:end], keys[0].certificate.subject_der), first[end:], *rest]
        count += theirs.count
    return Entries(count, tuple(parts))
