"""The usual OCSP request, taken apart in a few microseconds.

Usual: version 1, no name, one CertID with SHA-1 or SHA-256, no extension but a
nonce, in DER.  Everything else is for ``wire.ocsp``, also whatever is wrong:
what is found here is put together again, and must be what was sent.
"""

import re
from dataclasses import dataclass
from typing import Final

from chancery.wire import der

_NONCE: Final = der.oid("1.3.6.1.5.5.7.48.1.2")
_LENGTH: Final = rb"(?:[\x00-\x7f]|\x81.)"
_SHA1: Final = rb"\x30[\x07\x09]\x06\x05\x2b\x0e\x03\x02\x1a(?:\x05\x00)?\x04\x14.{20}\x04\x14.{20}"
_SHA256: Final = (
    rb"\x30[\x0b\x0d]\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01(?:\x05\x00)?"
    rb"\x04\x20.{32}\x04\x20.{32}"
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


@dataclass(frozen=True, slots=True)
class UsualRequest:
    """*issuer* is all of the CertID before its serial; *nonce* the extension's value, if any.

    *cert_id* is echoed in the answer, octet by octet; *serial* is lower-case hex.
    """

    cert_id: bytes
    issuer: bytes
    serial: str
    nonce: bytes | None


def take_apart(data: bytes) -> UsualRequest | None:
    """The parts of a usual request; None for every other."""
    found = _USUAL.match(data)
    if found is None:
        return None
    cert_id, issuer, serial, nonce = found.groups()
    # RFC 5280 serials: positive, and no longer than need be.
    if serial[0] > 0x7F or (serial[0] == 0 and (len(serial) == 1 or serial[1] < 0x80)):
        return None
    if cert_id != _tlv(0x30, issuer + _tlv(0x02, serial)):
        return None
    extensions = b""
    if nonce is not None:
        octets = nonce[2:] if nonce[1] < 0x80 else nonce[3:]
        if len(octets) > MAX_NONCE or nonce != _tlv(0x04, octets):
            return None
        extension = _tlv(0x30, _NONCE + _tlv(0x04, nonce))
        extensions = _tlv(0xA2, _tlv(0x30, extension))
    listed = _tlv(0x30, _tlv(0x30, cert_id))
    if data != _tlv(0x30, _tlv(0x30, listed + extensions)):
        return None
    return UsualRequest(cert_id, issuer, serial.hex().lstrip("0"), nonce)


_HEADS: Final = {
    (tag, size): bytes((tag, size)) if size < 0x80 else bytes((tag, 0x81, size))
    for tag in (0x02, 0x04, 0x30, 0xA2)
    for size in range(256)
}


def _tlv(tag: int, content: bytes) -> bytes:
    head = _HEADS.get((tag, len(content)))
    return b"" if head is None else head + content
