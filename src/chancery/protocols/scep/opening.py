"""A PKIOperation message opened: its signature checked, its envelope decrypted."""

from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import rsa

from chancery.domain.errors import BadRequest
from chancery.domain.keys import KeyTransport
from chancery.protocols.scep.errors import unopened
from chancery.wire import cms, scep
from chancery.wire import cms_algorithms as alg

Decrypt = Callable[[KeyTransport, bytes], bytes]
"""Opens a content-encryption key with the door's own; random octets where it was none."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What a client sent.  *signer* signed it; who that is, the message type decides."""

    kind: scep.Kind
    transaction: str
    signer: cms.Certificate
    payload: bytes
    transport: KeyTransport
    cipher: alg.ContentCipher


def open_message(
    signed: cms.Signed,
    attributes: scep.Whole,
    recipients: tuple[bytes, ...],
    decrypt: Decrypt,
    *,
    legacy: bool,
) -> Opened:
    """Raises BadRequest.  *recipients* are the door's certificates, the current one first."""
    kind = _kind(attributes.kind)
    _modern(signed.digest is not alg.Digest.SHA1, "SHA-1", legacy=legacy)
    signer = signed.signer()
    signed.verify(signer)
    if not isinstance(signer.public_key(), rsa.RSAPublicKey):
        raise alg.refused("a signer whose key the answer cannot be encrypted to", "key")
    envelope = cms.read_enveloped(signed.content)
    encryption = envelope.encryption
    _modern(encryption.cipher is not alg.ContentCipher.TRIPLE_DES, "3DES", legacy=legacy)
    recipient = _recipient(envelope, recipients)
    transport = recipient.transport
    key = decrypt(transport, recipient.encrypted_key)
    try:
        payload = encryption.decrypt(key, envelope.encrypted)
    except ValueError:
        raise unopened() from None
    return Opened(kind, attributes.transaction, signer, payload, transport, encryption.cipher)


def _kind(number: int) -> scep.Kind:
    try:
        kind = scep.Kind(number)
    except ValueError:
        kind = scep.Kind.CERT_REP
    if kind is scep.Kind.CERT_REP:  # an answer, which nobody sends us
        raise BadRequest(
            f"no request has message type {number}",
            field="messageType",
            rule="scep.message-type",
            remedy="17 RenewalReq, 19 PKCSReq, 20 CertPoll, 21 GetCert or 22 GetCRL",
        )
    return kind


def _modern(modern: bool, what: str, *, legacy: bool) -> None:
    if not modern and not legacy:
        raise BadRequest(
            f"{what} is not accepted",
            field="message",
            rule="scep.legacy",
            remedy="use SHA-256 and AES; an administrator can open a door to old devices",
        )


def _recipient(envelope: cms.Enveloped, certificates: tuple[bytes, ...]) -> cms.Recipient:
    for certificate in certificates:
        ours = cms.read_certificate(certificate)
        for one in envelope.recipients:
            if one.key_identifier is None and (one.issuer, one.serial) == (
                ours.issuer,
                ours.serial,
            ):
                return one
    raise unopened()
