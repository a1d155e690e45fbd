"""Searches for certificates: conditions that indexes answer, and the order that fits them.

Two orders have an index: newest first (ids), and by expiry.  A page is cut out
of one of them.  Where a condition is met by few certificates, its own index
finds them and sorting them costs nothing; where it is met by many, the order
is walked and the condition looked at on the way.  Which of the two it is, is
not left to planners: SQLite's knows nothing of values, and PostgreSQL's
nothing of a young table.
"""

import re
from collections.abc import Sequence
from typing import Final

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    case,
    exists,
    false,
    func,
    or_,
    select,
    true,
    tuple_,
)

from chancery.adapters.storage import names_text, schema
from chancery.adapters.storage.link import Link
from chancery.adapters.storage.search import count, matches, page_of_ids
from chancery.domain.certificate import CertificateStatus
from chancery.domain.errors import NotFound
from chancery.ports import CertificateFilter, Page, Sorting

_C: Final = schema.certificate
_R: Final = schema.revocation
_N: Final = schema.certificate_name
_Q: Final = schema.request
FEW: Final = 2_000
"""So many certificates are found and sorted rather than met on the way."""
_SIMPLE: Final = re.compile(r"[A-Za-z0-9.:@_-]+\*")
"""The beginning of a name that stands in JSON as it is."""
_PLAIN: Final = (
    "authority", "serial", "subject", "sha256", "key_sha256", "profile", "requester", "request_id",
)  # fmt: skip


def page(link: Link, where: CertificateFilter, page: Page) -> Select[tuple[str]]:
    """The ids of one page, in the order of *where*."""
    found, few = _text(link, where)
    found += [*_names(link, where), *_standing(where.status), *_of_ra(link, where.ra)]
    if where.order is Sorting.EXPIRY:
        return _by_expiry(link, where, page, found, few=few)
    if (expiry := _expiry(where, _C.c.not_after)) is not None:
        ids = select(_C.c.id).where(expiry)
        found.append(_C.c.id.in_(ids) if count(link, ids, FEW) < FEW else expiry)
    return page_of_ids(_C, found, page)


def counted(where: CertificateFilter) -> Select[tuple[str]]:
    """All ids that *where* asks for, in no order."""
    expiry = _expiry(where, _C.c.not_after)
    found = [
        *_plain(where).values(),
        *_names(None, where),
        *_standing(where.status),
        *_of_ra(None, where.ra),
    ]
    return select(_C.c.id).where(*found, *([] if expiry is None else [expiry]))


def ordering(where: CertificateFilter) -> Sequence[ColumnElement[object]]:
    """How the rows of a page are sorted."""
    if where.order is not Sorting.EXPIRY:
        return (_C.c.id.desc(),)
    if _ascending(where):
        return (_C.c.not_after, _C.c.id)
    return (_C.c.not_after.desc(), _C.c.id.desc())


def _plain(where: CertificateFilter) -> dict[str, ColumnElement[bool]]:
    """Conditions on columns of text."""
    return {
        name: matches(_C.c[name], wanted)
        for name in _PLAIN
        if (wanted := getattr(where, name)) is not None
    }


def _text(link: Link, where: CertificateFilter) -> tuple[list[ColumnElement[bool]], bool]:
    """(conditions on columns of text, whether few certificates meet one of them).

    A condition that many meet is kept off its index where that does not hold
    them in the order that is wanted: the beginning of a text never does.
    """
    found, few = [], False
    for name, condition in _plain(where).items():
        wanted = getattr(where, name)
        ordered = not wanted.endswith("*") and where.order is not Sorting.EXPIRY
        if ordered or count(link, select(_C.c.id).where(condition), FEW) < FEW:
            few = few or not ordered
            found.append(condition)
        else:
            # In a CASE no index serves it, and PostgreSQL takes it for met by half of them.
            found.append(case((condition, true()), else_=false()))
    return found, few


def _by_expiry(
    link: Link,
    where: CertificateFilter,
    page: Page,
    found: list[ColumnElement[bool]],
    *,
    few: bool,
) -> Select[tuple[str]]:
    # A sum has no index: few are found by theirs, and sorted.
    ends = _C.c.not_after + 0 if few else _C.c.not_after
    if (expiry := _expiry(where, ends)) is not None:
        found.append(expiry)
    rising = _ascending(where)
    if page.cursor is not None:
        place = tuple_(ends, _C.c.id)
        last = tuple_(_expiry_of(link, page.cursor), page.cursor)
        found.append(place > last if rising else place < last)
    order = (ends, _C.c.id) if rising else (ends.desc(), _C.c.id.desc())
    return select(_C.c.id).where(*found).order_by(*order).limit(page.limit)


def _expiry_of(link: Link, certificate_id: str) -> int:
    row = link.first(select(_C.c.not_after).where(_C.c.id == certificate_id))
    if row is None:
        raise NotFound("the page before is no longer on record", field="cursor", rule="cursor")
    return int(row[0])


def _ascending(where: CertificateFilter) -> bool:
    """Soonest first; what has expired, or will have, the latest first."""
    return where.expires_after is not None or where.expires_before is None


def _expiry(where: CertificateFilter, ends: ColumnElement[int]) -> ColumnElement[bool] | None:
    after, before = where.expires_after, where.expires_before
    found = []
    if after is not None:
        found.append(ends > after)
    if before is not None:
        found.append(ends < before)
    return and_(*found) if found else None


def _names(link: Link | None, where: CertificateFilter) -> list[ColumnElement[bool]]:
    """The name looked for; without *link*, whatever the number of those that have it."""
    if where.name is None:
        return []
    spellings = names_text.spellings(where.name)
    named = select(_N.c.certificate_id).where(or_(*(matches(_N.c.name, one) for one in spellings)))
    if link is None or not _SIMPLE.fullmatch(where.name) or count(link, named, FEW) < FEW:
        return [_C.c.id.in_(named)]
    # So many that sorting them would cost more than to read names on the way.
    # No LIKE: PostgreSQL would think that few meet it, and read the whole table for them.
    place = func.strpos if link.postgres else func.instr
    text = func.lower(_C.c.names)
    return [or_(*(place(text, f'"{one[:-1]}') > 0 for one in spellings))]


def _of_ra(link: Link | None, ra: str | None) -> list[ColumnElement[bool]]:
    """Where an RA has few requests these find its certificates; else each is asked on the way."""
    if ra is None:
        return []
    mine = select(_Q.c.id).where(_Q.c.ra == ra)
    if link is not None and count(link, mine, FEW) < FEW:
        return [_C.c.request_id.in_(mine)]
    return [exists().where(_Q.c.id == _C.c.request_id, _Q.c.ra == ra)]


def _standing(status: CertificateStatus | None) -> list[ColumnElement[bool]]:
    if status is None:
        return []
    if status in {CertificateStatus.HELD, CertificateStatus.REVOKED}:
        return [_C.c.id.in_(select(_R.c.certificate_id).where(_R.c.status == status.value))]
    if status is CertificateStatus.VALID:
        own = and_(_R.c.authority == _C.c.authority, _R.c.serial == _C.c.serial)
        return [~exists().where(own)]
    return [false()]  # an intent is not a certificate
