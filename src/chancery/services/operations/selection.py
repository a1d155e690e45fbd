"""The certificates that a filter means at one moment, and a hash of exactly these."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from chancery.domain.certificate import CertificateStatus
from chancery.domain.errors import BadRequest, TooLarge
from chancery.domain.estate import PROFILE as IMPORTED
from chancery.domain.ids import new_id
from chancery.ports import CertificateFilter, Revocable, Session
from chancery.services.issuers import speaks
from chancery.services.searching import checked

MOST: Final = 1_000_000
"""Certificates of one operation."""

_SUM: Final = 1 << 256
_NEWEST: Final = b"\xff" * 10


@dataclass(frozen=True, slots=True)
class Selection:
    """*sha256* binds the set: a sum of hashes, because no order is known.

    *parts* counts by authority and profile; *first* are a few of the ids.
    """

    count: int
    sha256: str
    parts: tuple[tuple[str, str, int], ...]
    first: tuple[str, ...]


def effective(session: Session, where: CertificateFilter, as_of_ms: int) -> CertificateFilter:
    """*where* in the form on record, without what has expired; BadRequest if it says nothing."""
    given = {f.name for f in fields(where) if getattr(where, f.name) is not None} - {"order"}
    if not given:
        raise BadRequest(
            "name at least one condition",
            field="filter",
            rule="operation.filter",
            remedy="a CA, a profile, a requester, names ...: whose certificates are meant",
        )
    if where.status not in (None, CertificateStatus.VALID, CertificateStatus.HELD):
        raise BadRequest(
            f"what is {where.status} cannot be revoked",
            field="filter.status",
            rule="operation.filter",
            remedy="valid or held, or leave it out for both",
        )
    where = replace(checked(session, where), order=None)
    # The last second of a certificate is its own (RFC 5280 §4.1.2.5).
    after = as_of_ms // 1000 - 1
    return replace(where, expires_after=max(after, where.expires_after or 0))


def revocable(session: Session, where: CertificateFilter, as_of_ms: int) -> Iterator[Revocable]:
    """Each certificate meant: on record by then, ours, neither revoked nor expired."""
    until = new_id(as_of_ms, _NEWEST)
    ours = {one.name for one in session.authorities.all() if speaks(one)}
    found = (
        one
        for one in session.certificates.revocable(effective(session, where, as_of_ms), until)
        if one.profile != IMPORTED or one.authority in ours
    )
    for count, one in enumerate(found):
        if count == MOST:
            raise TooLarge(
                f"more than {MOST:,} certificates",
                field="filter",
                rule="operation.size",
                remedy="narrow the filter: by CA, profile or expiry",
            )
        yield one


def select(
    session: Session, where: CertificateFilter, as_of_ms: int, *, first: int = 10
) -> Selection:
    """Count and bind the set, without holding it."""
    total = number = 0
    parts: Counter[tuple[str, str]] = Counter()
    some: list[str] = []
    for one in revocable(session, where, as_of_ms):
        number += 1
        total += int.from_bytes(hashlib.sha256(one.id.encode()).digest())
        parts[one.authority, one.profile] += 1
        if number <= first:
            some.append(one.id)
    found = ((*key, count) for key, count in sorted(parts.items()))
    return Selection(number, f"{total % _SUM:064x}", tuple(found), tuple(some))


def to_plain(where: CertificateFilter) -> dict[str, Any]:
    """The conditions that are given, as plain JSON; an order is none."""
    return {
        field.name: value
        for field in fields(where)
        if field.name != "order" and (value := getattr(where, field.name)) is not None
    }
