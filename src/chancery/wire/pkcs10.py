"""Certification requests (PKCS#10, RFC 2986).

One reader of our own, because what is signed must be what is understood: it
keeps the raw CertificationRequestInfo, and never meets a second parser that
reads the same bytes another way.  It forgives the one departure from DER
that clients in the field make, attributes in any order in their SET.

Nothing here descends by itself: nesting in the input costs nothing.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

from chancery.domain.algorithms import SignatureAlgorithm
from chancery.domain.errors import BadCSR, BadKey, BadRequest, TooLarge
from chancery.domain.names import DistinguishedName
from chancery.wire import algorithms, crmf, der, pem, possession, spki
from chancery.wire.certification import (
    MAX_EXTENSIONS,
    MAX_NAMES,
    MAX_OCTETS,
    CertificationRequest,
    RequestedExtension,
    bad,
    decode_extensions,
    encode_extension,
    read_oid,
    requested_names,
)
from chancery.wire.names import decode_name, encode_name

__all__ = [
    "LABELS",
    "MAX_ATTRIBUTES",
    "MAX_CHALLENGE",
    "MAX_EXTENSIONS",
    "MAX_NAMES",
    "MAX_OCTETS",
    "CertificationRequest",
    "RequestedExtension",
    "check_signature",
    "decode",
    "encode_info",
    "join",
]

MAX_ATTRIBUTES: Final = 32
MAX_CHALLENGE: Final = 255  # PKCS#9 ub-challengePassword (RFC 2985 Appendix A)

LABELS: Final = ("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")
_ATTRIBUTES: Final = der.CONTEXT | der.CONSTRUCTED
_VERSION_1: Final = b"\x00"
_CHALLENGE: Final = "1.2.840.113549.1.9.7"
_EXTENSION_REQUESTS: Final = frozenset(
    {"1.2.840.113549.1.9.14", "1.3.6.1.4.1.311.2.1.14"}  # RFC 2985 §5.4.2; [MS-WCCE] §2.2.2.7.7
)
_STRINGS: Final = {  # DirectoryString (X.520), and IA5String, which clients send too
    der.UTF8_STRING: "utf-8",
    der.PRINTABLE_STRING: "ascii",
    der.IA5_STRING: "ascii",
    0x14: "latin-1",
    0x1C: "utf-32-be",
    0x1E: "utf-16-be",
}


def decode(data: bytes) -> CertificationRequest:
    """Read PEM or DER, PKCS#10 or the CertReqMsg of CRMF.

    Raises BadCSR, or BadKey for a key we cannot read; TooLarge.
    """
    if len(data) > MAX_OCTETS:
        raise TooLarge(
            f"a certificate request of {len(data)} octets; at most {MAX_OCTETS} are read",
            field="csr",
            rule="csr.size",
        )
    try:
        encoded = bytes(data if pem.is_der(data) else pem.decode(data, LABELS, MAX_OCTETS)[1])
        return crmf.decode(encoded) if crmf.is_message(encoded) else _decode(encoded)
    except BadKey:
        raise
    except BadRequest as error:
        # What the layers below call "der" or "names" is the CSR to the requester.
        raise BadCSR(
            f"certificate request: {error}",
            field="csr",
            rule=error.rule or "csr.malformed",
            remedy=error.remedy,
        ) from error


def check_signature(csr: CertificationRequest) -> None:
    """Raise BadCSR unless the requester holds the private key (RFC 2986 §3, Note 2)."""
    possession.check(csr.public_key, csr.signature_algorithm, csr.signature, csr.info)


def encode_info(
    subject: DistinguishedName, spki_der: bytes, extensions: Sequence[RequestedExtension] = ()
) -> bytes:
    """DER CertificationRequestInfo, ready to be signed."""
    attributes = b""
    if extensions:
        requested = der.sequence(*(encode_extension(*extension) for extension in extensions))
        attributes = der.sequence(der.oid("1.2.840.113549.1.9.14"), der.set_of(requested))
    return der.sequence(
        der.integer(0),
        encode_name(subject),
        spki_der,
        der.implicit(0, attributes, constructed=True),
    )


def join(info: bytes, algorithm: SignatureAlgorithm, signature: bytes) -> bytes:
    """DER CertificationRequest from its signed part and the signature over that."""
    identifier = algorithms.algorithm_identifier(algorithm)
    return der.sequence(info, identifier, der.bit_string(signature))


def _decode(data: bytes) -> CertificationRequest:
    outer = der.Reader(der.single(data, der.SEQUENCE)[1])
    _, content, info = outer.read(der.SEQUENCE)
    _, _, signature_algorithm = outer.read(der.SEQUENCE)
    signature = outer.content(der.BIT_STRING)
    outer.finish()
    if signature[:1] != b"\x00":
        raise bad("a signature that is not a whole number of octets", "csr.signature")

    reader = der.Reader(content)
    if reader.content(der.INTEGER) != _VERSION_1:
        raise bad("a version other than 1", "csr.version")
    _, _, subject = reader.read(der.SEQUENCE)
    _, _, key = reader.read(der.SEQUENCE)
    # RFC 2986 makes attributes mandatory, if empty; old Java and Microsoft clients omit them.
    attributes = reader.optional(_ATTRIBUTES) or b""
    reader.finish()

    extensions, challenge = _decode_attributes(attributes)
    return CertificationRequest(
        der=data,
        info=info,
        subject=decode_name(subject),
        spki=key,
        public_key=spki.decode(key),
        key_sha256=hashlib.sha256(key).hexdigest(),
        names=requested_names(extensions),
        extensions=extensions,
        challenge_password=challenge,
        signature_algorithm=signature_algorithm,
        signature=signature[1:],
    )


def _decode_attributes(content: bytes) -> tuple[tuple[RequestedExtension, ...], str | None]:
    reader = der.Reader(content)
    seen: set[str] = set()
    extensions: list[RequestedExtension] = []
    challenge: str | None = None
    while reader:
        attribute = reader.enter(der.SEQUENCE)
        oid = read_oid(attribute.content(der.OID))
        values = attribute.enter(der.SET)
        attribute.finish()
        if oid in seen:
            raise bad(f"attribute {oid} stands there twice", "csr.duplicate-attribute")
        seen.add(oid)
        if len(seen) > MAX_ATTRIBUTES:
            raise bad(f"more than {MAX_ATTRIBUTES} attributes", "csr.attributes")
        if oid in _EXTENSION_REQUESTS:
            extensions += decode_extensions(values.enter(der.SEQUENCE))
            values.finish()
        elif oid == _CHALLENGE:
            challenge = _decode_challenge(values)
    oids = {extension[0] for extension in extensions}
    if len(oids) != len(extensions):
        raise bad("an extension is requested twice", "csr.duplicate-extension")
    return tuple(extensions), challenge


def _decode_challenge(values: der.Reader) -> str:
    tag, content, _ = values.read()
    values.finish()
    codec = _STRINGS.get(tag)
    if codec is None:
        raise bad("a challenge password that is no string", "csr.challenge-password")
    try:
        text = content.decode(codec)
    except UnicodeDecodeError:
        raise bad("a challenge password in a broken encoding", "csr.challenge-password") from None
    if not 1 <= len(text) <= MAX_CHALLENGE:
        raise bad(
            f"a challenge password must have 1 to {MAX_CHALLENGE} characters",
            "csr.challenge-password",
        )
    return text
