"""CMP messages: what all of them have in common (RFC 9810 §5.1).

The ASN.1 is read and written by ``der``, like all of ours: strict, bounded,
never descending by itself, so that neither nesting nor a length that lies
costs anything.  A library with a schema of CMP takes milliseconds for each
message, and megabytes for its schema.  ``cmp_bodies`` has what is inside.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from chancery.domain.errors import BadRequest, TooLarge
from chancery.wire import der
from chancery.wire.cmp_kinds import Body
from chancery.wire.crl_entries import generalized_time

MAX_MESSAGE: Final = 262_144
"""Octets.  A request with an ML-DSA-87 chain of four has 40,000."""
MAX_CERTIFICATES: Final = 16
MAX_INFO: Final = 32
MAX_NONCE: Final = 64
"""Octets of a transaction's number or a nonce; RFC 9810 §5.1.1 wants 16."""
NULL_SENDER: Final = der.explicit(4, der.sequence())
"""The NULL-DN, of whom has no name yet (RFC 9810 §5.1.1)."""

IMPLICIT_CONFIRM: Final = "1.3.6.1.5.5.7.4.13"
CERTIFICATE_PROFILE: Final = "1.3.6.1.5.5.7.4.21"

_EXPLICIT: Final = der.CONTEXT | der.CONSTRUCTED


@dataclass(frozen=True, slots=True)
class Info:
    """An InfoTypeAndValue: *value* is DER, or None where there is only the type."""

    oid: str
    value: bytes | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """PKIHeader.  *sender* and *recipient* are DER GeneralNames.

    *protection* is an AlgorithmIdentifier, *time* Unix seconds.
    """

    version: int = 2
    sender: bytes = NULL_SENDER
    recipient: bytes = NULL_SENDER
    time: int | None = None
    protection: bytes | None = None
    sender_key: bytes | None = None
    recipient_key: bytes | None = None
    transaction: bytes | None = None
    sender_nonce: bytes | None = None
    recipient_nonce: bytes | None = None
    info: tuple[Info, ...] = ()

    def has(self, oid: str) -> bool:
        """Whether generalInfo holds an entry of that type."""
        return any(one.oid == oid for one in self.info)


@dataclass(frozen=True, slots=True)
class Message:
    """PKIMessage.

    *content* is the DER of the body's value, *protected* what its protection covers.
    """

    header: Header
    kind: Body
    content: bytes
    protected: bytes
    protection: bytes | None = None
    certificates: tuple[bytes, ...] = ()


def decode(data: bytes) -> Message:
    """Read one PKIMessage; BadRequest if it is none, TooLarge before it is looked at."""
    if len(data) > MAX_MESSAGE:
        raise TooLarge(
            f"a message of {len(data)} octets; at most {MAX_MESSAGE} are read",
            field="message",
            rule="cmp.size",
        )
    outer = der.Reader(der.single(data, der.SEQUENCE)[1])
    _, header, raw_header = outer.read(der.SEQUENCE)
    tag, content, raw_body = outer.read()
    protection = outer.optional(_EXPLICIT | 0)
    certificates = outer.optional(_EXPLICIT | 1)
    outer.finish()
    return Message(
        header=_header(header),
        kind=_kind(tag),
        content=content,
        protected=der.sequence(raw_header, raw_body),
        protection=None if protection is None else _octets(protection),
        certificates=() if certificates is None else read_certificates(certificates),
    )


def encode(message: Message) -> bytes:
    """DER PKIMessage, of what ``protected_part`` made and what was put over it."""
    raw = der.single(message.protected, der.SEQUENCE)[1]
    parts = [raw]
    if message.protection is not None:
        parts.append(der.explicit(0, der.bit_string(message.protection)))
    if message.certificates:
        parts.append(der.explicit(1, der.sequence(*message.certificates)))
    return der.sequence(*parts)


def message(header: Header, kind: Body, content: bytes) -> Message:
    """One that is not protected yet.  *content* is the DER of the body's value."""
    protected = der.sequence(_encode_header(header), der.explicit(kind, content))
    return Message(header, kind, content, protected)


def with_protection(one: Message, protection: bytes, certificates: Sequence[bytes] = ()) -> Message:
    """The same, protected."""
    return replace(one, protection=protection, certificates=tuple(certificates))


