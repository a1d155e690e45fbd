"""General names (RFC 5280 §4.2.1.6): DER both ways, text, and their canonical form."""

import socket
from collections.abc import Callable, Iterable
from typing import Final

import idna

from chancery.domain import name_syntax
from chancery.domain.errors import BadName
from chancery.domain.names import GeneralName, NameKind
from chancery.wire import der, names

MAX_SAN: Final = 65_536
"""Longest SAN extension value we read, in octets."""

_UPN: Final = der.oid(name_syntax.UPN_OID)


def _bad(what: str, rule: str, remedy: str) -> BadName:
    return BadName(what, field="names", rule=rule, remedy=remedy)


def _ia5(tag: int) -> Callable[[str], bytes]:
    def encode_text(value: str) -> bytes:
        # Rules are checked long before; this stands between a bug and a NUL in a certificate.
        if not (value and value.isascii() and value.isprintable()):
            raise _bad(f"{value[:100]!r} is not printable ASCII", "name.ascii", "use ASCII")
        return der.tlv(tag, value.encode("ascii"))

    return encode_text


def _ip(value: str) -> bytes:
    family = socket.AF_INET6 if ":" in value else socket.AF_INET
    try:
        return der.tlv(0x87, socket.inet_pton(family, value))
    except (OSError, ValueError):
        raise _bad(
            f"{value[:100]!r} is not an IP address", "name.ip-syntax", "write it like 192.0.2.1"
        ) from None


def _upn(value: str) -> bytes:
    try:
        text = der.tlv(der.UTF8_STRING, name_syntax.upn(value).encode())
    except UnicodeEncodeError:
        raise _bad("a UPN that is not Unicode text", "name.upn-syntax", "use UTF-8") from None
    return der.tlv(0xA0, _UPN + der.explicit(0, text))


def _other(value: str) -> bytes:
    oid, _, content = name_syntax.other(value).partition(";")
    inner = bytes.fromhex(content)
    der.single(inner)
    return der.tlv(0xA0, der.oid(oid) + der.explicit(0, inner))


_ENCODERS: Final[dict[NameKind, Callable[[str], bytes]]] = {
    NameKind.DNS: _ia5(0x82),
    NameKind.EMAIL: _ia5(0x81),
    NameKind.URI: _ia5(0x86),
    NameKind.IP: _ip,
    NameKind.UPN: _upn,
    NameKind.DIRECTORY: lambda v: der.explicit(4, names.encode_name(names.parse_text(v))),
    NameKind.REGISTERED_ID: lambda v: b"\x88" + der.oid(v)[1:],
    NameKind.OTHER: _other,
}


def encode(name: GeneralName) -> bytes:
    """DER GeneralName of a canonical name; BadName (or BadRequest) where it cannot be."""
    return _ENCODERS[name.kind](name.value)


def encode_san(san: Iterable[GeneralName]) -> bytes:
    """DER GeneralNames."""
    return der.tlv(der.SEQUENCE, b"".join([_ENCODERS[name.kind](name.value) for name in san]))


def _decode_other(content: bytes) -> GeneralName:
    reader = der.Reader(content)
    oid = der.decode_oid(reader.content(der.OID))
    value = reader.content(der.CONTEXT | der.CONSTRUCTED)
    reader.finish()
    tag, text = der.single(value)
    if oid != name_syntax.UPN_OID:
        return GeneralName(NameKind.OTHER, f"{oid};{value.hex()}")
    if tag != der.UTF8_STRING:
        raise _bad("a UPN that is no UTF8String", "name.upn-syntax", "encode it as UTF8String")
    return GeneralName(NameKind.UPN, _text(text, "utf-8"))


def _text(content: bytes, codec: str) -> str:
    try:
        return content.decode(codec)
    except UnicodeDecodeError:
        raise _bad(f"a name that is not {codec.upper()}", "name.ascii", "use A-labels") from None


