"""An offline CA's store: one encrypted file, opened by custodians or a passphrase.

In the file: the vault, the signer's journal, every CA's register, and the key
that signs transcripts.  AES-256-GCM under a key of its own, which is wrapped
under what the custodians' shares (or Argon2id of the passphrase) make.  While
it is open its parts lie in a private directory in memory, where keys are still
sealed; the file is replaced whole, and durably, before anything that was
signed is let out.
"""

import json
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chancery.app.instance_files import write_private
from chancery.app.signer_process import running_signer
from chancery.ceremony.office import Ceremony, OfflineCa
from chancery.domain.errors import AlreadyExists, Conflict, NotFound, Unavailable
from chancery.domain.vaults import SOFTWARE
from chancery.settings import Signer
from chancery.settings_vaults import VaultSettings
from chancery.signer import files, sealing
from chancery.signer.client import SignerClient
from chancery.signer.envelopes import pretty
from chancery.signer.unseal import Parameters, UnsealSource
from chancery.signer.unseal.key_file import KeyFile
from chancery.signer.vault import create
from chancery.signer.vaults_client import VaultsClient
from chancery.wire.note import VerifierKey

TOKEN: Final = "token"  # noqa: S105 - a name
"""What the token's vault is called in here, whichever token it is."""
_FORMAT: Final = "chancery-offline-store-1"
_MAX: Final = 64 * 1024 * 1024  # octets
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a private directory is made in it


@dataclass
class Store:
    """An open store.  *metadata* is its outer shape: what opens it."""

    path: Path
    metadata: dict[str, Any]
    key: bytearray
    wrapped: dict[str, str]
    transcript_key: Ed25519PrivateKey
    name: str
    unseal_key: bytearray
    inside: Path
    sequence: int = 0
    previous: str = ""
    client: SignerClient | None = field(default=None, repr=False)
    vault: str = SOFTWARE
    """Where new keys are made: in the store, or on the token."""

    @property
    def verifier(self) -> VerifierKey:
        """What the transcripts and answers of this store are verified with."""
        return VerifierKey(self.name, self.transcript_key.public_key().public_bytes_raw())

    def directory(self, ca: str) -> Path:
        return self.inside / "ca" / ca

    def authorities(self) -> list[str]:
        home = self.inside / "ca"
        return sorted(one.name for one in home.iterdir()) if home.exists() else []

    def office(self, ca: str, operators: tuple[str, ...]) -> Ceremony:
        """The office of a CA whose key is in here; NotFound."""
        assert self.client is not None
        directory = self.directory(ca)
        if not directory.is_dir():
            raise NotFound(
                f"this store holds no CA {ca!r}",
                field="issuer",
                rule="ceremony.issuer",
                remedy="it holds " + (", ".join(self.authorities()) or "none yet"),
            )
        self._check_reach(ca)
        return Ceremony(directory, self.client, OfflineCa.read(directory), operators, ca)

    def _check_reach(self, ca: str) -> None:
        """Raise Conflict if its key is on a token that the script did not name."""
        assert self.client is not None
        try:
            self.client.key(ca)
        except NotFound as error:
            if error.rule == "vault.unknown":
                raise Conflict(
                    f"the key of {ca} is on a token",
                    field="token",
                    rule="ceremony.token",
                    remedy="say which in the script: [token]",
                ) from error
            # else it is about to be made

    def reseal(self, new: UnsealSource) -> None:
        """Have another secret open it, with the next ``save``."""
        parameters = dict(new.new_parameters())
        self.key[:] = secrets.token_bytes(len(self.key))
        self.metadata = self.metadata | {"unseal": new.kind, "parameters": parameters}
        wrapping = new.key(parameters)
        self.wrapped = sealing.wrap(wrapping, self.key, self.metadata)
        files.wipe(wrapping)

    def save(self) -> None:
        """Encrypt everything into the file: temporary, fsync, rename."""
        parts = {
            str(path.relative_to(self.inside)): sealing.encode(path.read_bytes())
            for path in sorted(self.inside.rglob("*"))
            if path.is_file()
        }
        body = {
            "transcript_key": sealing.encode(self.transcript_key.private_bytes_raw()),
            "unseal_key": sealing.encode(bytes(self.unseal_key)),
            "sequence": self.sequence,
            "previous": self.previous,
            "parts": parts,
        }
        sealed = sealing.wrap(self.key, json.dumps(body).encode(), self.metadata)
        document = {"metadata": self.metadata, "key": self.wrapped, "body": sealed}
        files.replace(self.path, pretty(document))


@dataclass(frozen=True, slots=True)
class TokenUse:
    """A PKCS#11 token that holds keys of this store, and how its PIN is asked for."""

    module: Path
    label: str | None
    serial: str | None
    ask_pin: Callable[[], str]


@contextmanager
def new_store(
    path: Path, name: str, source: UnsealSource, token: TokenUse | None = None
) -> Iterator[Store]:
    """A new store at *path*, which is written by the first ``save``."""
    if path.exists():
        raise AlreadyExists(f"{path} exists", field="store", rule="ceremony.store")
    with _private() as inside:
        metadata: dict[str, Any] = {
            "format": _FORMAT,
            "name": name,
            "unseal": source.kind,
            "parameters": dict(source.new_parameters()),
        }
        key = bytearray(secrets.token_bytes(sealing.KEY))
        wrapping = source.key(metadata["parameters"])
        wrapped = sealing.wrap(wrapping, key, metadata)
        files.wipe(wrapping)
        unseal_key = bytearray(secrets.token_bytes(sealing.KEY))
        made = Store(
            path, metadata, key, wrapped, Ed25519PrivateKey.generate(), name, unseal_key, inside
        )
        with _key_file(made) as key_file:
            create(inside / "vault", KeyFile(key_file))
        (inside / "journal").mkdir(mode=0o700)
        (inside / "ca").mkdir(mode=0o700)
        with _signing(made, token):
            yield made


