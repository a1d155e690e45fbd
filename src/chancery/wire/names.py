"""Distinguished names: DER (RFC 5280 §4.1.2.4) both ways, and RFC 4514 text into them.

Lossless: the string type of every value and the grouping of multi-valued
RDNs survive.  Values that are not strings (a date of birth, say) are refused.
"""

import re
from typing import Final

from chancery.domain.errors import BadName, BadRequest
from chancery.domain.names import (
    ATTRIBUTES,
    RDN,
    SHORT_NAMES,
    Attribute,
    DistinguishedName,
    Syntax,
)
from chancery.wire import der

MAX_TEXT: Final = 4096
"""Longest RFC 4514 text we parse, in characters."""

_CODECS: Final[dict[Syntax, tuple[int, str]]] = {
    # T.61 is not a subset of anything: Latin-1 keeps its octets, which is what matters here.
    Syntax.UTF8: (0x0C, "utf-8"),
    Syntax.NUMERIC: (0x12, "ascii"),
    Syntax.PRINTABLE: (0x13, "ascii"),
    Syntax.TELETEX: (0x14, "latin-1"),
    Syntax.IA5: (0x16, "ascii"),
    Syntax.UNIVERSAL: (0x1C, "utf-32-be"),
    Syntax.BMP: (0x1E, "utf-16-be"),
}
_SYNTAXES: Final = {tag: (syntax, codec) for syntax, (tag, codec) in _CODECS.items()}
_ALPHABETS: Final[dict[Syntax, re.Pattern[str]]] = {
    Syntax.PRINTABLE: re.compile(r"[A-Za-z0-9 '()+,\-./:=?]*"),
    Syntax.NUMERIC: re.compile(r"[0-9 ]*"),
    Syntax.BMP: re.compile(r"[\u0000-\ud7ff\ue000-\uffff]*"),
}


def _unfit(syntax: Syntax) -> BadName:
    return BadName(
        f"a name holds characters that {syntax.value} cannot",
        field="subject",
        rule="name.alphabet",
        remedy="leave those characters out, or use UTF8String",
    )


def _encode_attribute(attribute: Attribute) -> bytes:
    syntax, value = attribute.syntax, attribute.value
    tag, codec = _CODECS[syntax]
    alphabet = _ALPHABETS.get(syntax)
    if alphabet is not None and alphabet.fullmatch(value) is None:
        raise _unfit(syntax)
    try:
        content = value.encode(codec)
    except UnicodeEncodeError:
        raise _unfit(syntax) from None
    return der.tlv(0x30, der.oid(attribute.oid) + der.tlv(tag, content))


def encode_name(name: DistinguishedName) -> bytes:
    """DER Name.  Attributes of one RDN are sorted, as a SET OF must be (X.690 §11.6)."""
    content = b""
    for rdn in name.rdns:
        if len(rdn) == 1:
            content += der.tlv(0x31, _encode_attribute(rdn[0]))
        elif rdn:
            content += der.set_of(*map(_encode_attribute, rdn))
        else:
            raise BadName("an empty RDN", field="subject", rule="name.rdn", remedy="remove it")
    return der.tlv(0x30, content)


def _decode_attribute(reader: der.Reader) -> tuple[Attribute, bytes]:
    _, content, raw = reader.read(der.SEQUENCE)
    inner = der.Reader(content)
    oid = der.decode_oid(inner.content(der.OID))
    tag, value, _ = inner.read()
    inner.finish()
    return Attribute(oid, *_decode_string(tag, value)), raw


def _decode_string(tag: int, content: bytes) -> tuple[str, Syntax]:
    if tag not in _SYNTAXES:
        raise BadName(
            f"an attribute value with ASN.1 tag {tag:#04x}, which is no string",
            field="subject",
            rule="name.syntax",
            remedy="leave this attribute out",
        )
    syntax, codec = _SYNTAXES[tag]
    try:
        value = content.decode(codec)
    except UnicodeDecodeError:
        raise _unfit(syntax) from None
    alphabet = _ALPHABETS.get(syntax)
    if alphabet is not None and alphabet.fullmatch(value) is None:
        raise _unfit(syntax)
    return value, syntax