def _decode_ip(content: bytes) -> GeneralName:
    if len(content) not in (4, 16):
        raise _bad("an IP address of neither 4 nor 16 octets", "name.ip-syntax", "send one address")
    family = socket.AF_INET if len(content) == 4 else socket.AF_INET6
    return GeneralName(NameKind.IP, socket.inet_ntop(family, content))


_DECODERS: Final[dict[int, Callable[[bytes], GeneralName]]] = {
    0xA0: _decode_other,
    0x81: lambda c: GeneralName(NameKind.EMAIL, _text(c, "ascii")),
    0x82: lambda c: GeneralName(NameKind.DNS, _text(c, "ascii")),
    0xA4: lambda c: GeneralName(NameKind.DIRECTORY, names.decode_name(c).text),
    0x86: lambda c: GeneralName(NameKind.URI, _text(c, "ascii")),
    0x87: _decode_ip,
    0x88: lambda c: GeneralName(NameKind.REGISTERED_ID, der.decode_oid(c)),
}


def decode_san(data: bytes) -> tuple[GeneralName, ...]:
    """Read DER GeneralNames into canonical names.

    A directory name becomes its RFC 4514 text, so its string types are lost;
    x400Address and ediPartyName are refused.
    """
    if len(data) > MAX_SAN:
        raise _bad("a SAN of more than 64 KiB", "name.too-many", "ask for fewer names")
    reader = der.Reader(der.single(data, der.SEQUENCE)[1])
    found = []
    while reader:
        tag, content, _ = reader.read()
        if tag not in _DECODERS:
            raise _bad(
                f"a general name of a kind we do not issue (tag {tag:#04x})",
                "name.kind",
                "use one of: " + ", ".join(NameKind),
            )
        found.append(normalise(_DECODERS[tag](content)))
    return tuple(found)


def _a_labels(host: str) -> str:
    """IDNA 2008 A-labels, mapped as UTS 46 says; A-labels that came as such are checked."""
    star = host.startswith("*.")
    bare = host[2:] if star else host
    if bare.isascii() and "xn--" not in bare.lower():
        return host
    try:
        encoded = idna.encode(bare, uts46=True).decode("ascii")
        if bare.isascii():
            idna.decode(encoded)
    except UnicodeError:  # idna.IDNAError is one
        raise _bad(
            f"{host[:100]!r} is not an internationalised host name",
            "name.idna",
            "check it against IDNA 2008, or give its A-labels (xn--...)",
        ) from None
    return "*." + encoded if star else encoded


def normalise(name: GeneralName) -> GeneralName:
    """The canonical form; host names of names, mailboxes and URIs in A-labels."""
    match name.kind:
        case NameKind.DNS:
            name = GeneralName(NameKind.DNS, _a_labels(name.value))
        case NameKind.EMAIL:
            local, at, domain = name.value.rpartition("@")
            name = GeneralName(NameKind.EMAIL, local + at + _a_labels(domain))
        case NameKind.DIRECTORY:
            encoded = names.encode_name(names.parse_text(name_syntax.directory(name.value)))
            return GeneralName(NameKind.DIRECTORY, names.decode_name(encoded).text)
        case NameKind.OTHER:
            name = name_syntax.canonical(name)
            encode(name)  # its value must be DER
            return name
        case _:
            pass
    return name_syntax.canonical(name)


def parse(text: str) -> GeneralName:
    """Read ``dns:www.example.org`` and the like into a canonical name."""
    kind, colon, value = text.partition(":")
    try:
        if not colon:
            raise ValueError(text)
        parsed = NameKind(kind.strip().lower())
    except ValueError:
        raise _bad(
            f"a name without its kind: {text[:100]!r}",
            "name.kind",
            "write kind:value, with one of " + ", ".join(NameKind),
        ) from None
    if parsed is not NameKind.DIRECTORY:  # where a space at the end may be an escaped one
        value = value.strip()
    return normalise(GeneralName(parsed, value))
