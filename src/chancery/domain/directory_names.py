"""Distinguished names as directories write them (RFC 4514), only to be compared.

Certificates have their own, typed names in ``domain.names``; these come as
text from a directory and from the settings, and two spellings of one name
must meet.
"""

import re
import unicodedata
from typing import Final

from chancery.domain.errors import BadName

MAX_NAME: Final = 8192
_ALIASES: Final = {
    "2.5.4.3": "cn",
    "commonname": "cn",
    "2.5.4.7": "l",
    "localityname": "l",
    "2.5.4.8": "st",
    "stateorprovincename": "st",
    "2.5.4.10": "o",
    "organizationname": "o",
    "2.5.4.11": "ou",
    "organizationalunitname": "ou",
    "2.5.4.6": "c",
    "countryname": "c",
    "0.9.2342.19200300.100.1.25": "dc",
    "domaincomponent": "dc",
    "0.9.2342.19200300.100.1.1": "uid",
    "userid": "uid",
}
_TYPE: Final = re.compile(r"\s*([A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)+)\s*=\s*")
_PAIR: Final = re.compile(r'\\([0-9A-Fa-f]{2}|[ "#+,;<=>\\])')
_PIECE: Final = re.compile(rf'(?:{_PAIR.pattern}|[^\\+,;"])+')
_QUOTED: Final = re.compile(rf'"((?:{_PAIR.pattern}|[^\\"])*)"\s*')

Name = tuple[frozenset[tuple[str, str]], ...]
"""RDNs, the entry's own first; each a set of (attribute, folded value)."""


def parse(text: str) -> Name:
    """Read a distinguished name for comparison; BadName if it is none.

    Attribute types and values are taken without regard to case, runs of spaces
    as one: what ``caseIgnoreMatch`` does (RFC 4518), and that is how every
    attribute that names groups and people compares.
    """
    if len(text) > MAX_NAME:
        raise _bad(text)
    rdns: list[frozenset[tuple[str, str]]] = []
    parts: list[tuple[str, str]] = []
    position = 0
    while True:
        found = _TYPE.match(text, position)
        if found is None:
            raise _bad(text)
        kind = found[1].lower()
        value, position = _value(text, found.end())
        parts.append((_ALIASES.get(kind, kind), folded(value)))
        if position < len(text) and text[position] == "+":
            position += 1
            continue
        rdns.append(frozenset(parts))
        parts = []
        if position == len(text):
            return tuple(rdns)
        position += 1  # a comma, or RFC 2253's semicolon


def is_name(text: str) -> bool:
    """Whether *text* is a distinguished name rather than the common name of something."""
    try:
        parse(text)
    except BadName:
        return False
    return True


def common_name(name: Name) -> str | None:
    """The folded CN in the entry's own RDN."""
    return next((value for kind, value in name[0] if kind == "cn"), None)


def folded(value: str) -> str:
    """One form for what a directory takes for equal."""
    return " ".join(unicodedata.normalize("NFKC", value).casefold().split())


def _value(text: str, start: int) -> tuple[str, int]:
    quoted = _QUOTED.match(text, start)
    if quoted is not None:
        raw, end = quoted[1], quoted.end()
    else:
        piece = _PIECE.match(text, start)
        raw, end = (piece[0], piece.end()) if piece is not None else ("", start)
        raw = raw.lstrip()
    if end < len(text) and text[end] not in ",;+":
        raise _bad(text)
    return _unescaped(raw, text), end


def _unescaped(raw: str, whole: str) -> str:
    octets = bytearray()
    position = 0
    while position < len(raw):
        pair = _PAIR.match(raw, position)
        if pair is None:
            octets += raw[position].encode("utf-8", "surrogatepass")
            position += 1
        else:
            octets += bytes.fromhex(pair[1]) if len(pair[1]) == 2 else pair[1].encode()
            position = pair.end()
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise _bad(whole) from None


def _bad(text: str) -> BadName:
    return BadName(
        f"{text[:100]!r} is not a distinguished name",
        field="group",
        rule="directory.name",
        remedy="write it like cn=RA Officers,ou=groups,dc=example,dc=org",
    )
