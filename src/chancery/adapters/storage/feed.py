"""A copy of what OCSP answers need, in one SQLite file: for validation authorities out of reach.

The tables have the names that the record has and the columns that answers
read; who has the file learns serials and their status, and nothing else.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine, Table, create_engine, select, text

from chancery.adapters.storage import schema, schema_crls, schema_policy, schema_status
from chancery.adapters.storage.engine import parse_url, reading_engine
from chancery.adapters.storage.revision import check_revision

_CHUNK: Final = 20_000
_WHOLE: Final = (
    schema_policy.authority,
    schema_policy.authority_certificate,
    schema_status.ocsp_policy,
    schema.audit_head,
)
# Columns, and the key under which they are looked for.
_PART: Final[tuple[tuple[Table, tuple[str, ...], str], ...]] = (
    (schema.certificate, ("authority", "serial"), "serial, authority"),
    (schema.intent, ("authority", "serial", "abandoned_at"), "serial, authority"),
    (
        schema.revocation,
        ("authority", "serial", "status", "revoked_at", "reason", "invalidity_date", "changed"),
        "authority, serial",
    ),
    (schema_crls.crl_removed, ("authority", "serial", "changed"), "authority, serial"),
)


def write_feed(url: str, to: Path) -> int:
    """Write the file whole, then put it in its place; return how many certificates it knows."""
    source = reading_engine(parse_url(url))
    check_revision(source)
    temporary = to.with_name(f".{to.name}.new")
    temporary.unlink(missing_ok=True)
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    target = create_engine(f"sqlite:///{temporary}")
    try:
        count = _copy(source, target)
    finally:
        source.dispose()
        target.dispose()
    with temporary.open("rb") as written:
        os.fsync(written.fileno())
    temporary.rename(to)
    return count


def _copy(source: Engine, target: Engine) -> int:
    count = 0
    # One snapshot: what was revoked meanwhile comes with the next feed, whole.
    with source.begin() as reading, target.begin() as writing:
        for table in _WHOLE:
            table.create(writing)
            rows = [dict(row._mapping) for row in reading.execute(select(table))]
            if rows:
                writing.execute(table.insert(), rows)
        version = reading.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
        writing.exec_driver_sql("CREATE TABLE alembic_version (version_num TEXT NOT NULL)")
        writing.exec_driver_sql("INSERT INTO alembic_version VALUES (?)", (version,))
        for table, names, key in _PART:
            writing.exec_driver_sql(
                f"CREATE TABLE {table.name} ({', '.join(names)}, PRIMARY KEY ({key})) WITHOUT ROWID"
            )
            found = reading.execution_options(stream_results=True, yield_per=_CHUNK).execute(
                select(*(table.c[name] for name in names)).order_by(
                    *(table.c[name] for name in key.split(", "))
                )
            )
            marks = ", ".join("?" * len(names))
            insert = f"INSERT INTO {table.name} VALUES ({marks})"  # noqa: S608 - names of ours
            for part in _parts(found):
                writing.exec_driver_sql(insert, part)
                count += len(part) if table is schema.certificate else 0
        writing.exec_driver_sql("CREATE INDEX changed ON revocation (authority, changed)")
    return count


def _parts(found: Any) -> Iterator[list[tuple[Any, ...]]]:
    for rows in found.partitions(_CHUNK):
        yield [tuple(row) for row in rows]