def decode_name(data: bytes) -> DistinguishedName:
    """Read exactly one DER Name; BadRequest if it is malformed, BadName if we cannot hold it."""
    reader = der.Reader(der.single(data, der.SEQUENCE)[1])
    rdns: list[RDN] = []
    while reader:
        members = reader.enter(der.SET)
        pairs: list[tuple[Attribute, bytes]] = []
        while members:
            pairs.append(_decode_attribute(members))
        encodings = [raw for _, raw in pairs]
        if not pairs or encodings != sorted(encodings):
            raise BadName(
                "an RDN that is empty or whose attributes are out of order",
                field="subject",
                rule="name.rdn",
                remedy="encode it in DER: SET OF members ascend (X.690 §11.6)",
            )
        rdns.append(tuple(attribute for attribute, _ in pairs))
    return DistinguishedName(tuple(rdns))


# RFC 4514 §3.  A pair is "\" and either a special character or two hex digits.
_TYPE = re.compile(r" *(?:oid\.)?([A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)+) *= *", re.IGNORECASE)
_VALUE = re.compile(r'(?:[^\\",;+<>\x00]|\\[0-9A-Fa-f]{2}|\\[ "#+,;<=>\\])*')
_PAIR = re.compile(r"((?:\\[0-9A-Fa-f]{2})+)|\\(.)", re.DOTALL)
_OIDS: Final = {name.lower(): oid for oid, name in SHORT_NAMES.items()}


def _bad_text(why: str) -> BadName:
    return BadName(
        f"a distinguished name we cannot read: {why}",
        field="subject",
        rule="name.text",
        remedy=r"write it like CN=www.example.org,O=Example\, Inc.,C=DE (RFC 4514)",
    )


def _resolve(kind: str) -> str:
    oid = kind if kind[0].isdigit() else _OIDS.get(kind.lower())
    if oid is None:
        raise _bad_text(f"no attribute is called {kind[:40]!r}")
    der.oid(oid)
    return oid


def _unescape(raw: str) -> str:
    """Undo RFC 4514 §2.4: hex pairs are octets of UTF-8."""

    def octets(match: re.Match[str]) -> str:
        pairs: str | None = match[1]
        if pairs is None:
            return str(match[2])
        return bytes.fromhex(pairs.replace("\\", "")).decode("utf-8")

    try:
        return _PAIR.sub(octets, raw)
    except UnicodeDecodeError:
        raise _bad_text("escaped octets that are not UTF-8") from None


def _strip(raw: str) -> str:
    """Drop spaces at the end that no backslash protects."""
    bare = raw.rstrip(" ")
    slashes = len(bare) - len(bare.rstrip("\\"))
    return bare + " " if slashes % 2 and len(bare) < len(raw) else bare


def _value(oid: str, raw: str) -> tuple[str, Syntax]:
    if raw.startswith("#"):
        try:
            tag, content = der.single(bytes.fromhex(raw[1:]))
        except (ValueError, BadRequest):
            raise _bad_text("a #value that is not the hex of DER") from None
        return _decode_string(tag, content)
    name = SHORT_NAMES.get(oid)
    return _unescape(raw), ATTRIBUTES[name][1] if name else Syntax.UTF8


def parse_text(text: str) -> DistinguishedName:
    """Read RFC 4514 text, ``CN=x,O=y``: the last RDN stands first in it.

    Values take the default syntax of their attribute, unknown ones
    UTF8String, and ``#hex`` values the type they carry.
    """
    if len(text) > MAX_TEXT:
        raise _bad_text(f"it has more than {MAX_TEXT} characters")
    if not text.strip(" "):
        return DistinguishedName()
    rdns: list[list[Attribute]] = [[]]
    at = 0
    while True:
        kind = _TYPE.match(text, at)
        if kind is None:
            raise _bad_text(f"no attribute type at character {at + 1}")
        oid = _resolve(kind[1])
        value = _VALUE.match(text, kind.end())
        assert value is not None  # it matches the empty string
        rdns[-1].append(Attribute(oid, *_value(oid, _strip(value[0]))))
        at = value.end()
        if at == len(text):
            return DistinguishedName(tuple(map(tuple, reversed(rdns))))
        if text[at] == ",":
            rdns.append([])
        elif text[at] != "+":
            raise _bad_text(f"an unescaped {text[at]!r} at character {at + 1}")
        at += 1
