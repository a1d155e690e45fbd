"""The signer's own reading of what it is asked to sign.

Each function reads one kind of structure whole and refuses every other.  No
octets pass as two kinds, so a key cannot be made to sign one as another: a
TBSCertificate begins with [0], a TBSCertList with INTEGER 1 and an
AlgorithmIdentifier, a CertificationRequestInfo with INTEGER 0, a ResponseData
with [1] or [2], and a checkpoint is text.

The extensions' values are read only where a limit of the key depends on them.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from chancery.domain.algorithms import SignatureAlgorithm
from chancery.domain.errors import BadRequest
from chancery.wire import der
from chancery.wire.algorithms import algorithm_identifier, signature_algorithm_of
from chancery.wire.der import header

_V3: Final = b"\xa0\x03\x02\x01\x02"
_MAX_SERIAL: Final = 20  # octets (RFC 5280 §4.1.2.2)
_BASIC_CONSTRAINTS: Final = der.oid("2.5.29.19")
_KEY_USAGE: Final = der.oid("2.5.29.15")
_EXTENDED_KEY_USAGE: Final = der.oid("2.5.29.37")
_NETSCAPE_TYPE: Final = der.oid("2.16.840.1.113730.1.1")
_CRL_NUMBER: Final = der.oid("2.5.29.20")
_NETSCAPE_CA: Final = 0x07  # bits 5 to 7: CA for TLS, S/MIME and object signing
KEY_CERT_SIGN: Final = 0x0400  # bit 5 of KeyUsage, bit 0 being 0x8000 (RFC 5280 §4.2.1.3)
CRL_SIGN: Final = 0x0200  # bit 6

_time = lru_cache(maxsize=1024)(der.decode_time)


@dataclass(slots=True)
class Certificate:
    """What the signer looks at in a TBSCertificate.

    Names, key and OIDs are whole DER values, times Unix seconds, *key_usage*
    its 16 bits from the left; None: the extension is not there.
    """

    serial: int
    issuer: bytes
    not_before: int
    not_after: int
    subject: bytes
    spki: bytes
    ca: bool = False
    path_length: int | None = None
    key_usage: int | None = None
    ekus: frozenset[bytes] | None = None
    netscape_ca: bool = False


@dataclass(frozen=True, slots=True)
class CertificateList:
    """What the signer looks at in a TBSCertList; *number* is its CRL number."""

    issuer: bytes
    this_update: int
    next_update: int
    number: int


def _refuse(what: str, rule: str) -> BadRequest:
    return BadRequest(f"not to be signed: {what}", field="tbs", rule=rule)


def _expect(data: bytes, at: int, end: int, tag: int) -> tuple[int, int]:
    found, start, stop = header(data, at, end)
    if found != tag:
        raise _refuse(f"tag {found:#04x} where {tag:#04x} belongs", "tbs.structure")
    return start, stop


def _whole(data: bytes) -> tuple[int, int]:
    """Content of the one SEQUENCE that *data* is."""
    start, stop = _expect(data, 0, len(data), der.SEQUENCE)
    if stop != len(data):
        raise _refuse("octets after its end", "tbs.structure")
    return start, stop


def _instant(data: bytes, at: int, end: int) -> tuple[int, int]:
    """(Unix seconds, end of the value) of a Time."""
    tag, start, stop = header(data, at, end)
    return _time(tag, data[start:stop]), stop


def certificate(data: bytes, algorithm: SignatureAlgorithm) -> Certificate:
    """Read a TBSCertificate (RFC 5280 §4.1) that says it is signed with *algorithm*.

    Raises BadRequest.
    """
    at, end = _whole(data)
    if data[at : at + 5] != _V3:
        raise _refuse("not an X.509 version 3 certificate", "tbs.version")
    start, at = _expect(data, at + 5, end, der.INTEGER)
    serial = der.decode_integer(data[start:at])
    if serial <= 0 or at - start > _MAX_SERIAL:
        raise _refuse("the serial number is not 1 to 20 positive octets", "tbs.serial")
    identifier = algorithm_identifier(algorithm)
    if data[at : at + len(identifier)] != identifier:
        raise _refuse(f"its algorithm is not {algorithm}", "tbs.algorithm")
    at += len(identifier)
    _, issuer_end = _expect(data, at, end, der.SEQUENCE)
    issuer = data[at:issuer_end]
    at, validity_end = _expect(data, issuer_end, end, der.SEQUENCE)
    not_before, at = _instant(data, at, validity_end)
    not_after, at = _instant(data, at, validity_end)
    if at != validity_end or not_before > not_after:
        raise _refuse("the validity is not an interval", "tbs.validity")
    _, subject_end = _expect(data, at, end, der.SEQUENCE)
    _, spki_end = _expect(data, subject_end, end, der.SEQUENCE)
    facts = Certificate(
        serial,
        issuer,
        not_before,
        not_after,
        data[at:subject_end],
        data[subject_end:spki_end],
    )
    if spki_end < end:
        # Unique identifiers [1] and [2] are refused: RFC 5280 §4.1.2.8 forbids them.
        start, stop = _expect(data, spki_end, end, 0xA3)
        if stop != end:
            raise _refuse("octets after the extensions", "tbs.structure")
        for oid, value in _extensions(data, start, stop).items():
            _note(facts, oid, value)
    return facts


def _extensions(data: bytes, at: int, end: int) -> dict[bytes, bytes]:
    """Extensions by their OID's whole DER; a repeated one is refused (RFC 5280 §4.2)."""
    found: dict[bytes, bytes] = {}
    at, stop = _expect(data, at, end, der.SEQUENCE)
    if stop != end or at == stop:
        raise _refuse("the extensions are empty or have a tail", "tbs.structure")
    while at < end:
        start, stop = _expect(data, at, end, der.SEQUENCE)
        _, oid_end = _expect(data, start, stop, der.OID)
        oid = data[start:oid_end]
        if data[oid_end : oid_end + 3] == b"\x01\x01\xff":
            oid_end += 3
        start, value_end = _expect(data, oid_end, stop, der.OCTET_STRING)
        if value_end != stop or oid in found:
            raise _refuse("an extension is malformed or there twice", "tbs.extension")
        found[oid] = data[start:value_end]
        at = stop
    return found


