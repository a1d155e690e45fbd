"""A CA house in one process plus its signer: the real parts, wired as ``chancery.app`` does."""

import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from chancery.adapters.publication import DirectoryPublisher
from chancery.adapters.storage.migrate import migrate
from chancery.adapters.storage.store import SqlStore, open_store
from chancery.domain.identity import GRANTS, SYSTEM, AuthMethod, Principal, Role
from chancery.domain.profile import DAY_S, EKU_NAMES, ExtensionProfile, KeyUsage, ProfileVersion
from chancery.services.authority import AuthorityService
from chancery.services.status import StatusService
from chancery.signer.client import SignerClient
from chancery.signer.unseal.key_file import KeyFile
from chancery.signer.vault import create
from chancery.wire import documents

HTTP = "http://pki.example.org"


@dataclass
class MovableClock:
    """The system's clock, moved ahead at will."""

    ahead_s: int = 0

    def ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead_s * 1000

    def s(self) -> int:
        return self.ms() // 1000


def operator(name: str = "olga", *groups: str) -> Principal:
    role = Role.CA_OPERATOR
    return Principal(
        name, frozenset({role}), frozenset(groups), GRANTS[role], AuthMethod.TOKEN, "192.0.2.1"
    )


def ocsp_profile() -> ProfileVersion:
    profile = ExtensionProfile(
        name="ocsp-signer",
        validity_s=30 * DAY_S,
        key_usage=(KeyUsage.DIGITAL_SIGNATURE,),
        extended_key_usage=(EKU_NAMES["OCSPSigning"],),
        cdp=(),
        aia_ocsp=(),
        ocsp_no_check=True,
    )
    return ProfileVersion(profile, 1, documents.sha256(profile), 1_767_225_600, "test")


@contextmanager
def signer(directory: Path) -> Iterator[SignerClient]:
    """A signer process over a fresh vault."""
    key = directory / "unseal.key"
    key.write_bytes(secrets.token_bytes(32))
    key.chmod(0o600)
    create(directory / "vault", KeyFile(key))
    (directory / "journal").mkdir(mode=0o700)
    socket = directory / "run" / "signer.sock"
    socket.parent.mkdir(mode=0o700)
    process = subprocess.Popen(
        [sys.executable, "-m", "chancery.signer", "--vault", directory / "vault", "--journal",
         directory / "journal", "--socket", socket, "--unseal-file", key],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            client = SignerClient(socket)
            yield client
            client.close()
        finally:
            process.terminate()


def clean(_: ProfileVersion) -> Callable[[bytes], Sequence[str]]:
    return lambda _der: ()


@dataclass
class House:
    """Everything a test needs to be a CA."""

    directory: Path
    vault: SignerClient
    lint: Callable[[ProfileVersion], Callable[[bytes], Sequence[str]]] = clean
    vault_kind: str = "software"
    clock: MovableClock = field(default_factory=MovableClock)

    def __post_init__(self) -> None:
        url = f"sqlite:///{self.directory / 'chancery.db'}"
        migrate(url)
        self.store: SqlStore = open_store(url, clock=self.clock)
        self.publisher = DirectoryPublisher(self.directory / "public")
        self.status = StatusService(
            self.store,
            self.vault,
            self.clock,
            secrets.token_bytes,
            self.publisher,
            http=HTTP,
            responder_profile=ocsp_profile,
            lint=self.lint,
        )
        self.authorities = AuthorityService(
            self.store,
            self.vault,
            self.clock,
            secrets.token_bytes,
            self.status,
            http=HTTP,
            vault_kind=self.vault_kind,
            lint=self.lint,
        )
        self.authorities.create_container(SYSTEM, "lab", None)

    def close(self) -> None:
        self.store.close()
