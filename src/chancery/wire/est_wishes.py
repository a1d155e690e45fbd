"""What a certification request asks of an EST server beside the certificate.

Attributes of PKCS#10: another name at renewal (RFC 6402 §2.8), and how a key
that the server makes is to be encrypted (RFC 7030 §4.4.1).
"""

from dataclasses import dataclass
from typing import Final

from chancery.domain.errors import BadCSR
from chancery.domain.names import DistinguishedName, GeneralName
from chancery.wire import der
from chancery.wire.general_names import decode_san
from chancery.wire.names import decode_name

CHANGE_SUBJECT_NAME: Final = "1.3.6.1.5.5.7.7.36"
DECRYPT_KEY_ID: Final = "1.2.840.113549.1.9.16.2.37"
ASYMMETRIC_DECRYPT_KEY_ID: Final = "1.2.840.113549.1.9.16.2.54"
SMIME_CAPABILITIES: Final = "1.2.840.113549.1.9.15"

_MAX_CAPABILITIES: Final = 64
_MAX_KEY_ID: Final = 256  # octets
_ATTRIBUTES: Final = der.CONTEXT | der.CONSTRUCTED
_SUBJECT_ALT: Final = der.CONTEXT | der.CONSTRUCTED | 1  # RFC 6402, erratum 3943


@dataclass(frozen=True, slots=True)
class NewName:
    """A ChangeSubjectName: None where that half stays as it is."""

    subject: DistinguishedName | None
    names: tuple[GeneralName, ...] | None


@dataclass(frozen=True, slots=True)
class Wishes:
    """*symmetric* and *asymmetric* name the key to encrypt for; *capabilities* are OIDs."""

    new_name: NewName | None = None
    symmetric: bytes | None = None
    asymmetric: bytes | None = None
    capabilities: tuple[str, ...] = ()

    @property
    def encrypted(self) -> bool:
        """Whether a key made by the server must not travel bare."""
        named = self.symmetric is not None or self.asymmetric is not None
        return named or bool(self.capabilities)


def read(info: bytes) -> Wishes:
    """Read the signed part of a request that ``pkcs10.decode`` has accepted.  Raises BadCSR."""
    reader = der.Reader(der.single(info, der.SEQUENCE)[1])
    for _ in range(3):  # version, subject, key
        reader.read()
    attributes = der.Reader(reader.optional(_ATTRIBUTES) or b"")
    found: dict[str, bytes] = {}
    while attributes:
        attribute = attributes.enter(der.SEQUENCE)
        oid = der.decode_oid(attribute.content(der.OID))
        if oid in _READ:
            values = attribute.enter(der.SET)
            found[oid] = values.read()[2]
            values.finish()
    changed = found.get(CHANGE_SUBJECT_NAME)
    return Wishes(
        new_name=None if changed is None else _new_name(changed),
        symmetric=_key_id(found.get(DECRYPT_KEY_ID)),
        asymmetric=_key_id(found.get(ASYMMETRIC_DECRYPT_KEY_ID)),
        capabilities=_capabilities(found.get(SMIME_CAPABILITIES)),
    )


_READ: Final = frozenset(
    {CHANGE_SUBJECT_NAME, DECRYPT_KEY_ID, ASYMMETRIC_DECRYPT_KEY_ID, SMIME_CAPABILITIES}
)


def _new_name(value: bytes) -> NewName:
    """ChangeSubjectName: an optional Name, and optional GeneralNames under the tag [1].

    RFC 6402 forgot the tag; without it a SEQUENCE of general names is told
    from a Name by what it holds.
    """
    reader = der.Reader(der.single(value, der.SEQUENCE)[1])
    subject: DistinguishedName | None = None
    names: tuple[GeneralName, ...] | None = None
    while reader:
        tag, content, raw = reader.read()
        if tag == _SUBJECT_ALT or (tag == der.SEQUENCE and content[:1] >= b"\x80"):
            if names is not None:
                raise _bad("names the alternative names twice", "est.change-subject-name")
            names = decode_san(der.tlv(der.SEQUENCE, content))
        elif tag == der.SEQUENCE and subject is None and names is None:
            subject = decode_name(raw)
        else:
            raise _bad("holds a malformed ChangeSubjectName", "est.change-subject-name")
    if subject is None and names is None:
        raise _bad("asks for a new name and gives none", "est.change-subject-name")
    return NewName(subject, names)


def _key_id(value: bytes | None) -> bytes | None:
    if value is None:
        return None
    found = der.single(value, der.OCTET_STRING)[1]
    if not 1 <= len(found) <= _MAX_KEY_ID:
        raise _bad(f"names a key with {len(found)} octets", "est.key-identifier")
    return found


def _capabilities(value: bytes | None) -> tuple[str, ...]:
    """SMIMECapabilities (RFC 8551 §2.5.2), in the client's order of preference."""
    if value is None:
        return ()
    reader = der.Reader(der.single(value, der.SEQUENCE)[1])
    found: list[str] = []
    while reader:
        if len(found) == _MAX_CAPABILITIES:
            raise _bad(f"has more than {_MAX_CAPABILITIES} capabilities", "est.capabilities")
        found.append(der.decode_oid(reader.enter(der.SEQUENCE).content(der.OID)))
    return tuple(found)


def _bad(what: str, rule: str) -> BadCSR:
    return BadCSR(f"the certificate request {what}", field="csr", rule=rule)
