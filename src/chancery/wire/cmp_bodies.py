"""The bodies of CMP messages that we read and write (RFC 9810 §5.3)."""

import hashlib
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from chancery.domain.certificate import RevocationReason
from chancery.wire import ca_certificate, crmf, der
from chancery.wire.certification import decode_extensions
from chancery.wire.cmp import bad, read_certificates
from chancery.wire.cmp_kinds import Failure

_EXPLICIT: Final = der.CONTEXT | der.CONSTRUCTED
_REASON_CODE: Final = "2.5.29.21"
REMOVE_FROM_CRL: Final = 8
_HASHES: Final = {
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
_MAX_ENTRIES: Final = 8
_MAX_TEXT: Final = 500
NO_REQUEST_ID: Final = -1
"""certReqId of what had none, a PKCS#10 request (RFC 9810 §5.3.4)."""


class Status(IntEnum):
    """PKIStatus."""

    ACCEPTED = 0
    GRANTED_WITH_MODS = 1
    REJECTION = 2
    WAITING = 3
    REVOCATION_WARNING = 4
    REVOCATION_NOTIFICATION = 5
    KEY_UPDATE_WARNING = 6


@dataclass(frozen=True, slots=True)
class StatusInfo:
    """PKIStatusInfo."""

    status: int
    text: str = ""
    failures: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class CertificateResponse:
    """The CertResponse of a message; *key* is the DER EnvelopedData of a private key."""

    request_id: int
    status: StatusInfo
    certificate: bytes | None = None
    key: bytes | None = None
    issuers: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A CertStatus.  *hash_algorithm* is an AlgorithmIdentifier."""

    certificate_hash: bytes
    request_id: int
    status: StatusInfo | None
    hash_algorithm: bytes | None


@dataclass(frozen=True, slots=True)
class RevocationWish:
    """A RevDetails: which certificate, and the code of the reason."""

    template: crmf.Template
    reason: int


def requests(content: bytes) -> bytes:
    """DER CertReqMsg of an ir, cr or kur: they hold one each (RFC 9483 §4.1)."""
    reader = der.Reader(der.single(content, der.SEQUENCE)[1])
    first = reader.read(der.SEQUENCE)[2]
    if reader:
        raise bad("more than one request in a message", "cmp.one-request")
    return first


def read_status(reader: der.Reader) -> StatusInfo:
    """The next value, a PKIStatusInfo."""
    inner = reader.enter(der.SEQUENCE)
    status = der.decode_integer(inner.content(der.INTEGER))
    text = _free_text(inner.content(der.SEQUENCE)) if inner.peek() == der.SEQUENCE else ""
    bits: tuple[int, ...] = ()
    if inner:
        bits = _bits(inner.content(der.BIT_STRING))
    inner.finish()
    return StatusInfo(status, text, bits)


def _bits(content: bytes) -> tuple[int, ...]:
    """Positions set; trailing zeros are forgiven, since OpenSSL and others write them."""
    octets, _ = der.decode_bit_string(content[:5])
    return tuple(i for i in range(len(octets) * 8) if octets[i // 8] & (0x80 >> (i % 8)))


def _free_text(content: bytes) -> str:
    reader = der.Reader(content)
    found: list[str] = []
    while reader and len(found) < _MAX_ENTRIES:
        found.append(reader.content(der.UTF8_STRING).decode("utf-8", "replace"))
    return "; ".join(found)[:_MAX_TEXT]


def encode_status(info: StatusInfo) -> bytes:
    """DER PKIStatusInfo."""
    parts = [der.integer(info.status)]
    if info.text:
        parts.append(encode_text(info.text))
    if info.failures:
        parts.append(der.named_bits(info.failures))
    return der.sequence(*parts)


def encode_text(text: str) -> bytes:
    """DER PKIFreeText."""
    return der.sequence(der.tlv(der.UTF8_STRING, text[:_MAX_TEXT].encode("utf-8", "replace")))


def encode_response(response: CertificateResponse) -> bytes:
    """DER CertRepMessage of an ip, cp or kup."""
    parts = [der.integer(response.request_id), encode_status(response.status)]
    if response.certificate is not None:
        pair = [der.explicit(0, response.certificate)]
        if response.key is not None:
            enveloped = der.implicit(0, der.single(response.key, der.SEQUENCE)[1], constructed=True)
            pair.append(der.explicit(0, enveloped))
        parts.append(der.sequence(*pair))
    issuers = der.explicit(1, der.sequence(*response.issuers)) if response.issuers else b""
    return der.sequence(issuers, der.sequence(der.sequence(*parts)))


def read_response(content: bytes) -> CertificateResponse:
    """Read the content of an ip, cp or kup."""
    outer = der.Reader(der.single(content, der.SEQUENCE)[1])
    issuers = outer.optional(_EXPLICIT | 1)
    responses = outer.enter(der.SEQUENCE)
    outer.finish()
    one = responses.enter(der.SEQUENCE)
    responses.finish()
    request_id = der.decode_integer(one.content(der.INTEGER))
    status = read_status(one)
    certificate, key = None, None
    if one.peek() == der.SEQUENCE:
        pair = one.enter(der.SEQUENCE)
        certificate = pair.content(_EXPLICIT | 0)
        private = pair.optional(_EXPLICIT | 0)
        if private is not None:
            key = der.tlv(der.SEQUENCE, der.single(private, _EXPLICIT | 0)[1])
    chain = () if issuers is None else read_certificates(issuers)
    return CertificateResponse(request_id, status, certificate, key, chain)


def confirmations(content: bytes) -> tuple[Confirmation, ...]:
    """Read the content of a certConf; none at all means that nothing is accepted."""
    reader = der.Reader(der.single(content, der.SEQUENCE)[1])
    found: list[Confirmation] = []
    while reader:
        if len(found) == _MAX_ENTRIES:
            raise bad("too many confirmations in a message", "cmp.one-request")
        one = reader.enter(der.SEQUENCE)
        digest = one.content(der.OCTET_STRING)
        request_id = der.decode_integer(one.content(der.INTEGER))
        status = read_status(one) if one.peek() == der.SEQUENCE else None
        method = one.optional(_EXPLICIT | 0)
        one.finish()
        found.append(Confirmation(digest, request_id, status, method))
    return tuple(found)


def encode_confirmation(one: Confirmation) -> bytes:
    """DER CertConfirmContent."""
    method = b"" if one.hash_algorithm is None else der.explicit(0, one.hash_algorithm)
    status = b"" if one.status is None else encode_status(one.status)
    digest = der.octet_string(one.certificate_hash)
    return der.sequence(der.sequence(digest, der.integer(one.request_id), status, method))


def revocations(content: bytes) -> RevocationWish:
    """Read the content of an rr, which holds one wish (RFC 9483 §4.2)."""
    reader = der.Reader(der.single(content, der.SEQUENCE)[1])
    one = reader.enter(der.SEQUENCE)
    if reader:
        raise bad("more than one revocation in a message", "cmp.one-request")
    template = crmf.decode_template(one.content(der.SEQUENCE))
    entry = decode_extensions(one.enter(der.SEQUENCE)) if one else ()
    one.finish()
    reason = next((value for oid, _, value in entry if oid == _REASON_CODE), None)
    code = RevocationReason.unspecified.value
    if reason is not None:
        code = der.decode_integer(der.single(reason, der.ENUMERATED)[1])
    return RevocationWish(template, code)


def encode_revocation(wish: RevocationWish) -> bytes:
    """DER RevReqContent."""
    reason = der.tlv(der.ENUMERATED, bytes((wish.reason,)))
    entry = der.sequence(der.sequence(der.oid(_REASON_CODE), der.octet_string(reason)))
    return der.sequence(der.sequence(crmf.encode_template(wish.template), entry))


def encode_revoked(status: StatusInfo, issuer: bytes, serial: int) -> bytes:
    """DER RevRepContent; *issuer* is a DER Name."""
    named = der.sequence(der.explicit(4, issuer), der.integer(serial))
    return der.sequence(der.sequence(encode_status(status)), der.explicit(0, der.sequence(named)))


def read_revoked(content: bytes) -> StatusInfo:
    """The status in the content of an rp."""
    outer = der.Reader(der.single(content, der.SEQUENCE)[1])
    return read_status(outer.enter(der.SEQUENCE))


def encode_error(status: StatusInfo) -> bytes:
    """DER ErrorMsgContent."""
    return der.sequence(encode_status(status))


def read_error(content: bytes) -> StatusInfo:
    """The status in the content of an error message."""
    return read_status(der.Reader(der.single(content, der.SEQUENCE)[1]))


def poll_ids(content: bytes) -> tuple[int, ...]:
    """The certReqIds of a pollReq."""
    reader = der.Reader(der.single(content, der.SEQUENCE)[1])
    found: list[int] = []
    while reader and len(found) < _MAX_ENTRIES:
        found.append(der.decode_integer(reader.enter(der.SEQUENCE).content(der.INTEGER)))
    reader.finish()
    return tuple(found)


def encode_poll(request_id: int) -> bytes:
    """DER PollReqContent."""
    return der.sequence(der.sequence(der.integer(request_id)))


def encode_wait(request_id: int, check_after_s: int, reason: str) -> bytes:
    """DER PollRepContent."""
    return der.sequence(
        der.sequence(der.integer(request_id), der.integer(check_after_s), encode_text(reason))
    )


def read_wait(content: bytes) -> int:
    """After how many seconds to ask again, in the content of a pollRep."""
    one = der.Reader(der.single(content, der.SEQUENCE)[1]).enter(der.SEQUENCE)
    one.content(der.INTEGER)
    return der.decode_integer(one.content(der.INTEGER))


def rejection(failure: Failure, text: str) -> StatusInfo:
    """No, and why."""
    return StatusInfo(Status.REJECTION, text, (failure.value,))


def certificate_hash(certificate: bytes, identifier: bytes | None) -> bytes:
    """certHash: by *identifier*, else by the digest of the certificate's signature (§5.3.18)."""
    if identifier is not None:
        oid = der.decode_oid(der.Reader(der.single(identifier, der.SEQUENCE)[1]).content(der.OID))
        if oid not in _HASHES:
            raise bad(f"a hash that is not accepted: {oid}", "mac.algorithm")
        return hashlib.new(_HASHES[oid], certificate).digest()
    signed_by = ca_certificate.decode(certificate).signature_algorithm.value
    name = signed_by.rpartition("-")[2]
    # Ed25519 hashes with SHA-512 (RFC 9481 §3.3); ML-DSA says nothing, and SHA-512 suits it.
    return hashlib.new(name if name in _HASHES.values() else "sha512", certificate).digest()
