"""Certificate requests as CMP carries them (CRMF, RFC 4211), read into what PKCS#10 is read into.

``pkcs10.decode`` comes here by itself, so that everything behind it (keys,
names, proof of possession, what people are shown) knows of one kind of
request.  What CRMF has beside that, a template with a validity or without a
key, is read by ``decode_message`` for the door that needs it.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from chancery.domain.errors import BadRequest
from chancery.domain.names import DistinguishedName, GeneralName
from chancery.wire import der, spki
from chancery.wire.certification import (
    MAX_OCTETS,
    CertificationRequest,
    RequestedExtension,
    bad,
    decode_extensions,
    encode_extension,
    requested_names,
)
from chancery.wire.names import decode_name, encode_name

OLD_CERTIFICATE: Final = "1.3.6.1.5.5.7.5.1.5"  # id-regCtrl-oldCertID
ARCHIVE: Final = "1.3.6.1.5.5.7.5.1.4"  # id-regCtrl-pkiArchiveOptions
_MAX_CONTROLS: Final = 16
_TAG: Final = der.CONTEXT | der.CONSTRUCTED

_SHAPE: Final = (der.SEQUENCE, der.SEQUENCE, der.INTEGER, der.SEQUENCE)

VOUCHED: Final = 0x80
SIGNED: Final = 0xA1
"""Tags of two ways to prove possession: somebody else vouches for it; a signature."""


@dataclass(frozen=True, slots=True)
class Template:
    """A CertTemplate: what is wanted, each part of it optional.

    *serial* and *issuer* name a certificate where one is to be revoked.
    *spki* is None where no key was given; *key_algorithm* is the
    AlgorithmIdentifier of one that is to be made.  Times are Unix seconds.
    """

    serial: int | None = None
    issuer: bytes | None = None
    not_before: int | None = None
    not_after: int | None = None
    subject: DistinguishedName | None = None
    spki: bytes | None = None
    key_algorithm: bytes | None = None
    extensions: tuple[RequestedExtension, ...] = ()

    @property
    def names(self) -> tuple[GeneralName, ...]:
        """The subject alternative names that are asked for."""
        return requested_names(self.extensions)


@dataclass(frozen=True, slots=True)
class Proof:
    """Proof of possession by a signature over *signed*, DER."""

    signed: bytes
    algorithm: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class CertificateMessage:
    """A CertReqMsg.  *vouched*: it says that a registration authority saw the key used."""

    der: bytes
    request_id: int
    template: Template
    controls: tuple[tuple[str, bytes], ...]
    vouched: bool
    proof: Proof | None

    def control(self, oid: str) -> bytes | None:
        """DER value of one control."""
        return next((value for known, value in self.controls if known == oid), None)


def is_message(data: bytes) -> bool:
    """Whether *data* is a CertReqMsg rather than a CertificationRequest.

    Both are a SEQUENCE in a SEQUENCE that begins with an INTEGER and a
    SEQUENCE; a CertTemplate holds context tags where a Name holds SETs.
    """
    try:
        outer, at, end = der.header(data, 0, len(data))
        inner, at, end = der.header(data, at, end)
        number, _, after = der.header(data, at, end)
        template, at, end = der.header(data, after, end)
    except BadRequest:
        return False
    tags = (outer, inner, number, template)
    return tags == _SHAPE and at < end and data[at] & 0xC0 == der.CONTEXT


def decode(data: bytes) -> CertificationRequest:
    """Read a CertReqMsg that holds a key; BadRequest, BadKey.

    One without proof of possession by a signature can be read, and does not
    pass ``pkcs10.check_signature``.
    """
    message = decode_message(data)
    template, proof = message.template, message.proof
    if template.spki is None:
        raise bad("the request holds no public key", "csr.key")
    return CertificationRequest(
        der=data,
        info=proof.signed if proof else b"",
        subject=template.subject or DistinguishedName(),
        spki=template.spki,
        public_key=spki.decode(template.spki),
        key_sha256=hashlib.sha256(template.spki).hexdigest(),
        names=template.names,
        extensions=template.extensions,
        challenge_password=None,
        signature_algorithm=proof.algorithm if proof else _UNSIGNED,
        signature=proof.signature if proof else b"",
    )


_UNSIGNED: Final = der.sequence(der.oid("1.3.6.1.5.5.7.6.2"), der.NULL)
"""id-alg-unsigned (RFC 9925): no key verifies it, and people are shown its name."""


def decode_message(data: bytes) -> CertificateMessage:
    """Read one CertReqMsg; BadRequest if it is none."""
    if len(data) > MAX_OCTETS:
        raise bad(f"a request of {len(data)} octets", "csr.size")
    outer = der.Reader(der.single(data, der.SEQUENCE)[1])
    _, content, signed = outer.read(der.SEQUENCE)
    inner = der.Reader(content)
    request_id = der.decode_integer(inner.content(der.INTEGER))
    template = decode_template(inner.content(der.SEQUENCE))
    controls = _controls(inner.content(der.SEQUENCE)) if inner else ()
    inner.finish()
    vouched, proof = False, None
    if outer.peek() not in (None, der.SEQUENCE):
        vouched, proof = _possession(outer, signed, template)
    if outer:
        outer.content(der.SEQUENCE)  # regInfo: registration data in free form, not used
    outer.finish()
    return CertificateMessage(data, request_id, template, controls, vouched, proof)


def _possession(outer: der.Reader, signed: bytes, template: Template) -> tuple[bool, Proof | None]:
    tag, content, _ = outer.read()
    if tag == VOUCHED:
        return True, None
    if tag != SIGNED:
        raise bad(
            "possession of the key is proven neither by a signature nor by an RA's word",
            "pop.kind",
        )
    reader = der.Reader(content)
    given = reader.optional(_TAG)
    _, _, algorithm = reader.read(der.SEQUENCE)
    signature, unused = der.decode_bit_string(reader.content(der.BIT_STRING))
    reader.finish()
    if unused:
        raise bad("a signature that is not a whole number of octets", "csr.signature")
    if given is not None:
        signed = _signing_input(given, template)
    elif template.subject is None or template.spki is None:
        # RFC 4211 §4.1: a template without them binds the signature to nothing.
        raise bad("the signature covers neither a subject nor a key", "pop.input")
    return False, Proof(signed, algorithm, signature)


def _signing_input(content: bytes, template: Template) -> bytes:
    """DER of a POPOSigningKeyInput, whose key must be the template's."""
    reader = der.Reader(content)
    if reader.peek() != _TAG:
        raise bad("the proof of possession names its sender by a MAC", "pop.input")
    reader.read()  # sender: the message is protected by whom it names, or it is refused
    key = reader.read(der.SEQUENCE)[2]
    reader.finish()
    if key != template.spki:
        raise bad("the proof of possession is of another key", "pop.input")
    return der.tlv(der.SEQUENCE, content)