@contextmanager
def open_store(path: Path, source: UnsealSource, token: TokenUse | None = None) -> Iterator[Store]:
    """Open the store at *path*.  Unavailable says whether the secret or the file is wrong."""
    document = _read(path)
    metadata = document["metadata"]
    if metadata["unseal"] != source.kind:
        raise Unavailable(
            f"this store opens with {metadata['unseal']}, not with {source.kind}",
            field="store",
            rule="unseal.kind",
        )
    wrapping = source.key(metadata["parameters"])
    try:
        key = sealing.unwrap(wrapping, **document["key"], metadata=metadata)
    except (sealing.Tampered, TypeError):
        raise Unavailable(
            f"the {source.kind} does not open this store",
            field="store",
            rule="unseal.wrong",
            remedy="use the secret it was made with, or another copy of the file",
        ) from None
    finally:
        files.wipe(wrapping)
    try:
        body = json.loads(sealing.unwrap(key, **document["body"], metadata=metadata))
    except (sealing.Tampered, TypeError, ValueError):
        raise _spoilt(path) from None
    with _private() as inside:
        for name, data in body["parts"].items():
            place = inside / name
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(place, sealing.decode(data))
        for part in ("journal", "ca"):
            (inside / part).mkdir(mode=0o700, exist_ok=True)
        store = Store(
            path,
            metadata,
            key,
            document["key"],
            Ed25519PrivateKey.from_private_bytes(sealing.decode(body["transcript_key"])),
            metadata["name"],
            bytearray(sealing.decode(body["unseal_key"])),
            inside,
            body["sequence"],
            body["previous"],
        )
        with _signing(store, token):
            yield store


def check_opens(path: Path, source: UnsealSource) -> None:
    """Raise unless *source* opens the store that lies at *path*: asked of the file itself."""
    document = _read(path)
    wrapping = source.key(document["metadata"]["parameters"])
    try:
        files.wipe(sealing.unwrap(wrapping, **document["key"], metadata=document["metadata"]))
    except (sealing.Tampered, TypeError):
        raise _spoilt(path) from None
    finally:
        files.wipe(wrapping)


def opened_by(path: Path) -> tuple[str, Parameters]:
    """What opens the store at *path*: the kind of secret, and its parameters in clear."""
    metadata = _read(path)["metadata"]
    return metadata["unseal"], metadata["parameters"]


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise NotFound(
            f"{path} does not exist",
            field="store",
            rule="ceremony.store",
            remedy="a first script says who is to open it: [new_store]",
        )
    raw = files.read_private(path, limit=_MAX)
    try:
        document: dict[str, Any] = json.loads(raw)
        metadata = document["metadata"]
        sound = (
            metadata["format"] == _FORMAT
            and isinstance(metadata["name"], str)
            and isinstance(metadata["unseal"], str)
            and isinstance(metadata["parameters"], dict)
            and set(document["key"]) == set(document["body"]) == {"nonce", "wrapped"}
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        sound = False
    if not sound:
        raise _spoilt(path)
    return document


@contextmanager
def _signing(store: Store, token: TokenUse | None) -> Iterator[None]:
    """The signer's process on the open parts; the key file is gone before anybody is asked."""
    with tempfile.TemporaryDirectory(prefix="chancery-") as private, ExitStack() as stack:
        socket = Path(private) / "signer.sock"
        with _key_file(store) as key_file:
            settings = Signer(
                vault=store.inside / "vault",
                journal=store.inside / "journal",
                socket=socket,
                unseal_key_file=key_file,
                vaults=_vaults(token),
            )
            stack.enter_context(running_signer(settings))
        store.client = SignerClient(socket)
        try:
            if token is not None:
                _unlock(store.client, token)
                store.vault = TOKEN
            yield
        finally:
            store.client.close()
            files.wipe(store.key)
            files.wipe(store.unseal_key)


def _unlock(client: SignerClient, token: TokenUse) -> None:
    try:
        VaultsClient(client.ask).unlock(TOKEN, token.ask_pin().encode())
    except Unavailable as error:
        what = token.label or token.serial
        refused = error.rule == "vault.pin-refused"
        raise Unavailable(
            str(error).replace(f"vault {TOKEN}", f"the token {what}"),
            field="token",
            rule=error.rule,
            remedy="nothing was done; take care with the PIN: the token counts wrong ones"
            if refused
            else "nothing was done; plug in the token that the script names",
        ) from error


def _vaults(token: TokenUse | None) -> tuple[VaultSettings, ...]:
    if token is None:
        return ()
    settings = VaultSettings(
        name=TOKEN, kind="pkcs11", module=token.module, token=token.label, serial=token.serial
    )
    return (settings,)


@contextmanager
def _key_file(store: Store) -> Iterator[Path]:
    path = store.inside.parent / f"{store.inside.name}.key"
    write_private(path, bytes(store.unseal_key))
    try:
        yield path
    finally:
        path.write_bytes(bytes(sealing.KEY))
        path.unlink()


@contextmanager
def _private() -> Iterator[Path]:
    """A directory for this process alone, in memory where the system has such a place."""
    home = Path(tempfile.mkdtemp(prefix="chancery-", dir=_MEMORY if _MEMORY.is_dir() else None))
    inside = home / "store"
    inside.mkdir(mode=0o700)
    try:
        yield inside
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _spoilt(path: Path) -> Unavailable:
    return Unavailable(
        f"{path} was changed, or is no store",
        field="store",
        rule="ceremony.store-spoilt",
        remedy="take another copy of it",
    )
