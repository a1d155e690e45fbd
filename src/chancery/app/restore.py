"""``chancery backup restore``: an instance from its backup, in a fresh directory, or nothing.

What the restored instance must not do is what a rolled-back one would: sign
another tree of the same log, take CRL numbers again, or take serials again.  So
its log goes on under a new key and a new name, which its first record says;
CRL numbers jump over all that can have been used since; and the journal,
which is younger than the record, says which serials are taken.
"""

import getpass
import json
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import text

from chancery.adapters.backup.device_state import Opened
from chancery.adapters.clock import SystemClock
from chancery.adapters.storage import open_store
from chancery.adapters.storage.dump import adjusting, discard, is_empty, looking
from chancery.app import scratch
from chancery.app.instance_files import Layout, write_private, write_public
from chancery.app.office import Office, open_office
from chancery.app.scratch import CONFIG, Keys, Trusted
from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.audit import Outcome, leaf_hash
from chancery.domain.errors import AlreadyExists, BadRequest, CAError
from chancery.domain.identity import SYSTEM
from chancery.domain.keys import KeyPurpose
from chancery.domain.merkle import Frontier
from chancery.ports import Session
from chancery.services.audit import event
from chancery.services.audit.integration import tampered
from chancery.settings import Audit, Settings, load
from chancery.signer import journal_format
from chancery.signer.journal_format import Operation
from chancery.wire import note
from chancery.wire.note import VerifierKey

_CRLS_A_SECOND: Final = 10  # more than an authority can sign
_SPARE: Final = 1000
_LEAVES: Final = 4096
_TOLD: Final = 100  # serials named in the log
_CLOCK_S: Final = 300  # how far the signer's clock may have been behind (C24)
_KNOWN: Final = text(
    "SELECT 1 FROM certificate WHERE serial = :serial"
    " AND authority IN (SELECT name FROM authority)"
    " UNION ALL SELECT 1 FROM intent WHERE serial = :serial"
)


def restore(
    file: Path,
    directory: Path,
    keys: Keys,
    *,
    database: str | None = None,
    sqlite: bool = False,
) -> dict[str, Any]:
    """Make the instance in *directory*, which must be fresh; return what there is to tell.

    Everything is checked, and made in a directory beside it, before it gets
    its name: whatever is wrong, nothing has changed.
    """
    target = directory.resolve()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        _tell_live(target, file)
        raise AlreadyExists(
            f"{directory} is in use",
            field="directory",
            rule="directory.empty",
            remedy="restore into a fresh directory; nothing in this one was touched",
        )
    found = scratch.trusted(file, keys)
    if found.manifest.engine == "postgresql" and database is None and not sqlite:
        raise BadRequest(
            "this instance kept its record in PostgreSQL",
            field="--database-file",
            rule="backup.database",
            remedy="name a file with the URL of an empty database, or say --sqlite",
        )
    secret = scratch.source_secret(keys, found.manifest)
    device = scratch.opened(found, keys)
    with scratch.workshop(target) as folder, _undone(database):
        settings = scratch.unpack(found, device.identity, secret, folder, database)
        _adjust(settings, found)
        former = settings.audit
        settings = _renamed_log(folder, settings, found.manifest.sequence)
        with (
            scratch.brief_signer(settings, keys.vault_shares) as here,
            open_office(here) as office,
        ):
            facts = _settle(office, Layout(folder), found, former, device)
        _facts_moved(folder, target)
        folder.chmod(0o755)  # as quickstart makes it; what is secret is closed by itself
        if target.exists():
            target.rmdir()
        folder.rename(target)
    return facts | {"directory": str(target), "config": str(target / CONFIG)}


