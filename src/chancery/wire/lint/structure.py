"""A certificate taken apart: where each field stands, and no more."""

from typing import Final, NamedTuple

from chancery.domain.errors import BadRequest
from chancery.wire import der

MAX_OCTETS: Final = 65_536
_MAX_EXTENSIONS: Final = 64
_VERSION_3: Final = b"\xa0\x03\x02\x01\x02"
_TIMES: Final = (der.UTC_TIME, der.GENERALIZED_TIME)


class Parts(NamedTuple):
    """Fields of a certificate as complete DER values; *serial* and times are content only."""

    serial: bytes
    inner_algorithm: bytes
    outer_algorithm: bytes
    issuer: bytes
    not_before: tuple[int, bytes]  # (tag, content)
    not_after: tuple[int, bytes]
    subject: bytes
    spki: bytes
    extensions: list[bytes]


def split(data: bytes) -> Parts:
    """Take a DER Certificate apart; BadRequest where it is not one of version 3.

    Offsets, not readers: this runs for each certificate.
    """
    if len(data) > MAX_OCTETS:
        raise BadRequest(f"a certificate of {len(data)} octets", rule="lint.size")
    at, end = _enter(data, 0, len(data), der.SEQUENCE)
    if end != len(data):
        raise _malformed("octets after the certificate")
    tbs, tbs_end = _enter(data, at, end, der.SEQUENCE)
    algorithm_end = _enter(data, tbs_end, end, der.SEQUENCE)[1]
    signature, signature_end = _enter(data, algorithm_end, end, der.BIT_STRING)
    if signature_end != end:
        raise _malformed("octets after the signature")
    if signature_end - signature < 2 or data[signature]:
        raise _malformed("a signature that is not a whole number of octets")

    if data[tbs : tbs + 5] != _VERSION_3:
        raise BadRequest("the version is not 3", rule="lint.version")
    serial, serial_end = _enter(data, tbs + 5, tbs_end, der.INTEGER)
    inner_end = _enter(data, serial_end, tbs_end, der.SEQUENCE)[1]
    issuer_end = _enter(data, inner_end, tbs_end, der.SEQUENCE)[1]
    validity, validity_end = _enter(data, issuer_end, tbs_end, der.SEQUENCE)
    subject_end = _enter(data, validity_end, tbs_end, der.SEQUENCE)[1]
    spki_end = _enter(data, subject_end, tbs_end, der.SEQUENCE)[1]
    not_before, not_after = _validity(data, validity, validity_end)
    return Parts(
        data[serial:serial_end],
        data[serial_end:inner_end],
        data[tbs_end:algorithm_end],
        data[inner_end:issuer_end],
        not_before,
        not_after,
        data[validity_end:subject_end],
        data[subject_end:spki_end],
        _extensions(data, spki_end, tbs_end),
    )


def _enter(data: bytes, at: int, end: int, tag: int) -> tuple[int, int]:
    """Start and end of the content of the value at *at*, which must have this tag."""
    found, start, stop = der.header(data, at, end)
    if found != tag:
        raise _malformed(f"tag {found:#04x} where {tag:#04x} belongs, at offset {at}")
    return start, stop


def _validity(data: bytes, at: int, end: int) -> tuple[tuple[int, bytes], tuple[int, bytes]]:
    first, start, middle = der.header(data, at, end)
    second, restart, stop = der.header(data, middle, end)
    if stop != end or first not in _TIMES or second not in _TIMES:
        raise _malformed("a validity that is not two times")
    return (first, data[start:middle]), (second, data[restart:stop])


def _extensions(data: bytes, at: int, end: int) -> list[bytes]:
    """The extensions; issuerUniqueID and subjectUniqueID must not stand before them."""
    if at == end:
        return []
    wrapped, wrapped_end = _enter(data, at, end, 0xA3)
    at, stop = _enter(data, wrapped, wrapped_end, der.SEQUENCE)
    if not wrapped_end == stop == end:
        raise _malformed("octets after the extensions")
    if at == stop:
        raise _malformed("an empty list of extensions")
    found = []
    while at < stop:
        start = at
        at = _enter(data, at, stop, der.SEQUENCE)[1]
        found.append(data[start:at])
    if len(found) > _MAX_EXTENSIONS:
        raise _malformed(f"more than {_MAX_EXTENSIONS} extensions")
    return found


def extension(data: bytes) -> tuple[bytes, bool, bytes]:
    """(content of the OID, critical, value) of one DER Extension."""
    at, end = _enter(data, 0, len(data), der.SEQUENCE)
    oid, at = _enter(data, at, end, der.OID)
    name = data[oid:at]
    critical = False
    if data[at : at + 1] == b"\x01":
        # FALSE is the default, and DER does not write defaults (X.690 §11.5).
        if data[at : at + 3] != b"\x01\x01\xff":
            raise _malformed("a critical flag that is not TRUE")
        critical = True
        at += 3
    value, stop = _enter(data, at, end, der.OCTET_STRING)
    if stop != end:
        raise _malformed("octets after the value of an extension")
    return name, critical, data[value:stop]


def _malformed(what: str) -> BadRequest:
    return BadRequest(f"not a DER certificate: {what}", rule="lint.der")
