"""OCSP requests and responses (RFC 6960, RFC 9654 nonces), written for the hot path.

Bytes in, values out, and back.  No I/O, no clock, no settings.  Requests are
parsed by hand because a responder is asked more often than anything else in
the house, and because several CertIDs in one request must work.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from chancery.domain.algorithms import SignatureAlgorithm
from chancery.domain.certificate import RevokedEntry
from chancery.domain.errors import BadRequest, TooLarge
from chancery.wire import algorithms, der
from chancery.wire.crl import generalized_time
from chancery.wire.ocsp_fast import response_heads

MAX_REQUEST = 8 * 1024
"""Octets; a request for MAX_CERT_IDS certificates with a nonce fits twice."""

MAX_CERT_IDS = 32
"""Statuses one request may ask for: each costs a look-up, and one answer signs for all."""

MAX_NONCE = 128
"""Octets (RFC 9654 §2.1)."""

_NONCE = der.oid("1.3.6.1.5.5.7.48.1.2")
_ARCHIVE_CUTOFF = der.oid("1.3.6.1.5.5.7.48.1.6")
_EXTENDED_REVOKE = der.sequence(der.oid("1.3.6.1.5.5.7.48.1.9"), der.octet_string(b"\x05\x00"))
_HASHES = {
    bytes.fromhex("06052b0e03021a"): "sha1",
    bytes.fromhex("0609608648016503040201"): "sha256",
}
_HASH_LENGTH = {"sha1": 20, "sha256": 32}


class Failure(IntEnum):
    """OCSPResponseStatus values that carry no response (RFC 6960 §4.2.1)."""

    MALFORMED_REQUEST = 1
    INTERNAL_ERROR = 2
    TRY_LATER = 3
    SIG_REQUIRED = 5
    UNAUTHORIZED = 6


_FAILURES = {failure: der.sequence(der.tlv(0x0A, bytes([failure.value]))) for failure in Failure}


def failure(kind: Failure) -> bytes:
    """An unsigned OCSPResponse that only says what went wrong."""
    return _FAILURES[kind]


@dataclass(frozen=True, slots=True)
class CertId:
    """Whose certificate, and which.  *raw* is echoed in the answer, octet by octet.

    *hash* is ``sha1``, ``sha256``, or None for a hash we do not compute.
    *serial* is lower-case hex without leading zeros, ``-`` in front if negative.
    """

    raw: bytes
    hash: str | None
    issuer_name_hash: bytes
    issuer_key_hash: bytes
    serial: str


@dataclass(frozen=True, slots=True)
class Request:
    """The certificates asked for, in order, and the nonce, if one was sent."""

    cert_ids: tuple[CertId, ...]
    nonce: bytes | None


def _malformed(what: str) -> BadRequest:
    return BadRequest(f"OCSP request: {what}", field="request", rule="ocsp.syntax")


def decode_request(data: bytes) -> Request:
    """Parse an OCSPRequest; raise BadRequest (TooLarge) for whatever is not one.

    A signature on the request is ``ocsp_signed``'s affair.  Unknown extensions
    are ignored unless critical.
    """
    if len(data) > MAX_REQUEST:
        raise TooLarge(f"an OCSP request is at most {MAX_REQUEST} octets", field="request")
    outer = der.Reader(data)
    body = outer.enter(der.SEQUENCE)
    outer.finish()
    tbs_request = body.enter(der.SEQUENCE)
    version = tbs_request.optional(0xA0)
    if version is not None and version != b"\x02\x01\x00":
        raise _malformed("unknown version")
    tbs_request.optional(0xA1)  # requestorName: of no interest
    cert_ids = _request_list(tbs_request.enter(der.SEQUENCE))
    extensions = tbs_request.optional(0xA2)
    tbs_request.finish()
    nonce = None if extensions is None else _nonce(_extensions(extensions))
    return Request(cert_ids, nonce)


def _request_list(items: der.Reader) -> tuple[CertId, ...]:
    found: list[CertId] = []
    while items:
        if len(found) == MAX_CERT_IDS:
            raise TooLarge(
                f"at most {MAX_CERT_IDS} certificates per request",
                field="request",
                rule="ocsp.cert-ids",
            )
        request = items.enter(der.SEQUENCE)
        _, content, raw = request.read(der.SEQUENCE)
        extensions = request.optional(0xA0)
        request.finish()
        if extensions is not None:
            _extensions(extensions)
        found.append(_cert_id(content, raw))
    if not found:
        raise _malformed("it asks for nothing")
    return tuple(found)


def _cert_id(content: bytes, raw: bytes) -> CertId:
    reader = der.Reader(content)
    algorithm = reader.enter(der.SEQUENCE)
    _, arcs, oid = algorithm.read(der.OID)
    if oid not in _HASHES:
        der.decode_oid(arcs)
    if algorithm.optional(der.NULL_TAG):
        raise _malformed("parameters of a hash")
    algorithm.finish()  # what is echoed in a signed answer must be well-formed
    name_hash = reader.content(der.OCTET_STRING)
    key_hash = reader.content(der.OCTET_STRING)
    serial = der.decode_integer(reader.content(der.INTEGER))
    reader.finish()
    name = _HASHES.get(oid)
    if name and not len(name_hash) == len(key_hash) == _HASH_LENGTH[name]:
        raise _malformed("a hash of the wrong length")
    return CertId(raw, name, name_hash, key_hash, f"{serial:x}")


def _extensions(explicit: bytes) -> list[tuple[bytes, bytes]]:
    """(OID element, value) pairs; refuse a critical one that we do not know."""
    items = der.Reader(der.single(explicit, der.SEQUENCE)[1])
    found = []
    while items:
        fields = items.enter(der.SEQUENCE)
        _, _, oid = fields.read(der.OID)
        critical = fields.optional(der.BOOLEAN)
        value = fields.content(der.OCTET_STRING)
        fields.finish()
        if critical == b"\xff" and oid != _NONCE:
            raise _malformed("a critical extension that is not understood")
        found.append((oid, value))
    return found


def _nonce(extensions: Sequence[tuple[bytes, bytes]]) -> bytes | None:
    """The nonce: 1 to 128 octets, anything else is malformed (RFC 9654 §2.1).

    Older clients (RFC 6960 left the type open) put raw octets where RFC 8954
    wants an OCTET STRING; those are echoed as they came.
    """
    values = [value for oid, value in extensions if oid == _NONCE]
    if not values:
        return None
    if len(values) > 1:
        raise _malformed("two nonces")
    value = values[0]
    try:
        nonce = der.single(value, der.OCTET_STRING)[1]
    except BadRequest:
        nonce = value
    if not 1 <= len(nonce) <= MAX_NONCE:
        raise BadRequest(f"a nonce has 1 to {MAX_NONCE} octets", field="request", rule="ocsp.nonce")
    return value


@dataclass(frozen=True, slots=True)
class Responder:
    """What every response of one responder has in common, encoded once.

    *name_or_key* is the ResponderID, *tail* follows the signature value.
    """

    responder_id: bytes
    algorithm: bytes
    certs: bytes


def responder(
    certificate: bytes,
    algorithm: SignatureAlgorithm,
    *,
    by_key: bytes | None = None,
    by_name: bytes | None = None,
    chain: Sequence[bytes] = (),
) -> Responder:
    """Prepare a responder.

    *by_key* is the SHA-1 hash of its key bits (§4.2.1), *by_name* its DER
    Name: one of the two.  *certificate* and *chain* go into every answer.
    """
    if (by_key is None) == (by_name is None):
        raise ValueError("a responder is known by key or by name")
    if by_key is not None:
        responder_id = der.explicit(2, der.octet_string(by_key))
    else:
        assert by_name is not None
        responder_id = der.explicit(1, by_name)
    return Responder(
        responder_id,
        algorithms.algorithm_identifier(algorithm),
        der.explicit(0, der.sequence(certificate, *chain)),
    )


GOOD = b"\x80\x00"
UNKNOWN = b"\x82\x00"


def revoked(entry: RevokedEntry) -> bytes:
    """CertStatus ``revoked``; the reason is left out where it is unspecified, as in the CRL."""
    time = generalized_time(entry.revoked_at)
    if not entry.reason.value:
        return der.tlv(0xA1, time)
    return der.tlv(0xA1, time + der.explicit(0, der.tlv(0x0A, bytes([entry.reason.value]))))


NOT_ISSUED = der.tlv(0xA1, generalized_time(0) + der.explicit(0, der.tlv(0x0A, b"\x06")))
"""``revoked`` for a serial never issued: certificateHold since 1970 (RFC 6960 §2.2)."""


def single(
    cert_id: bytes,
    status: bytes,
    *,
    this_update: bytes,
    next_update: bytes,
    extensions: bytes = b"",
) -> bytes:
    """One SingleResponse; times are encoded GeneralizedTimes, *next_update* in its [0] tag.

    *extensions* stand in their [1] tag, as ``archive_cutoff`` makes them.
    """
    return der.tlv(0x30, cert_id + status + this_update + next_update + extensions)


def archive_cutoff(unix_seconds: int) -> bytes:
    """singleExtensions: the status of what ended after then can still be asked for (§4.4.4)."""
    extension = der.sequence(_ARCHIVE_CUTOFF, der.octet_string(generalized_time(unix_seconds)))
    return der.explicit(1, der.sequence(extension))


def response_data(
    who: Responder,
    produced_at: bytes,
    singles: Sequence[bytes],
    nonce: bytes | None,
    *,
    extended_revoke: bool = False,
) -> bytes:
    """Encode ResponseData: what is signed.  *nonce* is the extension value as it was received.

    *extended_revoke* says what NOT_ISSUED in it means (§4.4.8).
    """
    extensions = b""
    if nonce is not None:
        extensions = der.tlv(0x30, _NONCE + der.tlv(0x04, nonce))
    if extended_revoke:
        extensions += _EXTENDED_REVOKE
    if extensions:
        extensions = der.tlv(0xA1, der.tlv(0x30, extensions))
    return der.tlv(
        0x30,
        who.responder_id + produced_at + der.tlv(0x30, b"".join(singles)) + extensions,
    )


def response(who: Responder, data: bytes, signature: bytes) -> bytes:
    """Wrap signed ResponseData into a successful OCSPResponse."""
    heads = response_heads(len(data), len(who.algorithm), len(signature), len(who.certs))
    return b"".join((heads[0], data, who.algorithm, heads[1], signature, who.certs))
