"""A backup unpacked into a directory and a database: for good, or for a drill."""

import secrets
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chancery.adapters.backup import reading
from chancery.adapters.backup.device import Device
from chancery.adapters.backup.device_state import Opened
from chancery.adapters.backup.unpacking import Unpacking
from chancery.adapters.storage.dump import check_schema, restoring
from chancery.app.instance_files import write_private
from chancery.app.signer_process import running_signer
from chancery.domain.errors import BadRequest
from chancery.settings import Settings, load
from chancery.signer.unseal.custodians import Gathered
from chancery.signer.unseal.key_file import KeyFile
from chancery.signer.vault import HEADER, reseal
from chancery.wire import custody, shares
from chancery.wire.backup_manifest import Manifest
from chancery.wire.backup_source import SourceSecret
from chancery.wire.note import VerifierKey

SQLITE: Final = "sqlite:///data/chancery.db"
CONFIG: Final = "chancery.toml"


@dataclass(frozen=True, slots=True)
class Keys:
    """What opens a backup; None where somebody did not bring it.

    *verifiers* are keys of the log that are trusted beside those the device knows.
    *vault_shares* are needed where custodians open the vault, too.
    """

    device: Path
    pin: str | None = None
    shares: Sequence[str] = ()
    verifiers: tuple[VerifierKey, ...] = ()
    vault_shares: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Trusted:
    """A backup whose manifest and outer octets are those that were sealed."""

    file: Path
    manifest: Manifest
    device: Device


def trusted(file: Path, keys: Keys) -> Trusted:
    """Check seal, length and SHA-256; needs neither PIN nor shares."""
    device = Device(keys.device)
    known = (*keys.verifiers, *_known_to(device))
    if not known:
        raise BadRequest(
            "nothing says whose backups are to be trusted",
            field="--vkey",
            rule="backup.signer",
            remedy="name the audit.vkey of the instance; the device can be told to remember it",
        )
    manifest = reading.manifest_of(file, known)
    check_schema(manifest.schema)
    about = device.standing().about
    if (about.id, about.recipient) != (manifest.device, manifest.recipient):
        raise BadRequest(
            f"this is the device {about.id}; the backup was made for {manifest.device}",
            field="device",
            rule="backup.device-other",
            remedy=f"bring the device {manifest.device}",
        )
    return Trusted(file, manifest, device)


def source_secret(keys: Keys, manifest: Manifest) -> SourceSecret:
    """What the shares make, if it is the source key of *manifest*; tried before any PIN."""
    secret = SourceSecret(shares.combine([custody.words_of(text) for text in keys.shares]))
    found = secret.public().id
    if found != manifest.source:
        raise BadRequest(
            f"these shares make the source key {found}; the backup is for {manifest.source}",
            field="shares",
            rule="backup.source-other",
            remedy=f"bring the shares of {manifest.source}",
        )
    return secret


def opened(found: Trusted, keys: Keys) -> Opened:
    """The device, open."""
    if keys.pin is None:
        raise BadRequest("no PIN was given", field="pin", rule="device.pin", remedy="--pin-file")
    return found.device.open(keys.pin)


def unpack(
    found: Trusted, identity: str, secret: SourceSecret, folder: Path, database: str | None
) -> Settings:
    """Put everything into *folder*, rows into *database* (default: SQLite in there).

    Returns the settings that are in force there.
    """
    (folder / "data").mkdir(mode=0o700)
    url = database or f"sqlite:///{folder / 'data' / 'chancery.db'}"
    with restoring(url, found.manifest.schema) as record:
        sink = Unpacking(folder, record)
        reading.read(found.file, found.manifest, identity, secret, sink)
        sink.end()
    settings = load(folder / CONFIG)
    _demand_inside(settings, folder)
    write_private(settings.database.url_file, (database or SQLITE).encode() + b"\n")
    for place in (settings.signer.socket.parent, settings.audit.directory):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.audit.directory.chmod(0o755)
    return load(folder / CONFIG)


def _demand_inside(settings: Settings, folder: Path) -> None:
    """What a restored instance would write to must be its own, not that of a live one."""
    signer = settings.signer
    for name, path in (
        ("signer.vault", signer.vault),
        ("signer.journal", signer.journal),
        ("signer.socket", signer.socket),
        ("audit.directory", settings.audit.directory),
        ("publication.directory", settings.publication.directory),
        ("database.url_file", settings.database.url_file),
    ):
        if not path.resolve().is_relative_to(folder.resolve()):
            raise BadRequest(
                f"{name} of this instance is {path}, which is not in its directory:"
                " restored, it would write where another instance may live",
                field=name,
                rule="backup.outside",
                remedy="use relative paths in chancery.toml before you back an instance up",
            )


@contextmanager
def brief_signer(settings: Settings, vault_shares: Sequence[str]) -> Iterator[Settings]:
    """A signer for a while; settings that reach it.

    Its socket has a short path, for a workshop's may be too long.  A vault
    that custodians open gets another seal meanwhile, and then its own again.
    """
    vault = settings.signer.vault
    with tempfile.TemporaryDirectory(prefix="chancery-") as short, ExitStack() as stack:
        changes: dict[str, object] = {"socket": Path(short) / "signer.sock"}
        if settings.signer.custodians:
            if not vault_shares:
                raise BadRequest(
                    "custodians open the vault of this instance",
                    field="vault_shares",
                    rule="backup.vault-shares",
                    remedy="bring them as well: --vault-share-file FILE, repeatable",
                )
            words = [custody.words_of(text) for text in vault_shares]
            own, key = (vault / HEADER).read_bytes(), Path(short) / "unseal.key"
            write_private(key, secrets.token_bytes(32))
            stack.callback(write_private, vault / HEADER, own)
            reseal(vault, Gathered(words), KeyFile(key))
            changes |= {"custodians": False, "unseal_key_file": key}
        here = settings.model_copy(update={"signer": settings.signer.model_copy(update=changes)})
        stack.enter_context(running_signer(here.signer))
        yield here


@contextmanager
def workshop(beside: Path) -> Iterator[Path]:
    """A private directory beside *beside*; whatever is left of it at the end is removed."""
    beside.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{beside.name}.", dir=beside.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _known_to(device: Device) -> tuple[VerifierKey, ...]:
    return tuple(VerifierKey.parse(text) for text in device.standing().about.verifiers)
