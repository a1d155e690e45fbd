"""What CRLs are made of and which are in force: entries joined by the database, lists whole."""

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any, Final

from chancery.adapters.storage.link import Link
from chancery.adapters.storage.revocations import REASONS
from chancery.domain.authority import CrlRecord
from chancery.domain.certificate import RevokedEntry
from chancery.domain.crl import CrlList, Entries, shard_of
from chancery.domain.errors import Conflict
from chancery.wire.crl_entries import entry

_CHUNK: Final = 50_000  # entries joined at a time: some 2.5 MB
_PART: Final = 4_096  # entries joined here, where they are sorted into shards
_CA_REQUESTS: Final = ("ca:", "ca;")  # ids of requests for CA certificates lie between these
_TAKEN_OVER: Final = ("import:", "import;")  # and these stand for requests made elsewhere
_IS_CA: Final = tuple(
    bytes.fromhex(f"0603551d13{critical}04{value}")
    for critical in ("0101ff", "")
    for value in ("0530030101ff", "0830060101ff", "0930070101ff")
)
"""BasicConstraints with cA TRUE, and no path length, or one of one octet or two."""

# SQLite joins octets as it joins text, by their length; the cast only renames the result.
_JOINED: Final = {
    False: "CAST(group_concat(entry, '') AS BLOB)",
    True: "string_agg(entry, ''::bytea ORDER BY serial)",
}
# ``domain.crl.shard_of``: a serial's last four digits as a number.
_SPREAD_SQL: Final = {
    False: "({})".format(
        " + ".join(
            f"{16**n} * max(instr('0123456789abcdef', substr('000' || serial, -{n + 1}, 1)) - 1, 0)"
            for n in range(4)
        )
    ),
    True: "('x' || right('000' || serial, 4))::bit(16)::int",
}
_CHUNK_SQL: Final = (
    "SELECT max(serial), count(*), count(entry), {joined} FROM (SELECT serial, entry"
    " FROM revocation WHERE authority = ? AND serial > ? AND not_after >= ?{which}"
    " ORDER BY serial LIMIT ?) AS chunk"
)
_ROWS_SQL: Final = (
    "SELECT serial, revoked_at, reason, invalidity_date, entry FROM revocation"
    " WHERE authority = ? AND serial > ? AND not_after >= ?{which} ORDER BY serial LIMIT ?"
)
_CHANGED_SQL: Final = (
    "SELECT serial, revoked_at, reason, invalidity_date, entry FROM revocation"
    " WHERE authority = ? AND changed >= ? AND not_after >= ? ORDER BY serial"
)
_SERIALS_SQL: Final = (
    "SELECT serial, changed FROM revocation WHERE authority = ? AND changed >= ?"
    " UNION ALL SELECT serial, changed FROM crl_removed WHERE authority = ? AND changed >= ?"
    " LIMIT ?"
)
_REMOVED_SQL: Final = (
    "SELECT entry FROM crl_removed WHERE authority = ? AND changed >= ? AND not_after >= ?"
    " ORDER BY serial"
)
_CAS_SQL: Final = (
    "SELECT r.serial, r.revoked_at, r.reason, r.invalidity_date, r.entry"
    " FROM certificate c JOIN revocation r ON r.authority = c.authority AND r.serial = c.serial"
    " WHERE c.request_id >= ? AND c.request_id < ? AND c.authority = ? AND r.not_after >= ?"
    " ORDER BY r.serial"
)
# Certificates that were taken over: whatever says in DER, critical or not, that it is a CA's.
_TAKEN_OVER_SQL: Final = _CAS_SQL.replace(" ORDER BY", " AND ({says}) ORDER BY")
_SAYS: Final = {
    False: " OR ".join(["instr(c.der, ?) > 0"] * len(_IS_CA)),
    True: " OR ".join(["position(?::bytea in c.der) > 0"] * len(_IS_CA)),
}
_PUT: Final = (
    "INSERT INTO crl_list (name, authority, number, this_update, next_update, entries, sha256,"
    " size, base, seq, der) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (name) DO UPDATE SET number = excluded.number,"
    " this_update = excluded.this_update, next_update = excluded.next_update,"
    " entries = excluded.entries, sha256 = excluded.sha256, size = excluded.size,"
    " base = excluded.base, seq = excluded.seq, der = excluded.der"
)
_LIST: Final = (
    "SELECT name, authority, number, this_update, next_update, entries, sha256, size, base, seq"
    " FROM crl_list WHERE"
)
_HISTORY: Final = (
    "SELECT authority, number, this_update, next_update, entries, name, seq"
    " FROM crl WHERE authority = ? AND name = ?"
)


def _octets(row: Any) -> bytes:
    """The entry of a row; encoded now if it is older than the column."""
    serial, revoked_at, reason, invalidity_date, encoded = row
    if encoded is not None:
        return bytes(encoded)
    return entry(RevokedEntry(serial, revoked_at, REASONS[reason], invalidity_date))


