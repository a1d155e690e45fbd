"""Where many certificates stand, and what changed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from chancery.adapters.storage.link import Link
from chancery.adapters.storage.revocations import REASONS, STATUSES
from chancery.domain.certificate import RevokedEntry
from chancery.domain.status import CertificateKey, OcspPolicy, SignedRequests, Standing, Unissued
from chancery.ports_status import Standings, StatusChanges

_AT_ONCE: Final = 64  # serials of one statement
_CHUNK: Final = 10_000
_MOST: Final = 20_000  # changes worth a list

_HEAD: Final = "SELECT size FROM audit_head WHERE id = 1"
_ISSUED: Final = """
SELECT c.authority, c.serial, coalesce(r.status, 'valid'), r.revoked_at, r.reason,
r.invalidity_date FROM certificate c
LEFT JOIN revocation r ON r.authority = c.authority AND r.serial = c.serial
WHERE c.serial IN ({marks})
"""
_INTENDED: Final = """
SELECT authority, serial, CASE WHEN abandoned_at IS NULL THEN 'intended' ELSE 'abandoned' END
FROM intent WHERE serial IN ({marks})
"""
_CHANGED: Final = """
SELECT authority, serial FROM revocation WHERE authority IN ({marks}) AND changed >= ?
UNION SELECT authority, serial FROM crl_removed WHERE authority IN ({marks}) AND changed >= ?
LIMIT ?
"""


class SqlStatuses:
    def __init__(self, link: Link) -> None:
        self._link = link

    def as_of(self) -> int:
        size: int = self._link.driver(_HEAD).one()[0]
        return size

    def standings(self, keys: Sequence[CertificateKey]) -> Standings:
        as_of = self.as_of()
        wanted = set(keys)
        serials = sorted({serial for _, serial in keys})
        found: dict[CertificateKey, Standing] = {}
        for start in range(0, len(serials), _AT_ONCE):
            part = serials[start : start + _AT_ONCE]
            # Always as many marks, so that few texts are ever prepared.
            size = 1 if len(part) == 1 else _AT_ONCE
            values = (*part, *[part[-1]] * (size - len(part)))
            marks = ", ".join("?" * size)
            for authority, serial, status in self._link.driver(
                _INTENDED.format(marks=marks), values
            ):
                found[authority, serial] = Standing(STATUSES[status], None, settled=False)
            for authority, serial, status, at, reason, invalidity in self._link.driver(
                _ISSUED.format(marks=marks), values
            ):
                entry = None
                if reason is not None:
                    entry = RevokedEntry(serial, at, REASONS[reason], invalidity)
                found[authority, serial] = Standing(STATUSES[status], entry, settled=True)
        return Standings(as_of, {key: found[key] for key in wanted & found.keys()})

    def changes(self, authorities: Sequence[str], since: int) -> StatusChanges:
        as_of = self.as_of()
        if as_of < since:  # another database, or an older one
            return StatusChanges(as_of, None)
        if as_of == since or not authorities:
            return StatusChanges(as_of, ())
        names = tuple(authorities)
        sql = _CHANGED.format(marks=", ".join("?" * len(names)))
        rows = self._link.driver(sql, (*names, since, *names, since, _MOST + 1)).fetchall()
        if len(rows) > _MOST:
            return StatusChanges(as_of, None)
        return StatusChanges(as_of, [(row[0], row[1]) for row in rows])

    def serials(self, authority: str, unexpired_at: int) -> Iterator[str]:
        after = ""
        while True:
            rows = self._link.driver(
                "SELECT id, serial, not_after FROM certificate WHERE authority = ? AND id > ?"
                " ORDER BY id LIMIT ?",
                (authority, after, _CHUNK),
            ).fetchall()
            yield from (serial for _, serial, end in rows if end >= unexpired_at)
            if len(rows) < _CHUNK:
                return
            after = rows[-1][0]

    def policies(self) -> Mapping[str, OcspPolicy]:
        rows = self._link.driver("SELECT authority, unissued, archive_s, requests FROM ocsp_policy")
        return {
            row[0]: OcspPolicy(Unissued(row[1]), row[2], SignedRequests(row[3])) for row in rows
        }

    def put_policy(self, authority: str, policy: OcspPolicy) -> None:
        self._link.driver(
            "INSERT INTO ocsp_policy (authority, unissued, archive_s, requests)"
            " VALUES (?, ?, ?, ?)"
            " ON CONFLICT (authority) DO UPDATE SET unissued = excluded.unissued,"
            " archive_s = excluded.archive_s, requests = excluded.requests",
            (authority, policy.unissued.value, policy.archive_s, policy.requests.value),
        )
