"""Signatures on OCSP requests (RFC 6960 §4.1.2): few clients make them, fewer responders ask."""

from dataclasses import dataclass
from typing import Final

from chancery.domain.algorithms import SignatureAlgorithm
from chancery.domain.errors import BadRequest
from chancery.wire import der
from chancery.wire.algorithms import signature_algorithm_of

_MAX_CERTIFICATES: Final = 8


@dataclass(frozen=True, slots=True)
class RequestSignature:
    """*tbs* is what was signed; *certificates* (DER) come with it, the signer's first."""

    tbs: bytes
    algorithm: SignatureAlgorithm
    signature: bytes
    certificates: tuple[bytes, ...]


def request_signature(data: bytes) -> RequestSignature | None:
    """The signature on an OCSPRequest; None if it has none.  Raises BadRequest."""
    outer = der.Reader(data)
    body = outer.enter(der.SEQUENCE)
    outer.finish()
    _, _, tbs = body.read(der.SEQUENCE)
    explicit = body.optional(0xA0)
    body.finish()
    if explicit is None:
        return None
    fields = der.Reader(der.single(explicit, der.SEQUENCE)[1])
    _, _, identifier = fields.read(der.SEQUENCE)
    signature, unused = der.decode_bit_string(fields.content(der.BIT_STRING))
    certificates = fields.optional(0xA0)
    fields.finish()
    if unused:
        raise BadRequest(
            "OCSP request: a signature of odd bits", field="request", rule="ocsp.syntax"
        )
    return RequestSignature(
        tbs, signature_algorithm_of(identifier), signature, _certificates(certificates)
    )


def _certificates(explicit: bytes | None) -> tuple[bytes, ...]:
    if explicit is None:
        return ()
    items = der.Reader(der.single(explicit, der.SEQUENCE)[1])
    found: list[bytes] = []
    while items and len(found) < _MAX_CERTIFICATES:
        found.append(items.read(der.SEQUENCE)[2])
    return tuple(found)
