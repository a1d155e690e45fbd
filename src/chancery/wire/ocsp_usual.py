"""The usual OCSP request, taken apart in a few microseconds.

Usual: version 1, no name, one CertID with SHA-1 or SHA-256, no extension but a
nonce, in DER.  Everything else is for ``wire.ocsp``, also whatever is wrong:
what is found here is put together again, and must be what was sent.
"""

import re
from typing import Final, NamedTuple

from chancery.wire import der

_NONCE: Final = der.oid("1.3.6.1.5.5.7.48.1.2")
_LENGTH: Final = rb"(?:[\x00-\x7f]|\x81.)"
_SHA1: Final = (
    rb"(?:\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00|\x30\x07\x06\x05\x2b\x0e\x03\x02\x1a)"
    rb"\x04\x14.{20}\x04\x14.{20}"
)
_OID: Final = rb"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01"
_SHA256: Final = (
    rb"(?:\x30\x0d" + _OID + rb"\x05\x00|\x30\x0b" + _OID + rb")\x04\x20.{32}\x04\x20.{32}"
)
_USUAL: Final = re.compile(
    rb"\x30" + _LENGTH + rb"\x30" + _LENGTH + rb"\x30" + _LENGTH + rb"\x30" + _LENGTH
    + rb"(?P<id>\x30" + _LENGTH + rb"(?P<issuer>" + _SHA1 + rb"|" + _SHA256 + rb")"
    + rb"\x02[\x01-\x14](?P<serial>.{1,20}?))"
    + rb"(?:\xa2" + _LENGTH + rb"\x30" + _LENGTH + rb"\x30" + _LENGTH + re.escape(_NONCE)
    + rb"\x04" + _LENGTH + rb"(?P<nonce>\x04" + _LENGTH + rb".{1,128}))?\Z",
    re.DOTALL,
)  # fmt: skip
MAX_NONCE: Final = 128


class UsualRequest(NamedTuple):
    """*issuer* is all of the CertID before its serial; *nonce* the extension's value, if any.

    *cert_id* is echoed in the answer, octet by octet; *serial* is lower-case hex.
    """

    cert_id: bytes
    issuer: bytes
    serial: str
    nonce: bytes | None


class _Shape(NamedTuple):
    """Requests of one length that differ in serial and nonce alone: where these stand."""

    start: bytes  # all before the serial
    id_at: int
    serial_end: int
    middle: bytes  # from there to the nonce's octets
    nonce_at: int  # of the extension's value
    issuer: bytes


_MARK: Final = 48  # octets by which shapes are told apart at first: before any serial begins
_MOST: Final = 1_024  # shapes remembered
_shapes: Final[dict[tuple[int, bytes], _Shape]] = {}


def take_apart(data: bytes) -> UsualRequest | None:
    """The parts of a usual request; None for every other."""
    shape = _shapes.get((len(data), data[:_MARK]))
    if shape is not None:
        start, id_at, end, middle, nonce_at, issuer = shape
        if data.startswith(start) and data.startswith(middle, end):
            serial = data[len(start) : end]
            if _positive(serial):
                text = serial.hex().lstrip("0")
                return UsualRequest(data[id_at:end], issuer, text, data[nonce_at:] or None)
    found = _taken_apart(data)
    if found is not None:
        _remember(data, found)
    return found


def _remember(data: bytes, found: UsualRequest) -> None:
    """Keep the shape of what was read whole."""
    after = b"" if found.nonce is None else _nonce_extension(found.nonce) or b""
    end = len(data) - len(after)
    nonce = b"" if found.nonce is None else found.nonce
    head = 0 if not nonce else 2 if nonce[1] < 0x80 else 3
    id_at = end - len(found.cert_id)
    serial = id_at + found.cert_id.index(found.issuer) + len(found.issuer) + 2
    nonce_at = len(data) - len(nonce)
    if len(_shapes) >= _MOST:
        _shapes.clear()
    _shapes[len(data), data[:_MARK]] = _Shape(
        data[:serial], id_at, end, data[end : nonce_at + head], nonce_at, found.issuer
    )


def _positive(serial: bytes) -> bool:
    """Whether these octets of an INTEGER are positive and minimal."""
    first = serial[0]
    if first:
        return first <= 0x7F
    return len(serial) > 1 and serial[1] >= 0x80


def _taken_apart(data: bytes) -> UsualRequest | None:
    found = _USUAL.match(data)
    if found is None:
        return None
    cert_id, issuer, serial, nonce = found.groups()
    extension = b"" if nonce is None else _nonce_extension(nonce)
    if extension is None or not _fits(cert_id, issuer, serial):
        return None
    # The tags are where they belong; now each length must be the one that DER gives what follows.
    heads = cert_id
    for more in (0, 0, len(extension), len(extension)):
        size = len(heads) + more
        if size > _LONGEST:
            return None
        heads = _HEADS[0x30][size] + heads
    if data != heads + extension:
        return None
    return UsualRequest(cert_id, issuer, serial.hex().lstrip("0"), nonce)


def _fits(cert_id: bytes, issuer: bytes, serial: bytes) -> bool:
    """Whether the lengths in a CertID are right, and its serial positive and minimal."""
    size = len(serial)
    if not _positive(serial):
        return False
    head = _HEADS[0x30][len(issuer) + size + 2]
    return cert_id[-size - 1] == size and cert_id.startswith(head)


_LONGEST: Final = 255  # octets: a length of at most two octets


def _nonce_extension(nonce: bytes) -> bytes | None:
    """[2] Extensions with this nonce alone; None if its length is not what RFC 9654 allows."""
    octets = len(nonce) - (2 if nonce[1] < 0x80 else 3)
    if not 1 <= octets <= MAX_NONCE or not nonce.startswith(_HEADS[0x04][octets]):
        return None
    if len(_HEADS[0x04][octets]) + octets != len(nonce):
        return None
    content = _NONCE + _HEADS[0x04][len(nonce)] + nonce
    for tag in (0x30, 0x30, 0xA2):
        content = _HEADS[tag][len(content)] + content
    return content


_HEADS: Final = {
    tag: [bytes((tag, size)) if size < 0x80 else bytes((tag, 0x81, size)) for size in range(256)]
    for tag in (0x04, 0x30, 0xA2)
}