def _tell_live(target: Path, file: Path) -> None:
    """Where an instance lives there already, its log says that somebody tried."""
    try:
        settings = load(target / CONFIG)
        store = open_store(settings.database.url, clock=SystemClock())
    except CAError:
        return
    told = event(
        SYSTEM,
        "backup.restore-refused",
        file.name,
        Outcome.FAILURE,
        account=getpass.getuser(),
        rule="directory.empty",
    )
    try:
        store.write(lambda session: session.audit.append([told], time.time_ns() // 1_000_000))
    finally:
        store.close()


@contextmanager
def _undone(database: str | None) -> Iterator[None]:
    """Somebody's database that was empty is empty again if anything goes wrong."""
    ours = database is not None and is_empty(database)
    try:
        yield
    except BaseException:
        if database is not None and ours:
            discard(database)
        raise


def _adjust(settings: Settings, found: Trusted) -> None:
    """What must not go on as it was."""
    elapsed = max(int(time.time()) - found.manifest.made_at, 0)
    manifest = found.manifest
    with adjusting(settings.database.url) as connection:
        jump = elapsed * _CRLS_A_SECOND + _SPARE
        connection.execute(text("UPDATE crl_counter SET number = number + :jump"), {"jump": jump})
        connection.execute(text("DELETE FROM job WHERE kind = 'backup'"))
        connection.execute(
            text(
                "UPDATE backup SET state = 'done', finished_at = started_at, name = :name,"
                " octets = :octets, sha256 = :sha256 WHERE sequence = :sequence"
            ),
            {
                "name": found.file.stem,
                "octets": manifest.octets,
                "sha256": manifest.sha256,
                "sequence": manifest.sequence,
            },
        )


def _renamed_log(folder: Path, settings: Settings, sequence: int) -> Settings:
    """Give the log a new name and a new key: what the old key has signed since is lost here."""
    mark = f"r{sequence}-{secrets.token_hex(3)}"
    origin, key_id = f"{settings.audit.origin}/{mark}", f"audit-{mark}"
    path = folder / CONFIG
    path.write_text(with_log(path.read_text(), origin, key_id))
    renamed = load(path)
    if (renamed.audit.origin, renamed.audit.key_id) != (origin, key_id):
        raise BadRequest(
            "the [audit] section of chancery.toml is not written as one, and was not changed",
            field="audit",
            rule="backup.settings",
            remedy="write it as a section with one setting a line before you back it up",
        )
    return renamed


def with_log(config: str, origin: str, key_id: str, **more: str) -> str:
    """*config* with another origin and key of the log (and *more* of it); the rest as it was."""
    values = {"origin": origin, "key_id": key_id, **more}
    names = "|".join(values)
    out: list[str] = []
    inside = False
    for line in config.splitlines(keepends=True):
        if line.lstrip().startswith("["):
            inside = line.split("#")[0].strip() == "[audit]"
            out.append(line)
            if inside:
                out += [f"{name} = {json.dumps(value)}\n" for name, value in values.items()]
        elif not (inside and re.match(rf"\s*({names})\s*=", line)):
            out.append(line)
    return "".join(out)


def _settle(
    office: Office, here: Layout, found: Trusted, former: Audit, device: Opened
) -> dict[str, Any]:
    """Prove the log, begin its successor, settle what was open, wish for CRLs."""
    records = proven(office, found)
    log = office.settings.audit
    office.vault.generate(log.key_id, KeyAlgorithm.ED25519, KeyPurpose.AUDIT, vault=log.vault)
    strays = _strays(office, found)
    facts: dict[str, Any] = {
        "sequence": found.manifest.sequence,
        "made_at": found.manifest.made_at,
        "records": records,
        "former_log": former.origin,
        "log": office.settings.audit.origin,
        "signed_since": [stray["serial"] for stray in strays],
    }
    told = event(
        SYSTEM,
        "backup.restored",
        str(found.manifest.sequence),
        sha256=found.manifest.sha256,
        former_log=former.origin,
        former_key=former.key_id,
        former_checkpoint=found.manifest.checkpoint,
        device=found.manifest.device,
        wrong_pins_before=device.failed_before,
        signed_since=len(strays),
        serials=[f"{stray['key']} {stray['serial']}" for stray in strays[:_TOLD]],
    )
    office.store.write(lambda session: session.audit.append([told], office.clock.ms()))
    settled = office.reconciliation.run()
    facts["settled"] = {
        "completed": settled.completed,
        "signed": settled.signed,
        "abandoned": settled.abandoned,
        "authorities": office.authorities.recover(),
    }
    office.store.write(_wish_for_crls)
    office.audit.checkpoint()
    new_verifier(office, here)
    return facts | {"verifier": str(office.audit.verifier_key())}


def proven(office: Office, found: Trusted) -> int:
    """How many records there are; AuditTampered unless they hash to what was signed of them."""
    key = VerifierKey.parse(found.manifest.verifier)
    signed = note.parse_checkpoint(note.open_note(found.manifest.checkpoint.encode(), key))
    tree = Frontier()
    with office.store.read() as session:
        size = session.audit.size()
        for first in range(0, signed.size, _LEAVES):
            batch = session.audit.records(first, min(first + _LEAVES, signed.size))
            if any(leaf_hash(one.leaf) != one.hash for one in batch):
                raise tampered("audit.record", "a record does not hash to what is stored with it")
            tree.extend([one.hash for one in batch])
    if (tree.size, tree.root()) != (signed.size, signed.root):
        raise tampered("audit.root", "its records are not those that were signed")
    return size


def _strays(office: Office, found: Trusted) -> list[dict[str, str]]:
    """Serials that the journal has and the record has not: signed after the snapshot.

    The signer never takes one of them again; whether they were handed out is
    for a person to find out.
    """
    since = (found.manifest.made_at - _CLOCK_S) * 1000
    strays: list[dict[str, str]] = []
    with looking(office.settings.database.url) as connection:
        for entry in journal_format.read(office.settings.signer.journal):
            if entry.operation is not Operation.CERTIFICATE or entry.time_ms < since:
                continue
            if connection.execute(_KNOWN, {"serial": entry.serial}).first() is None:
                strays.append({"key": entry.key_id, "serial": entry.serial})
    return strays


def _wish_for_crls(session: Session) -> None:
    """The next run of the schedule signs one for each CA, with a number never seen."""
    for authority in session.authorities.all():
        if authority.key_id is not None:
            session.crls.mark_due(authority.name, 0)


def new_verifier(office: Office, here: Layout) -> None:
    """Publish the log's new key; the former stays beside it."""
    if here.audit_key.exists():
        here.audit_key.rename(here.root / f"audit-before-{office.settings.audit.key_id}.vkey")
    write_public(here.audit_key, f"{office.audit.verifier_key()}\n".encode())


def _facts_moved(folder: Path, target: Path) -> None:
    """Let quickstart.json name the files where they are now."""
    path = Layout(folder).facts
    try:
        told = path.read_text()
        former = str(Path(json.loads(told)["ca_bundle"]).parent.parent)
    except (OSError, ValueError, KeyError, TypeError):
        return
    moved = told.replace(json.dumps(former)[:-1] + "/", json.dumps(str(target))[:-1] + "/")
    write_private(path, moved.encode())
