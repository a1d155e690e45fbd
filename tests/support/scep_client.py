"""A SCEP client of our own making: builds messages with pyca and our writer, right and wrong."""

import datetime as dt
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_der_private_key

from chancery.domain.keys import KeyTransport
from chancery.wire import cms, cms_writing, der, scep
from chancery.wire import cms_algorithms as alg

VECTORS = Path(__file__).parents[1] / "vectors" / "scep"
ARC = "2.16.840.1.113733.1.9."
Attribute = tuple[str, bytes]


def key(name: str) -> rsa.RSAPrivateKey:
    """A private key among the vectors: making one takes longer than a test should."""
    loaded = load_der_private_key((VECTORS / f"{name}.key.der").read_bytes(), None)
    assert isinstance(loaded, rsa.RSAPrivateKey)
    return loaded


def printable(text: str) -> bytes:
    return der.tlv(der.PRINTABLE_STRING, text.encode())


def self_signed(private: rsa.RSAPrivateKey, subject: x509.Name) -> bytes:
    """The certificate that a client without one signs its first message with."""
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=7))
        .sign(private, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )


def csr(
    private: rsa.RSAPrivateKey,
    subject: x509.Name,
    *,
    challenge: str | None = None,
    names: Sequence[x509.GeneralName] = (),
) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if challenge is not None:
        builder = builder.add_attribute(
            x509.oid.AttributeOID.CHALLENGE_PASSWORD, challenge.encode()
        )
    return builder.sign(private, hashes.SHA256()).public_bytes(Encoding.DER)


@dataclass
class Client:
    """Speaks SCEP with one key.  *certificate* signs: its own, or one that was issued."""

    private: rsa.RSAPrivateKey
    certificate: bytes
    ra: bytes
    digest: alg.Digest = alg.Digest.SHA256
    cipher: alg.ContentCipher = alg.ContentCipher.AES_128
    transport: KeyTransport = KeyTransport.PKCS1
    nonce: bytes = field(default_factory=lambda: os.urandom(16))

    def sign(self, data: bytes) -> bytes:
        return self.private.sign(data, padding.PKCS1v15(), alg.hash_of(self.digest))

    def message(
        self,
        kind: int | str,
        content: bytes,
        transaction: str = "T1",
        *,
        change: Callable[[list[Attribute]], list[Attribute]] = lambda attributes: attributes,
        envelope: bytes | None = None,
        sign: Callable[[bytes], bytes] | None = None,
    ) -> bytes:
        """One PKIOperation; *change* edits its attributes, *envelope* replaces what is in it."""
        attributes = [
            (ARC + "2", printable(str(kind))),
            (ARC + "7", printable(transaction)),
            (ARC + "5", der.octet_string(self.nonce)),
        ]
        recipient = cms.read_certificate(self.ra)
        if envelope is None:
            envelope = cms_writing.enveloped(
                content, recipient, self.transport, self.cipher, os.urandom
            )
        return cms_writing.signed(
            envelope,
            change(attributes),
            cms.read_certificate(self.certificate),
            self.digest,
            sign or self.sign,
            certificates=[self.certificate],
        )

    def read(self, reply: bytes) -> "Reply":
        """Check a CertRep as a client does, and open it."""
        signed = cms.read_signed(reply)
        signed.verify(cms.read_certificate(self.ra))
        status = text(signed, "3")
        fail = text(signed, "4") if ARC + "4" in signed.attributes else None
        assert text(signed, "2") == "3"
        assert signed.attributes[ARC + "6"] == ((der.OCTET_STRING, self.nonce),)
        opened = self.open(signed.content) if signed.content else b""
        return Reply(status, fail, text(signed, "7"), opened, signed)

    def open(self, enveloped: bytes) -> bytes:
        return unwrap(enveloped, self.private, self.certificate)


@dataclass(frozen=True)
class Reply:
    status: str
    fail: str | None
    transaction: str
    content: bytes
    signed: cms.Signed

    def certificates(self) -> list[bytes]:
        from chancery.wire import pkcs7  # noqa: PLC0415

        return pkcs7.certificates(self.content)


def text(signed: cms.Signed, number: str) -> str:
    ((_, content),) = signed.attributes[ARC + number]
    return content.decode()


def unwrap(enveloped: bytes, private: rsa.RSAPrivateKey, certificate: bytes) -> bytes:
    """Decrypt an EnvelopedData with *private*."""
    message = cms.read_enveloped(enveloped)
    mine = cms.read_certificate(certificate)
    recipient = message.recipient(mine.issuer, mine.serial)
    if recipient.transport is KeyTransport.PKCS1:
        scheme: padding.AsymmetricPadding = padding.PKCS1v15()
    else:
        digest = alg.hash_of(alg.Digest(recipient.transport.value.removeprefix("oaep-")))
        scheme = padding.OAEP(padding.MGF1(digest), digest, None)
    return message.encryption.decrypt(
        private.decrypt(recipient.encrypted_key, scheme), message.encrypted
    )


__all__ = ["ARC", "Client", "Reply", "csr", "key", "printable", "scep", "self_signed", "unwrap"]
