"""Where certificates stand: what OCSP answers and CRLs list, and keys nobody may use again."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from chancery.adapters.storage.link import Grouped, Link, Record, groups
from chancery.domain.certificate import CertificateStatus, RevocationReason, RevokedEntry
from chancery.domain.errors import AlreadyRevoked, NotFound, WrongState
from chancery.wire.crl_entries import entry, removal

STATUSES: Final = {status.value: status for status in CertificateStatus}
REASONS: Final = {reason.value: reason for reason in RevocationReason}
_CHUNK: Final = 10_000

# `|| ''`: see certificates._INTEND.
_STATUS: Final = """
SELECT coalesce(r.status, 'valid'), r.revoked_at, r.reason, r.invalidity_date
FROM certificate c LEFT JOIN revocation r ON r.authority = c.authority AND r.serial = c.serial
WHERE c.serial = ? AND c.authority || '' = ?
UNION ALL
SELECT CASE WHEN abandoned_at IS NULL THEN 'intended' ELSE 'abandoned' END, NULL, NULL, NULL
FROM intent WHERE serial = ? AND authority = ?
"""
# `changed`: the unit's own audit leaf will carry this number.
_SET: Final = """
INSERT INTO revocation (authority, serial, certificate_id, status, revoked_at, reason,
invalidity_date, not_after, entry, changed)
SELECT authority, serial, id, {text}, {number}, {number}, {number}, not_after, {octets},
(SELECT size FROM audit_head WHERE id = 1)
FROM certificate WHERE id = ?
ON CONFLICT (authority, serial) DO UPDATE SET status = excluded.status,
revoked_at = excluded.revoked_at, reason = excluded.reason,
invalidity_date = excluded.invalidity_date, entry = excluded.entry, changed = excluded.changed
"""
_SET_SQLITE: Final = _SET.format(text="?", number="?", octets="?")
_SET_POSTGRES: Final = _SET.format(text="?::text", number="?::bigint", octets="?::bytea")
_LIFTED: Final = """
INSERT INTO crl_removed (authority, serial, changed, not_after, entry)
SELECT authority, serial, (SELECT size FROM audit_head WHERE id = 1), not_after, {octets}
FROM revocation WHERE authority = ? AND serial = ?
ON CONFLICT (authority, serial) DO UPDATE SET changed = excluded.changed, entry = excluded.entry
"""
_LIFTED_SQLITE: Final = _LIFTED.format(octets="?")
_LIFTED_POSTGRES: Final = _LIFTED.format(octets="?::bytea")
_BLOCKED: Final = Grouped("SELECT key_sha256, why FROM blocked_key WHERE key_sha256 IN (", "?", ")")
_BLOCK: Final = (
    "INSERT INTO blocked_key (key_sha256, why, blocked_at) VALUES (?, ?, ?)"
    " ON CONFLICT (key_sha256) DO NOTHING"
)


def _entry(row: Record) -> RevokedEntry:
    serial, revoked_at, reason, invalidity_date = row
    return RevokedEntry(serial, revoked_at, REASONS[reason], invalidity_date)


class SqlRevocations:
    """The part of the certificates' record that changes."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def status(
        self, authority: str, serial: str
    ) -> tuple[CertificateStatus, RevokedEntry | None] | None:
        row = self._link.driver(_STATUS, (serial, authority, serial, authority)).first()
        if row is None:
            return None
        status, revoked_at, reason, invalidity_date = row
        if reason is None:
            return STATUSES[status], None
        entry = RevokedEntry(serial, revoked_at, REASONS[reason], invalidity_date)
        return STATUSES[status], entry

    def set_status(
        self,
        certificate_id: str,
        expected: Sequence[CertificateStatus],
        status: CertificateStatus,
        *,
        revoked_at: int | None,
        reason: RevocationReason | None,
        invalidity_date: int | None = None,
    ) -> None:
        current, authority, serial, since = self._current(certificate_id)
        if current not in expected:
            raise _wrong(current)
        self._link.moved = True
        if status is CertificateStatus.VALID:
            self._lift(authority, serial, since)
            return
        if status not in {CertificateStatus.HELD, CertificateStatus.REVOKED}:
            raise ValueError(f"a certificate on record cannot become {status.value}")
        if revoked_at is None or reason is None:
            raise ValueError("a revocation has a time and a reason")
        sql = _SET_POSTGRES if self._link.postgres else _SET_SQLITE
        octets = entry(RevokedEntry(serial, revoked_at, reason, invalidity_date))
        values = (status.value, revoked_at, reason.value, invalidity_date, octets, certificate_id)
        self._link.driver(sql, values)
        if current is CertificateStatus.VALID:
            self._link.driver(
                "DELETE FROM crl_removed WHERE authority = ? AND serial = ?", (authority, serial)
            )
        if reason is RevocationReason.keyCompromise:
            self._block_key_of(certificate_id, revoked_at)

    def revoked(self, authority: str, unexpired_at: int) -> Iterable[RevokedEntry]:
        after = ""
        while True:
            rows = self._link.driver(
                "SELECT serial, revoked_at, reason, invalidity_date FROM revocation"
                " WHERE authority = ? AND serial > ? AND not_after >= ? ORDER BY serial LIMIT ?",
                (authority, after, unexpired_at, _CHUNK),
            ).fetchall()
            yield from map(_entry, rows)
            if len(rows) < _CHUNK:
                return
            after = rows[-1][0]

    def keys_blocked(self, key_sha256s: Sequence[str]) -> Mapping[str, str]:
        found: dict[str, str] = {}
        at = 0
        for size in groups(len(key_sha256s)):
            found.update(self._link.driver(_BLOCKED.text(size), tuple(key_sha256s[at : at + size])))
            at += size
        return found

    def block_key(self, key_sha256: str, why: str, now: int) -> None:
        """The first reason stands."""
        self._link.driver(_BLOCK, (key_sha256, why, now))

    def _lift(self, authority: str, serial: str, held_at: int) -> None:
        """End a hold, and remember it for deltas."""
        sql = _LIFTED_POSTGRES if self._link.postgres else _LIFTED_SQLITE
        self._link.driver(sql, (removal(serial, held_at), authority, serial))
        self._link.driver(
            "DELETE FROM revocation WHERE authority = ? AND serial = ?", (authority, serial)
        )

    def _current(self, certificate_id: str) -> tuple[CertificateStatus, str, str, int]:
        """(status, authority, serial, since when it is held or revoked)."""
        row = self._link.driver(
            "SELECT coalesce(r.status, 'valid'), c.authority, c.serial, coalesce(r.revoked_at, 0)"
            " FROM certificate c LEFT JOIN revocation r"
            " ON r.authority = c.authority AND r.serial = c.serial WHERE c.id = ?",
            (certificate_id,),
        ).first()
        if row is None:
            raise NotFound(f"there is no certificate {certificate_id}", field="id")
        return STATUSES[row[0]], row[1], row[2], row[3]

    def _block_key_of(self, certificate_id: str, now: int) -> None:
        row = self._link.driver(
            "SELECT key_sha256 FROM certificate WHERE id = ?", (certificate_id,)
        ).one()
        if row[0]:  # the key of one that is known by an entry in a list is not known
            self.block_key(row[0], "revoked for keyCompromise", now)


def _wrong(current: CertificateStatus) -> WrongState | AlreadyRevoked:
    if current is CertificateStatus.REVOKED:
        return AlreadyRevoked("the certificate is revoked already", rule="certificate.status")
    return WrongState(
        f"the certificate is {current.value}", field="status", rule="certificate.status"
    )