def read_certificates(encoded: bytes) -> tuple[bytes, ...]:
    """The DER certificates of a SEQUENCE OF CMPCertificate."""
    reader = der.Reader(der.single(encoded, der.SEQUENCE)[1])
    found: list[bytes] = []
    while reader:
        if len(found) == MAX_CERTIFICATES:
            raise bad(f"more than {MAX_CERTIFICATES} certificates", "cmp.certificates")
        found.append(reader.read(der.SEQUENCE)[2])
    return tuple(found)


def read_info(content: bytes) -> tuple[Info, ...]:
    """The entries of a SEQUENCE OF InfoTypeAndValue, whose content this is."""
    reader = der.Reader(content)
    found: list[Info] = []
    while reader:
        if len(found) == MAX_INFO:
            raise bad(f"more than {MAX_INFO} pieces of information", "cmp.info")
        one = reader.enter(der.SEQUENCE)
        oid = der.decode_oid(one.content(der.OID))
        value = one.read()[2] if one else None
        one.finish()
        found.append(Info(oid, value))
    return tuple(found)


def encode_info(info: Sequence[Info]) -> bytes:
    """DER SEQUENCE OF InfoTypeAndValue."""
    return der.sequence(*(der.sequence(der.oid(one.oid), one.value or b"") for one in info))


def _kind(tag: int) -> Body:
    number = tag & 0x1F
    if tag & ~0x1F != _EXPLICIT or number > max(Body):
        raise bad("a body of an unknown kind", "cmp.body")
    return Body(number)


def _header(content: bytes) -> Header:
    reader = der.Reader(content)
    version = der.decode_integer(reader.content(der.INTEGER))
    sender = reader.read()[2]
    recipient = reader.read()[2]
    fields: dict[int, bytes] = {}
    before = -1
    while reader:
        tag, value, _ = reader.read()
        number = tag & 0x1F
        if tag & ~0x1F != _EXPLICIT or not before < number <= 8:
            raise bad("fields of the header that are unknown or out of order", "cmp.header")
        fields[number] = value
        before = number
    info = der.single(fields[8], der.SEQUENCE)[1] if 8 in fields else b""
    protection = fields.get(1)
    if protection is not None:
        der.single(protection, der.SEQUENCE)
    return Header(
        version=version,
        sender=sender,
        recipient=recipient,
        time=_time(fields.get(0)),
        protection=protection,
        sender_key=_key(fields.get(2), 256),
        recipient_key=_key(fields.get(3), 256),
        transaction=_key(fields.get(4), MAX_NONCE),
        sender_nonce=_key(fields.get(5), MAX_NONCE),
        recipient_nonce=_key(fields.get(6), MAX_NONCE),
        info=read_info(info),
    )


def _encode_header(header: Header) -> bytes:
    keys = (
        (2, header.sender_key),
        (3, header.recipient_key),
        (4, header.transaction),
        (5, header.sender_nonce),
        (6, header.recipient_nonce),
    )
    return der.sequence(
        der.integer(header.version),
        header.sender,
        header.recipient,
        b"" if header.time is None else der.explicit(0, generalized_time(header.time)),
        b"" if header.protection is None else der.explicit(1, header.protection),
        *(der.explicit(n, der.octet_string(value)) for n, value in keys if value is not None),
        der.explicit(8, encode_info(header.info)) if header.info else b"",
    )


def _time(encoded: bytes | None) -> int | None:
    if encoded is None:
        return None
    tag, content = der.single(encoded, der.GENERALIZED_TIME)
    return der.decode_time(tag, content)


def _key(encoded: bytes | None, most: int) -> bytes | None:
    if encoded is None:
        return None
    _, content = der.single(encoded, der.OCTET_STRING)
    if len(content) > most:
        raise bad(f"an identifier of {len(content)} octets", "cmp.header")
    return content


def _octets(encoded: bytes) -> bytes:
    content, unused = der.decode_bit_string(der.single(encoded, der.BIT_STRING)[1])
    if unused:
        raise bad("a protection that is not a whole number of octets", "cmp.protection")
    return content


def bad(what: str, rule: str) -> BadRequest:
    """What to raise."""
    return BadRequest(
        what, field="message", rule=rule, remedy="compare it with RFC 9810 and RFC 9483"
    )