def decode_template(content: bytes) -> Template:
    """Read the content of a CertTemplate."""
    reader = der.Reader(content)
    fields: dict[int, bytes] = {}
    before = -1
    while reader:
        tag, value, _ = reader.read()
        number = tag & 0x1F
        if tag & 0xC0 != der.CONTEXT or not before < number <= 9:
            raise bad("fields of the template that are unknown or out of order", "csr.template")
        fields[number] = value
        before = number
    not_before, not_after = _validity(fields.get(4, b""))
    key, algorithm = _key(fields.get(6))
    return Template(
        serial=der.decode_integer(fields[1]) if 1 in fields else None,
        issuer=fields.get(3),
        not_before=not_before,
        not_after=not_after,
        subject=decode_name(fields[5]) if 5 in fields else None,
        spki=key,
        key_algorithm=algorithm,
        extensions=decode_extensions(der.Reader(fields[9])) if 9 in fields else (),
    )


def _validity(content: bytes) -> tuple[int | None, int | None]:
    reader = der.Reader(content)
    found: list[int | None] = []
    for number in (0, 1):
        value = reader.optional(_TAG | number)
        found.append(None if value is None else der.decode_time(*der.single(value)))
    reader.finish()
    return found[0], found[1]


def _key(content: bytes | None) -> tuple[bytes | None, bytes | None]:
    """(SubjectPublicKeyInfo, None), or (None, AlgorithmIdentifier) of a key to be made."""
    if content is None:
        return None, None
    reader = der.Reader(content)
    _, _, algorithm = reader.read(der.SEQUENCE)
    bits = reader.content(der.BIT_STRING)
    reader.finish()
    if bits == b"\x00":  # RFC 9483 §4.1.6: an empty key says which kind is wanted
        return None, algorithm
    return der.tlv(der.SEQUENCE, content), None


def _controls(content: bytes) -> tuple[tuple[str, bytes], ...]:
    reader = der.Reader(content)
    found: list[tuple[str, bytes]] = []
    while reader:
        if len(found) == _MAX_CONTROLS:
            raise bad(f"more than {_MAX_CONTROLS} controls", "csr.controls")
        control = reader.enter(der.SEQUENCE)
        found.append((der.decode_oid(control.content(der.OID)), control.read()[2]))
        control.finish()
    return tuple(found)


def old_certificate(value: bytes) -> tuple[bytes, int]:
    """(issuer's Name or other GeneralName content, serial) of an oldCertID control."""
    reader = der.Reader(der.single(value, der.SEQUENCE)[1])
    _, issuer, _ = reader.read()
    serial = der.decode_integer(reader.content(der.INTEGER))
    reader.finish()
    return issuer, serial


def update_of(issuer: bytes, serial: int) -> bytes:
    """DER Controls that name the certificate to be updated; *issuer* is a DER Name."""
    named = der.sequence(der.explicit(4, issuer), der.integer(serial))
    return der.sequence(der.sequence(der.oid(OLD_CERTIFICATE), named))


def encode_template(template: Template) -> bytes:
    """DER CertTemplate."""
    return der.sequence(*_fields(template))


def _fields(template: Template) -> list[bytes]:
    fields: list[bytes] = []
    if template.serial is not None:
        fields.append(der.implicit(1, der.single(der.integer(template.serial))[1]))
    if template.issuer is not None:
        fields.append(der.explicit(3, template.issuer))
    if template.subject is not None:
        fields.append(der.explicit(5, encode_name(template.subject)))
    if template.spki is not None:
        fields.append(der.implicit(6, der.single(template.spki)[1], constructed=True))
    elif template.key_algorithm is not None:
        key = template.key_algorithm + der.bit_string(b"")
        fields.append(der.implicit(6, key, constructed=True))
    if template.extensions:
        wanted = b"".join(encode_extension(*one) for one in template.extensions)
        fields.append(der.implicit(9, wanted, constructed=True))
    return fields
