"""``chancery backup drill`` and ``verify``: is a backup worth anything?"""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, text

from chancery.adapters.backup import reading
from chancery.adapters.backup.reading import Nowhere
from chancery.adapters.storage.dump import adjusting
from chancery.app import scratch
from chancery.app.office import Office, open_office
from chancery.app.restore import brief_socket, proven
from chancery.app.scratch import Keys
from chancery.app.signer_process import running_signer
from chancery.domain.errors import CAError
from chancery.settings import load

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

    Nothing is signed there, and it is removed at the end.  What does not fit
    is a finding; only what keeps the drill from being held is raised.
    """
    began = time.monotonic()
    live = load(config)
    found = scratch.trusted(file, keys)
    secret = scratch.source_secret(keys, found.manifest)
    device = scratch.opened(found, keys)
    findings: list[str] = []
    certificates = records = 0
    with ExitStack() as stack:
        folder = stack.enter_context(scratch.workshop(config.resolve().parent / "drill"))
        try:
            settings = scratch.unpack(found, device.identity, secret, folder, None)
            here = stack.enter_context(brief_socket(settings))
            stack.enter_context(running_signer(here.signer))
            office = stack.enter_context(open_office(here))
            records = proven(office, found)
            findings += _keys_missing(office)
            with adjusting(live.database.url) as ours, adjusting(settings.database.url) as theirs:
                certificates, differences = _compared(ours, theirs)
                findings += differences
                findings += _log_differs(ours, theirs, records)
        except CAError as error:
            findings.append(f"{error}")
    return {
        "sequence": found.manifest.sequence,
        "sha256": found.manifest.sha256,
        "certificates": certificates,
        "records": records,
        "findings": [finding[:1000] for finding in findings[:50]],
        "took_ms": int((time.monotonic() - began) * 1000),
    }


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