class SqlCrlLists:
    """Implements ``ports_crl.CrlLists``."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def entries(self, authority: str, unexpired_at: int) -> Entries:
        return self._joined(authority, unexpired_at, "", ())

    def shard(self, authority: str, unexpired_at: int, shards: int, index: int) -> Entries:
        mine = f" AND {_SPREAD_SQL[self._link.postgres]} % ? = ?"
        return self._joined(authority, unexpired_at, mine, (shards, index))

    def _joined(
        self, authority: str, unexpired_at: int, which: str, values: tuple[int, ...]
    ) -> Entries:
        postgres = self._link.postgres
        sql = _CHUNK_SQL.format(joined=_JOINED[postgres], which=which)
        parts: list[bytes] = []
        total, after = 0, ""
        while True:
            wanted = (authority, after, unexpired_at, *values, _CHUNK)
            last, count, encoded, joined = self._link.driver(sql, wanted).one()
            if count != encoded:
                rows = self._link.driver(_ROWS_SQL.format(which=which), wanted).fetchall()
                joined = b"".join(map(_octets, rows))
            if count:
                parts.append(bytes(joined))
                total += count
            if count < _CHUNK:
                return Entries(total, tuple(parts))
            after = last

    def sharded(
        self, authority: str, unexpired_at: int, partitions: Sequence[int]
    ) -> list[list[Entries]]:
        sorters = [_Sorter(count) for count in partitions]
        for row in self._rows(authority, unexpired_at):
            encoded = row[4] if row[4] is not None else _octets(row)
            for sorter in sorters:
                sorter.add(row[0], encoded)
        return [sorter.sorted() for sorter in sorters]

    def changed_serials(self, authority: str, seq: int, most: int) -> list[tuple[str, int]]:
        values = (authority, seq, authority, seq, most)
        return [(row[0], row[1]) for row in self._link.driver(_SERIALS_SQL, values)]

    def changed(self, authority: str, unexpired_at: int, seq: int) -> Entries:
        wanted = (authority, seq, unexpired_at)
        found = list(map(_octets, self._link.driver(_CHANGED_SQL, wanted)))
        lifted = self._link.driver(_REMOVED_SQL, wanted).fetchall()
        found += [bytes(row[0]) for row in lifted]
        return Entries(len(found), (b"".join(found),) if found else ())

    def of_cas(self, authority: str, unexpired_at: int) -> Entries:
        wanted = (authority, unexpired_at)
        rows = list(self._link.driver(_CAS_SQL, (*_CA_REQUESTS, *wanted)))
        sql = _TAKEN_OVER_SQL.format(says=_SAYS[self._link.postgres])
        rows += self._link.driver(sql, (*_TAKEN_OVER, *wanted, *_IS_CA))
        found = [_octets(row) for row in sorted(rows, key=itemgetter(0))]
        return Entries(len(found), (b"".join(found),) if found else ())

    def put(self, item: CrlList, der: bytes) -> None:
        before = self.get(item.name)
        if before is not None and item.number <= before.number:
            raise Conflict(
                f"CRL {item.number} is not above number {before.number} of {item.name}",
                field="number",
                rule="crl.number",
            )
        values = (
            item.name, item.authority, item.number, item.this_update, item.next_update,
            item.entries, item.sha256, item.size, item.base, item.seq, der,
        )  # fmt: skip
        self._link.driver(_PUT, values)

    def get(self, name: str) -> CrlList | None:
        row = self._link.driver(_LIST + " name = ?", (name,)).first()
        return CrlList(*row) if row is not None else None

    def der(self, name: str) -> bytes | None:
        row = self._link.driver("SELECT der FROM crl_list WHERE name = ?", (name,)).first()
        return bytes(row[0]) if row is not None else None

    def of(self, authority: str) -> list[CrlList]:
        found = self._link.driver(_LIST + " authority = ? ORDER BY name", (authority,))
        return [CrlList(*row) for row in found]

    def drop(self, name: str) -> None:
        self._link.driver("DELETE FROM crl_list WHERE name = ?", (name,))

    def issued_before(self, label: str, authority: str, at: int) -> CrlRecord | None:
        row = self._link.driver(
            _HISTORY + " AND this_update <= ? ORDER BY number DESC LIMIT 1", (authority, label, at)
        ).first()
        if row is None:
            first = _HISTORY + " ORDER BY number LIMIT 1"
            row = self._link.driver(first, (authority, label)).first()
        if row is None:
            return None
        of, number, this_update, next_update, count, name, seq = row
        return CrlRecord(of, number, this_update, next_update, count, b"", name, seq)

    def forget_lifted(self, authority: str, before_seq: int) -> None:
        self._link.driver(
            "DELETE FROM crl_removed WHERE authority = ? AND changed < ?", (authority, before_seq)
        )

    def _rows(self, authority: str, unexpired_at: int) -> Iterator[Any]:
        after = ""
        while True:
            wanted = (authority, after, unexpired_at, _CHUNK)
            rows = self._link.driver(_ROWS_SQL.format(which=""), wanted).fetchall()
            yield from rows
            if len(rows) < _CHUNK:
                return
            after = rows[-1][0]


class _Sorter:
    """Sorts entries into shards; small ones are joined now and then, to hold few objects."""

    def __init__(self, count: int) -> None:
        self._shards: list[list[bytes]] = [[] for _ in range(count)]
        self._parts: list[list[bytes]] = [[] for _ in range(count)]
        self._counts = [0] * count

    def add(self, serial: str, encoded: bytes) -> None:
        index = shard_of(serial, len(self._shards))
        shard = self._shards[index]
        shard.append(encoded)
        if len(shard) == _PART:
            self._flush(index)

    def sorted(self) -> list[Entries]:
        for index in range(len(self._shards)):
            self._flush(index)
        return [
            Entries(count, tuple(parts))
            for count, parts in zip(self._counts, self._parts, strict=True)
        ]

    def _flush(self, index: int) -> None:
        shard = self._shards[index]
        if shard:
            self._parts[index].append(b"".join(shard))
            self._counts[index] += len(shard)
            shard.clear()
