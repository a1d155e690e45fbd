"""What a path below ``/ocsp`` names: an authority, a request, or both."""

import binascii
from urllib.parse import unquote_to_bytes

from chancery.wire.ocsp import MAX_REQUEST

_MAX_PATH = 4 * MAX_REQUEST
"""Octets of a GET path: base64 takes four for three octets, and each may be %-encoded."""


def split(tail: bytes) -> tuple[bytes, bytes]:
    """(label of an authority, base64) from what follows ``/ocsp``; either may be empty.

    A request in DER begins with 0x30, so its base64 with ``M``, and a label
    with a small letter or a digit.  Clients that put one slash between may
    find two there.
    """
    rest = tail.lstrip(b"/")
    if rest.startswith((b"M", b"%4")):
        return b"", rest
    label, _, encoded = rest.partition(b"/")
    return label, encoded.lstrip(b"/")


def decode(encoded: bytes) -> bytes:
    """Undo RFC 6960 A.1: base64, then URL-encoding, which not every client applies.

    Raises ValueError.
    """
    if not encoded or len(encoded) > _MAX_PATH:
        raise ValueError("no request in the path")
    if b"%" in encoded:
        encoded = unquote_to_bytes(encoded)
    # Some clients strip the padding, since '=' looks like a query to them.
    if missing := -len(encoded) % 4:
        encoded += b"=" * missing
    try:
        return binascii.a2b_base64(encoded, strict_mode=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