def _note(facts: Certificate, oid: bytes, value: bytes) -> None:
    if oid == _BASIC_CONSTRAINTS:
        facts.ca, facts.path_length = _basic_constraints(value)
    elif oid == _KEY_USAGE:
        facts.key_usage = _bits(value)
    elif oid == _EXTENDED_KEY_USAGE:
        facts.ekus = _oids(value)
    elif oid == _NETSCAPE_TYPE:
        facts.netscape_ca = bool(_bits(value) >> 8 & _NETSCAPE_CA)


def _basic_constraints(value: bytes) -> tuple[bool, int | None]:
    """RFC 5280 §4.2.1.9; cA FALSE is the default, so DER leaves it out."""
    at, end = _whole(value)
    ca = value[at : at + 3] == b"\x01\x01\xff"
    if ca:
        at += 3
    length = None
    if at < end:
        start, at = _expect(value, at, end, der.INTEGER)
        length = der.decode_integer(value[start:at])
    if at != end or (length is not None and (length < 0 or not ca)):
        raise _refuse("malformed basic constraints", "tbs.extension")
    return ca, length


def _bits(value: bytes) -> int:
    """The first 16 bits of a BIT STRING, bit 0 leftmost."""
    start, stop = _expect(value, 0, len(value), der.BIT_STRING)
    octets, _ = der.decode_bit_string(value[start:stop])
    if stop != len(value) or len(octets) > 2:
        raise _refuse("a bit string longer than any usage", "tbs.extension")
    return int.from_bytes(octets.ljust(2, b"\0"))


@lru_cache(maxsize=256)
def _oids(value: bytes) -> frozenset[bytes]:
    """A SEQUENCE OF OBJECT IDENTIFIER, each as its whole DER; not empty."""
    at, end = _whole(value)
    found = set()
    while at < end:
        _, stop = _expect(value, at, end, der.OID)
        found.add(value[at:stop])
        at = stop
    if not found:
        raise _refuse("an empty list of key purposes", "tbs.extension")
    return frozenset(found)


