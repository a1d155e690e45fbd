"""OCSP answers about one certificate, put together from parts that differ in few places.

What ``wire.ocsp`` builds from the inside out is here one join: the heads depend
on nothing but lengths, of which there are few.
"""

from functools import lru_cache
from typing import Final

from chancery.wire import der

_NONCE: Final = der.oid("1.3.6.1.5.5.7.48.1.2")
_BASIC: Final = der.oid("1.3.6.1.5.5.7.48.1.1")
_SUCCESSFUL: Final = b"\x0a\x01\x00"


def response_data(
    front: bytes, cert_id: bytes, status: bytes, tail: bytes, nonce: bytes | None
) -> bytes:
    """ResponseData with one SingleResponse: what is signed.

    *front*: ResponderID and producedAt; *tail*: what follows the status.
    """
    lengths = (len(front), len(cert_id) + len(status) + len(tail))
    if nonce is None:
        outer, inner, _ = _data_heads(*lengths, None)
        return b"".join((outer, front, inner, cert_id, status, tail))
    outer, inner, extension = _data_heads(*lengths, len(nonce))
    return b"".join((outer, front, inner, cert_id, status, tail, extension, nonce))


@lru_cache(maxsize=4096)
def _data_heads(front: int, single: int, nonce: int | None) -> tuple[bytes, bytes, bytes]:
    """What stands before *front*, before the SingleResponse, and before the nonce's value."""
    inner = der.head(0x30, single)
    inner = der.head(0x30, len(inner) + single) + inner
    extension, rest = b"", 0
    if nonce is not None:
        extension, rest = _NONCE + der.head(0x04, nonce), nonce
        for tag in (0x30, 0x30, 0xA1):
            extension = der.head(tag, len(extension) + nonce) + extension
    size = front + len(inner) + single + len(extension) + rest
    return der.head(0x30, size), inner, extension


@lru_cache(maxsize=4096)
def response_heads(data: int, algorithm: int, signature: int, certs: int) -> tuple[bytes, bytes]:
    """What stands before ResponseData in an OCSPResponse, and before the signature's octets."""
    bits = der.head(0x03, signature + 1) + b"\0"
    size = data + algorithm + len(bits) + signature + certs
    front = der.head(0x30, size)
    front = _BASIC + der.head(0x04, len(front) + size) + front
    for tag in (0x30, 0xA0):
        front = der.head(tag, len(front) + size) + front
    front = _SUCCESSFUL + front
    return der.head(0x30, len(front) + size) + front, bits
