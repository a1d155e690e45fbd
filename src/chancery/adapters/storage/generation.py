"""Certificates by the million, for measurements: written past the services, with real structure.

Each row is a copy of a certificate that was really issued, with names, key
hash, serial (in its DER too) and dates of its own; signatures and audit leaves
are missing.  Secondary indexes are dropped and made again at the end.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Engine, func, select

from chancery.adapters.storage import schema
from chancery.adapters.storage.engine import parse_url, writing_engine
from chancery.domain.certificate import RevocationReason, RevokedEntry
from chancery.domain.errors import BadRequest
from chancery.domain.ids import new_id
from chancery.wire.crl_entries import entry

CHUNK: Final = 20_000
REQUESTER: Final = "bench"
_REAL: Final = 10_000  # certificates of others: more is no instance to measure on
_DAY_S: Final = 86_400
_SPREAD_S: Final = 400 * _DAY_S
_LASTING_S: Final = 398 * _DAY_S
_REASON: Final = RevocationReason.superseded

Told = Callable[[int], None]
_TABLES: Final = (schema.certificate, schema.certificate_name, schema.revocation)


@dataclass(frozen=True, slots=True)
class Wish:
    """How many, of which the oldest or every so-manieth is revoked; they end after *now*."""

    certificates: int
    revoked: int
    now: int


def generate(url: str, wish: Wish, told: Told) -> None:
    """Fill the database.  BadRequest if there is nothing to copy, or real work on record."""
    engine = writing_engine(parse_url(url))
    try:
        pattern = _pattern(engine)
        if engine.dialect.name == "sqlite":
            _fill_sqlite(engine, _chunks(pattern, wish), told)
        else:
            _fill_postgres(engine, _chunks(pattern, wish), told)
    finally:
        engine.dispose()


def _pattern(engine: Engine) -> dict[str, Any]:
    table = schema.certificate
    ours = table.c.requester != REQUESTER
    some = select(table.c.id).where(ours).limit(_REAL + 1).subquery()
    newest = select(table).where(ours, table.c.profile.like("tls-server%"))
    with engine.connect() as connection:
        real = connection.execute(select(func.count()).select_from(some)).scalar_one()
        row = connection.execute(newest.order_by(table.c.id.desc()).limit(1)).first()
    if real > _REAL:
        raise BadRequest(
            "this instance has certificates that people asked for",
            field="config",
            rule="bench.instance",
            remedy="measure on an instance made for it: `chancery quickstart DIR`",
        )
    if row is None:
        raise BadRequest(
            "there is no tls-server certificate to copy",
            field="config",
            rule="bench.pattern",
            remedy="start the instance once: its own certificate will do",
        )
    return dict(row._mapping)


def _chunks(pattern: Mapping[str, Any], wish: Wish) -> Iterator[tuple[list[Any], ...]]:
    """(certificates, names, revocations) as rows in schema order."""
    der: bytes = bytes(pattern["der"])
    serial = bytes.fromhex(pattern["serial"].rjust(len(pattern["serial"]) + 1 & ~1, "0"))
    at = der.index(serial)
    head, tail = der[:at], der[at + len(serial) :]
    every = wish.certificates / wish.revoked if wish.revoked else 0
    gone = 0
    for start in range(0, wish.certificates, CHUNK):
        rows, names, revoked = [], [], []
        for n in range(start, min(start + CHUNK, wish.certificates)):
            seed = hashlib.sha256(b"%d" % n).digest()
            issued = wish.now - _SPREAD_S + n * _SPREAD_S // wish.certificates
            # Serials begin with the time, as issued ones do.
            mine = (b"%c%b%b" % (0x40 | serial[0] & 0x3F, issued.to_bytes(4), seed))[: len(serial)]
            text, identity = mine.hex(), new_id(issued * 1000, seed)
            whole = head + mine + tail
            rows.append((
                identity, pattern["authority"], text, f"CN=host-{n}.example.org",
                f'["dns:host-{n}.example.org"]', issued, issued + _LASTING_S, seed.hex(),
                hashlib.sha256(whole).hexdigest(), pattern["profile"],
                pattern["profile_sha256"], new_id(issued * 1000, seed[::-1]), REQUESTER, whole,
                issued, None, "",
            ))  # fmt: skip
            names.append((f"dns:host-{n}.example.org", identity))
            if every and gone < wish.revoked and n >= gone * every:
                gone += 1
                one = entry(RevokedEntry(text, issued, _REASON, None))
                revoked.append((
                    pattern["authority"], text, identity, "revoked", issued, _REASON.value, None,
                    issued + _LASTING_S, one, 0,
                ))  # fmt: skip
        yield rows, names, revoked


def _fill_sqlite(engine: Engine, chunks: Iterator[tuple[list[Any], ...]], told: Told) -> None:
    link = engine.raw_connection()
    driver = link.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    for pragma in ("synchronous = OFF", "cache_size = -1000000", "journal_size_limit = 0"):
        driver.execute(f"PRAGMA {pragma}")
    indexes = driver.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        " AND tbl_name IN ('certificate', 'certificate_name', 'revocation')"
    ).fetchall()
    done = 0
    driver.execute("BEGIN IMMEDIATE")
    for name, _ in indexes:
        driver.execute(f'DROP INDEX "{name}"')
    for parts in chunks:
        for table, rows in zip(_TABLES, parts, strict=True):
            columns = ", ".join(f'"{column.name}"' for column in table.columns)
            marks = ", ".join("?" * len(table.columns))
            driver.executemany(
                f'INSERT INTO "{table.name}" ({columns}) VALUES ({marks})',  # noqa: S608 - ours
                rows,
            )
        done += len(parts[0])
        told(done)
        driver.execute("COMMIT")
        driver.execute("BEGIN IMMEDIATE")
    for _, sql in indexes:
        driver.execute(sql)
    driver.execute("COMMIT")
    driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    driver.execute("PRAGMA optimize")
    link.close()


def _fill_postgres(engine: Engine, chunks: Iterator[tuple[list[Any], ...]], told: Told) -> None:
    link = engine.raw_connection()
    driver: Any = link.driver_connection
    done = 0
    with driver.cursor() as cursor:
        for parts in chunks:
            for table, rows in zip(_TABLES, parts, strict=True):
                _copy(cursor, table.name, [c.name for c in table.columns], rows)
            driver.commit()
            done += len(parts[0])
            told(done)
        cursor.execute("ANALYZE certificate, certificate_name, revocation")
        driver.commit()
    link.close()


def _copy(cursor: Any, table: str, columns: Sequence[str], rows: Sequence[Any]) -> None:
    names = ", ".join(f'"{name}"' for name in columns)
    with cursor.copy(f'COPY "{table}" ({names}) FROM STDIN') as copy:
        for row in rows:
            copy.write_row(row)
