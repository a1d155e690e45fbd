"""A signer to test against, and structures for it to sign, built by pyca and not by us."""

import hashlib
import os
import secrets
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.domain.keys import CaAuthorisation, CertificateOrder, KeyInfo, KeyPurpose
from chancery.ports import KeyVault
from chancery.signer import vault
from chancery.signer.client import SignerClient
from chancery.signer.unseal.key_file import KeyFile
from chancery.wire import der
from chancery.wire.algorithms import algorithm_identifier

SERVER_AUTH = ExtendedKeyUsageOID.SERVER_AUTH
THROWAWAY = ec.generate_private_key(ec.SECP256R1())
LEAF = ec.generate_private_key(ec.SECP256R1()).public_key()


def name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def leaf(
    issuer: x509.Name,
    *,
    serial: int | None = None,
    start: timedelta = timedelta(minutes=-5),
    lasting: timedelta = timedelta(days=1),
    ekus: tuple[x509.ObjectIdentifier, ...] = (SERVER_AUTH,),
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = (),
    key: object = LEAF,
    ca: bool | None = None,
) -> bytes:
    """A TBSCertificate for an ECDSA-SHA256 issuer."""
    builder = (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(name("www.example.org"))
        .public_key(key)  # type: ignore[arg-type]
        .serial_number(serial or int.from_bytes(secrets.token_bytes(16)) | 1 << 120)
        .not_valid_before(now() + start)
        .not_valid_after(now() + start + lasting)
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
    if ekus:
        builder = builder.add_extension(x509.ExtendedKeyUsage(ekus), critical=False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(THROWAWAY, hashes.SHA256()).tbs_certificate_bytes


def ca_tbs(
    subject: str,
    issuer: str,
    spki: bytes,
    *,
    path_length: int | None = None,
    lasting: timedelta = timedelta(days=3650),
    ekus: tuple[x509.ObjectIdentifier, ...] = (),
    algorithm: SignatureAlgorithm = SignatureAlgorithm.ECDSA_SHA256,
) -> bytes:
    """A CA's TBSCertificate, its inner algorithm replaced by *algorithm*."""
    builder = (
        x509.CertificateBuilder()
        .issuer_name(name(issuer))
        .subject_name(name(subject))
        .public_key(load_der_public_key(spki))  # type: ignore[arg-type]
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() - timedelta(minutes=10))
        .not_valid_after(now() + lasting)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=False, content_commitment=False, key_encipherment=False,
                data_encipherment=False, key_agreement=False, key_cert_sign=True, crl_sign=True,
                encipher_only=False, decipher_only=False,
            ),
            critical=True,
        )
    )  # fmt: skip
    if ekus:
        builder = builder.add_extension(x509.ExtendedKeyUsage(ekus), critical=False)
    tbs = builder.sign(THROWAWAY, hashes.SHA256()).tbs_certificate_bytes
    return with_algorithm(tbs, algorithm)


def with_algorithm(tbs: bytes, algorithm: SignatureAlgorithm) -> bytes:
    """The same structure, said to be signed with another algorithm."""
    before = algorithm_identifier(SignatureAlgorithm.ECDSA_SHA256)
    _, content = der.single(tbs, der.SEQUENCE)
    return der.tlv(der.SEQUENCE, content.replace(before, algorithm_identifier(algorithm), 1))


def certificate(tbs: bytes, algorithm: SignatureAlgorithm, signature: bytes) -> bytes:
    return der.sequence(tbs, algorithm_identifier(algorithm), der.bit_string(signature))


def order(key_id: str, tbs: bytes, **changes: object) -> CertificateOrder:
    """An honest order for *tbs*, with *changes*."""
    at = 2 + (tbs[1] & 0x7F if tbs[1] & 0x80 else 0) + 5
    serial = int.from_bytes(tbs[at + 2 : at + 2 + tbs[at + 1]])
    honest: dict[str, object] = {
        "key_id": key_id,
        "algorithm": SignatureAlgorithm.ECDSA_SHA256,
        "tbs": tbs,
        "intent_id": "intent-1",
        "serial": format(serial, "x"),
        "tbs_sha256": hashlib.sha256(tbs).hexdigest(),
    }
    return CertificateOrder(**(honest | changes))  # type: ignore[arg-type]


def authorise(tbs: bytes, *approvers: str) -> CaAuthorisation:
    people = approvers or ("alice",)
    return CaAuthorisation(hashlib.sha256(tbs).hexdigest(), people, "ceremony of the test")


def make_root(
    keys: KeyVault,
    key_id: str,
    subject: str,
    *,
    algorithm: KeyAlgorithm = KeyAlgorithm.EC_P256,
    signature: SignatureAlgorithm = SignatureAlgorithm.ECDSA_SHA256,
    ekus: tuple[str, ...] | None = None,
    path_length: int | None = None,
    lasting: timedelta = timedelta(days=3650),
) -> tuple[KeyInfo, bytes]:
    """Generate, self-sign and bind: (key, certificate)."""
    info = keys.generate(key_id, algorithm, KeyPurpose.AUTHORITY)
    tbs = ca_tbs(
        subject, subject, info.spki, path_length=path_length, algorithm=signature, lasting=lasting
    )
    made = keys.sign_ca_certificate(key_id, signature, tbs, authorise(tbs))
    root = certificate(tbs, signature, made)
    keys.bind(key_id, root, ekus)
    return info, root


def spki_of(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@dataclass
class SignerProcess:
    """``python -m chancery.signer`` over its own vault and journal in *home*."""

    home: Path
    process: subprocess.Popen[str] | None = None
    clients: list[SignerClient] = field(default_factory=list)

    @classmethod
    def create(cls, home: Path) -> "SignerProcess":
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        home.chmod(0o700)
        secret = home / "unseal.key"
        secret.touch(0o600)
        secret.write_bytes(os.urandom(32))
        vault.create(home / "vault", KeyFile(secret))
        return cls(home)

    @property
    def command(self) -> list[str]:
        return [
            sys.executable, "-m", "chancery.signer",
            "--vault", str(self.home / "vault"), "--journal", str(self.home / "journal"),
            "--socket", str(self.home / "run" / "signer.sock"),
            "--unseal-file", str(self.home / "unseal.key"),
        ]  # fmt: skip

    def start(self, *extra: str) -> None:
        with (self.home / "signer.log").open("a") as log:
            self.process = subprocess.Popen(
                [*self.command, *extra], stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line == "ready\n", (self.home / "signer.log").read_text()

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.reap()

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.reap()

    def reap(self) -> int:
        assert self.process is not None
        status = self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None
        for client in self.clients:
            client.close()
        return status

    def client(self) -> SignerClient:
        self.clients.append(SignerClient(self.home / "run" / "signer.sock"))
        return self.clients[-1]