def signed_certificate(data: bytes) -> tuple[Certificate, bytes, bytes, bytes]:
    """Read a Certificate: (facts, TBS octets, AlgorithmIdentifier, signature octets).

    Raises BadRequest; any algorithm we can name is read.
    """
    at, end = _whole(data)
    _, tbs_end = _expect(data, at, end, der.SEQUENCE)
    _, identifier_end = _expect(data, tbs_end, end, der.SEQUENCE)
    start, stop = _expect(data, identifier_end, end, der.BIT_STRING)
    signature, unused = der.decode_bit_string(data[start:stop])
    if stop != end or unused:
        raise _refuse("not one certificate", "tbs.structure")
    identifier = data[tbs_end:identifier_end]
    inner = data[at:tbs_end]
    return certificate(inner, signature_algorithm_of(identifier)), inner, identifier, signature


def request_key(data: bytes) -> bytes:
    """The SPKI of a CertificationRequestInfo (RFC 2986 §4.1).  Raises BadRequest."""
    at, end = _whole(data)
    if data[at : at + 3] != b"\x02\x01\x00":
        raise _refuse("not a version 1 certification request", "tbs.version")
    _, name_end = _expect(data, at + 3, end, der.SEQUENCE)
    _, spki_end = _expect(data, name_end, end, der.SEQUENCE)
    _, stop = _expect(data, spki_end, end, 0xA0)
    if stop != end:
        raise _refuse("octets after the attributes", "tbs.structure")
    return data[name_end:spki_end]


def certificate_list(data: bytes, algorithm: SignatureAlgorithm) -> CertificateList:
    """Read the frame of a version 2 TBSCertList (RFC 5280 §5.1).  Raises BadRequest.

    The entries are counted on to be ours; what an authority revokes is its own affair.
    """
    at, end = _whole(data)
    if data[at : at + 3] != b"\x02\x01\x01":
        raise _refuse("not a version 2 CRL", "tbs.version")
    at += 3
    identifier = algorithm_identifier(algorithm)
    if data[at : at + len(identifier)] != identifier:
        raise _refuse(f"its algorithm is not {algorithm}", "tbs.algorithm")
    at += len(identifier)
    _, issuer_end = _expect(data, at, end, der.SEQUENCE)
    issuer = data[at:issuer_end]
    this_update, at = _instant(data, issuer_end, end)
    next_update, at = _instant(data, at, end)
    if at < end and data[at] == der.SEQUENCE:
        _, at = _expect(data, at, end, der.SEQUENCE)
    start, stop = _expect(data, at, end, 0xA0)
    value = _extensions(data, start, stop).get(_CRL_NUMBER)
    if stop != end or value is None or next_update <= this_update:
        raise _refuse("a CRL without number, or that ends before it begins", "tbs.structure")
    start, stop = _expect(value, 0, len(value), der.INTEGER)
    number = der.decode_integer(value[start:stop])
    if stop != len(value) or number < 0 or stop - start > _MAX_SERIAL:
        raise _refuse("a CRL number that is none", "tbs.extension")
    return CertificateList(issuer, this_update, next_update, number)


def response_data(data: bytes) -> int:
    """Check the shape of an OCSP ResponseData (RFC 6960 §4.2.1); returns producedAt.

    Raises BadRequest.  Version 1 is the default, so DER leaves it out.
    """
    at, end = _whole(data)
    tag, _, at = header(data, at, end)
    if tag not in (0xA1, 0xA2):
        raise _refuse("no responder id", "tbs.structure")
    start, at = _expect(data, at, end, der.GENERALIZED_TIME)
    produced = _time(der.GENERALIZED_TIME, data[start:at])
    start, at = _expect(data, at, end, der.SEQUENCE)
    while start < at:
        _, start = _expect(data, start, at, der.SEQUENCE)
    if at < end:
        _, at = _expect(data, at, end, 0xA1)
    if at != end:
        raise _refuse("octets after the responses", "tbs.structure")
    return produced
