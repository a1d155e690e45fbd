"""Distinguished names as a CA handles them: ordered, typed, never reparsed from text."""

from dataclasses import dataclass
from enum import StrEnum


class Syntax(StrEnum):
    """ASN.1 string type of an attribute value (X.520, RFC 5280 Appendix A)."""

    UTF8 = "UTF8String"
    PRINTABLE = "PrintableString"
    IA5 = "IA5String"
    BMP = "BMPString"
    TELETEX = "TeletexString"
    UNIVERSAL = "UniversalString"
    NUMERIC = "NumericString"


ATTRIBUTES: dict[str, tuple[str, Syntax, int]] = {
    # short name: (OID, default syntax, upper bound in characters: RFC 5280 Appendix A.1)
    "CN": ("2.5.4.3", Syntax.UTF8, 64),
    "SN": ("2.5.4.4", Syntax.UTF8, 40),
    "serialNumber": ("2.5.4.5", Syntax.PRINTABLE, 64),
    "C": ("2.5.4.6", Syntax.PRINTABLE, 2),
    "L": ("2.5.4.7", Syntax.UTF8, 128),
    "ST": ("2.5.4.8", Syntax.UTF8, 128),
    "street": ("2.5.4.9", Syntax.UTF8, 128),
    "O": ("2.5.4.10", Syntax.UTF8, 64),
    "OU": ("2.5.4.11", Syntax.UTF8, 64),
    "title": ("2.5.4.12", Syntax.UTF8, 64),
    "businessCategory": ("2.5.4.15", Syntax.UTF8, 128),
    "postalCode": ("2.5.4.17", Syntax.UTF8, 40),
    "GN": ("2.5.4.42", Syntax.UTF8, 64),
    "initials": ("2.5.4.43", Syntax.UTF8, 64),
    "dnQualifier": ("2.5.4.46", Syntax.PRINTABLE, 64),
    "pseudonym": ("2.5.4.65", Syntax.UTF8, 128),
    "organizationIdentifier": ("2.5.4.97", Syntax.UTF8, 128),
    "UID": ("0.9.2342.19200300.100.1.1", Syntax.UTF8, 256),
    "DC": ("0.9.2342.19200300.100.1.25", Syntax.IA5, 63),
    "emailAddress": ("1.2.840.113549.1.9.1", Syntax.IA5, 255),
}
SHORT_NAMES = {oid: name for name, (oid, _, _) in ATTRIBUTES.items()}


@dataclass(frozen=True, slots=True)
class Attribute:
    """One AttributeTypeAndValue."""

    oid: str
    value: str
    syntax: Syntax


RDN = tuple[Attribute, ...]
"""A RelativeDistinguishedName: one attribute, or several for a multi-valued one."""

_SPECIAL = str.maketrans({c: "\\" + c for c in '",+;<>\\='})


def _escape(value: str) -> str:
    """Escape one value (RFC 4514 §2.4), and control characters too: they end up in logs."""
    if value.isalnum() and value.isascii():
        return value
    text = value.translate(_SPECIAL)
    if any(ord(c) < 0x20 or ord(c) == 0x7F for c in text):
        text = "".join(f"\\{ord(c):02x}" if ord(c) < 0x20 or ord(c) == 0x7F else c for c in text)
    if len(text) > 1 and text.endswith(" "):
        text = text[:-1] + "\\ "
    if text[:1] in (" ", "#"):
        text = "\\" + text
    return text


@dataclass(frozen=True, slots=True)
class DistinguishedName:
    """An ordered RDNSequence, first RDN first (as in DER, not as in RFC 4514 text)."""

    rdns: tuple[RDN, ...] = ()

    @property
    def text(self) -> str:
        """RFC 4514 string: last RDN first, known attributes by short name."""
        return ",".join(
            "+".join(f"{SHORT_NAMES.get(a.oid, a.oid)}={_escape(a.value)}" for a in rdn)
            for rdn in reversed(self.rdns)
        )

    def values(self, oid: str) -> tuple[str, ...]:
        """All values of one attribute type, in order."""
        return tuple(a.value for rdn in self.rdns for a in rdn if a.oid == oid)


class NameKind(StrEnum):
    """GeneralName choices (RFC 5280 §4.2.1.6)."""

    DNS = "dns"
    EMAIL = "email"
    IP = "ip"
    URI = "uri"
    UPN = "upn"  # otherName 1.3.6.1.4.1.311.20.2.3
    DIRECTORY = "directory"
    REGISTERED_ID = "registered-id"
    OTHER = "other"  # any further otherName: value is "<oid>;<hex of the DER value>"


@dataclass(frozen=True, slots=True, order=True)
class GeneralName:
    """One name of a subject alternative name extension.

    DNS in lower case without a trailing dot (IDNA A-labels), e-mail as
    written, IP in canonical text, directory names as RFC 4514 text.
    """

    kind: NameKind
    value: str

    @property
    def text(self) -> str:
        """``dns:www.example.org``: how names are shown, searched and stored."""
        return f"{self.kind.value}:{self.value}"
