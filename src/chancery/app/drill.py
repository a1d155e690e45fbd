"""``chancery backup drill`` and ``verify``: is a backup worth anything?"""

import hashlib
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, text

from chancery.adapters.backup import reading
from chancery.adapters.backup.reading import Nowhere
from chancery.adapters.storage.dump import looking
from chancery.app import scratch
from chancery.app.office import Office, open_office
from chancery.app.restore import proven
from chancery.app.scratch import Keys
from chancery.domain.errors import BadRequest, CAError
from chancery.settings import Settings, load

_AT_ONCE: Final = 1000
_TOLD: Final = 20


def verify(file: Path, keys: Keys) -> dict[str, Any]:
    """Check as much of a backup as *keys* open; say how far that went."""
    found = scratch.trusted(file, keys)
    manifest = found.manifest
    checked = ["seal", "digest"]
    secret = scratch.source_secret(keys, manifest) if keys.shares else None
    if keys.pin is not None:
        device = scratch.opened(found, keys)
        reading.read(found.file, manifest, device.identity, secret, Nowhere())
        checked.append("outer layer")
        if secret is not None:
            checked += ["inner layer", "every file and row"]
    return {
        "file": str(file),
        "sequence": manifest.sequence,
        "log": manifest.log,
        "made_at": manifest.made_at,
        "approved_by": list(manifest.approved_by),
        "schema": manifest.schema,
        "engine": manifest.engine,
        "source": manifest.source,
        "device": manifest.device,
        "octets": manifest.octets,
        "files": manifest.files,
        "tables": {name: count.rows for name, count in manifest.tables.items()},
        "checked": checked,
    }


def drill(file: Path, config: Path, keys: Keys) -> dict[str, Any]:
    """Restore to a scratch instance, replay its log, start its signer, compare with the live one.

    Nothing is signed there, and it is removed at the end.  Whatever is wrong
    is a finding: a PIN that nobody knows any more is what drills are for.
    """
    began = time.monotonic()
    live = load(config)
    report = _Report(*_named(file))
    try:
        _held(file, config, live, keys, report)
    except CAError as error:
        report.findings.append(str(error))
    return {
        "sequence": report.sequence,
        "sha256": report.sha256,
        "certificates": report.certificates,
        "records": report.records,
        "findings": [finding[:1000] for finding in report.findings[:50]],
        "took_ms": int((time.monotonic() - began) * 1000),
    }


@dataclass(slots=True)
class _Report:
    sequence: int
    sha256: str
    certificates: int = 0
    records: int = 0
    findings: list[str] = field(default_factory=list)


def _named(file: Path) -> tuple[int, str]:
    """Number and SHA-256 of a backup that may be none: of its file, as it lies there."""
    try:
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise BadRequest(f"cannot read {file}: {error.strerror}", field="backup") from error
    try:
        return reading.claimed(file).sequence, digest
    except CAError:
        return 0, digest


def _held(file: Path, config: Path, live: Settings, keys: Keys, report: _Report) -> None:
    found = scratch.trusted(file, keys)
    secret = scratch.source_secret(keys, found.manifest)
    device = scratch.opened(found, keys)
    with ExitStack() as stack:
        folder = stack.enter_context(scratch.workshop(config.resolve().parent / "drill"))
        settings = scratch.unpack(found, device.identity, secret, folder, None)
        here = stack.enter_context(scratch.brief_signer(settings, keys.vault_shares))
        office = stack.enter_context(open_office(here))
        report.records = proven(office, found)
        report.findings += _keys_missing(office)
        ours = stack.enter_context(looking(live.database.url))
        theirs = stack.enter_context(looking(settings.database.url))
        report.certificates, differences = _compared(ours, theirs)
        report.findings += [*differences, *_log_differs(ours, theirs, report.records)]


def _keys_missing(office: Office) -> Iterator[str]:
    """Every CA that has its key here must find it in the scratch vault."""
    with office.store.read() as session:
        authorities = session.authorities.all()
    for authority in authorities:
        if authority.key_id is None:
            continue
        try:
            office.vault.key(authority.key_id)
        except CAError as error:
            yield f"the key of {authority.name}: {error}"


def _compared(ours: Connection, theirs: Connection) -> tuple[int, list[str]]:
    """Each certificate of the backup must be on the live record, octet for octet."""
    count, missing = 0, []
    position = ""
    while True:
        page = theirs.execute(_NEXT, {"after": position, "limit": _AT_ONCE}).all()
        if not page:
            break
        position = page[-1][0]
        last = {"after": page[0][0], "until": position}
        known = {row[0]: row[1] for row in ours.execute(_BETWEEN, last)}
        missing += [one for one, sha256, _ in page if known.get(one) != sha256]
        count += len(page)
    if not missing:
        return count, []
    named = ", ".join(missing[:_TOLD])
    return count, [f"{len(missing)} certificates differ from the live record: {named}"]


_NEXT: Final = text(
    "SELECT id, sha256, serial FROM certificate WHERE id > :after ORDER BY id LIMIT :limit"
)
_BETWEEN: Final = text("SELECT id, sha256 FROM certificate WHERE id >= :after AND id <= :until")


def _log_differs(ours: Connection, theirs: Connection, records: int) -> Iterator[str]:
    """The log of the backup must be the beginning of the live one.

    Both chains were hashed up to a signed root; the leaves after it are compared here.
    """
    asked = text("SELECT hash FROM audit_leaf WHERE seq = :seq")
    for seq in {0, records // 2, max(records - 1, 0)}:
        values = {"seq": seq}
        here = ours.execute(asked, values).scalar()
        there = theirs.execute(asked, values).scalar()
        if here is None or there is None or bytes(here) != bytes(there):
            yield f"record {seq} of the log is not the one on the live record"
