"""A CA house in one process plus its signer: the real parts, wired as ``chancery.app`` does."""

import hashlib
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chancery.adapters.changes import SharedChanges
from chancery.adapters.publication import DirectoryPublisher
from chancery.adapters.storage import migrate
from chancery.adapters.storage.store import SqlStore, open_store
from chancery.domain.authority import CRL_URLS
from chancery.domain.certificate import (
    CertificateRecord,
    CertificateStatus,
    Intent,
    RevocationReason,
)
from chancery.domain.errors import Unavailable
from chancery.domain.identity import GRANTS, SYSTEM, AuthMethod, Principal, Role
from chancery.domain.ids import new_id
from chancery.domain.keys import CertificateOrder
from chancery.domain.names import GeneralName, NameKind
from chancery.domain.profile import DAY_S, EKU_NAMES, ExtensionProfile, ProfileVersion
from chancery.domain.shipped import PROFILES
from chancery.domain.vaults import SOFTWARE, VaultChoice, VaultKind
from chancery.ports import KeyVault, Session
from chancery.services.audit import event
from chancery.services.authority import AuthorityService
from chancery.services.indirect import listed_by, listing
from chancery.services.issuers import find, issuer_context
from chancery.services.status import StatusService
from chancery.signer.client import SignerClient
from chancery.signer.unseal.key_file import KeyFile
from chancery.signer.vault import create
from chancery.wire import documents, pem
from chancery.wire.lint import compile_lint
from chancery.wire.names import parse_text
from chancery.wire.tbs import assemble, certificate, compile_profile

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


def ocsp_profile(lasting_s: int = 30 * DAY_S) -> ProfileVersion:
    shipped = next(p for p in PROFILES if p.name == "ocsp-signer")
    profile = replace(shipped, validity_s=lasting_s)
    return ProfileVersion(profile, 1, documents.sha256(profile), 1_767_225_600, "test")


def leaf_profile(cdp: tuple[str, ...] = CRL_URLS) -> ProfileVersion:
    profile = ExtensionProfile(name="leaf", extended_key_usage=(EKU_NAMES["serverAuth"],), cdp=cdp)
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


class Wavering:
    """A vault with something that happens at a call: before it, or after it and before the answer."""

    def __init__(self, vault: SignerClient) -> None:
        self._vault = vault
        self.before: dict[str, Callable[[], object]] = {}
        self.after: dict[str, Callable[[], object]] = {}

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._vault, name)

        def call(*arguments: object, **named: object) -> object:
            self.before.pop(name, lambda: None)()
            answer = method(*arguments, **named)
            self.after.pop(name, lambda: None)()
            return answer

        return call


def away() -> None:
    raise Unavailable("the signer is away")


@dataclass
class House:
    """Everything a test needs to be a CA."""

    directory: Path
    vault: KeyVault
    lint: Callable[[ProfileVersion], Callable[[bytes], Sequence[str]]] = compile_lint
    vault_kind: str = "software"
    responder_s: int = 30 * DAY_S
    clock: MovableClock = field(default_factory=MovableClock)
    database: str | None = None  # URL; None: SQLite in *directory*

    def __post_init__(self) -> None:
        self.directory.mkdir(exist_ok=True)
        url = self.database or f"sqlite:///{self.directory / 'chancery.db'}"
        migrate(url)
        self.url = url
        self.revocations = SharedChanges(self.directory / "run" / "revocations")
        self.store: SqlStore = open_store(url, clock=self.clock, moved=self.revocations.bump)
        self.publisher = DirectoryPublisher(self.directory / "public")
        self.status = self.again()
        self.authorities = AuthorityService(
            self.store,
            self.vault,
            self.clock,
            secrets.token_bytes,
            self.status,
            http=HTTP,
            vaults=VaultChoice({SOFTWARE: VaultKind(self.vault_kind)}),
            lint=self.lint,
        )
        self.authorities.create_container(SYSTEM, "lab", None)

    def again(self) -> StatusService:
        """What another process has: the same record, and nothing in memory."""
        return StatusService(
            self.store,
            self.vault,
            self.clock,
            secrets.token_bytes,
            self.publisher,
            http=HTTP,
            responder_profile=lambda: ocsp_profile(self.responder_s),
            lint=self.lint,
            moved=self.revocations.count,
        )

    def close(self) -> None:
        self.store.close()
        self.revocations.close()

    def leaf(
        self,
        ca: str,
        common_name: str,
        *,
        lasting_s: int | None = None,
        cdp: tuple[str, ...] = CRL_URLS,
        spki: bytes | None = None,
    ) -> CertificateRecord:
        """Issue an end-entity certificate the way issuance does, without its policy."""
        with self.store.read() as session:
            authority = find(session, ca)
            certificates = session.authorities.certificates(ca)
            listed = listed_by(session, listing(session.authorities.all(), ca), HTTP)
        context = issuer_context(authority, certificates, HTTP, listed)
        version = leaf_profile(cdp)
        key = ec.generate_private_key(ec.SECP256R1()).public_key()
        serial = int.from_bytes(secrets.token_bytes(16)) | 1 << 126
        draft = compile_profile(version, context).build(
            serial=serial,
            subject=parse_text(f"CN={common_name}"),
            spki=spki or key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            names=(GeneralName(NameKind.DNS, common_name),),
            extensions=(),
            lasting_s=lasting_s or version.profile.validity_s,
        )
        now = self.clock.s()
        validity = draft.validity.starting(int(time.time()))
        tbs = assemble(draft, *validity)
        identity = new_id(self.clock.ms(), secrets.token_bytes(10))
        key_id = authority.key_id
        assert key_id is not None
        digest = hashlib.sha256(tbs).hexdigest()
        intent = Intent(
            identity, ca, key_id, f"{serial:x}", tbs, identity, version.sha256, digest, now
        )
        self.store.write(lambda session: session.certificates.intend([intent]))
        algorithm = authority.signature_algorithm
        order = CertificateOrder(key_id, algorithm, tbs, identity, f"{serial:x}", digest)
        (signature,) = self.vault.sign_certificates([order])
        assert isinstance(signature, bytes), signature
        der = certificate(tbs, algorithm, signature)
        record = CertificateRecord(
            id=identity,
            authority=ca,
            serial=f"{serial:x}",
            subject=f"CN={common_name}",
            names=(GeneralName(NameKind.DNS, common_name),),
            not_before=validity[0],
            not_after=validity[1],
            key_sha256=digest,
            sha256=hashlib.sha256(der).hexdigest(),
            profile=version.profile.name,
            profile_sha256=version.sha256,
            request_id=identity,
            requester="rita",
            der=der,
            issued_at=now,
        )
        self.store.write(lambda session: session.certificates.issue([record], [identity]))
        return record

    def revoke(self, record: CertificateRecord, reason: RevocationReason) -> None:
        """Revoke, and wish for a CRL in the same unit with an audit leaf, as the revocation service does."""

        def unit(session: Session) -> None:
            session.certificates.set_status(
                record.id,
                [CertificateStatus.VALID],
                CertificateStatus.REVOKED,
                revoked_at=self.clock.s(),
                reason=reason,
            )
            session.crls.mark_due(record.authority, self.clock.s())
            session.audit.append([event(SYSTEM, "certificate.revoked", record.id)], self.clock.ms())

        self.store.write(unit)

    def pem(self, name: str, *ders: bytes) -> Path:
        """Write certificates to a PEM file and return its path."""
        path = self.directory / name
        path.write_text("".join(pem.encode("CERTIFICATE", der) for der in ders))
        return path
