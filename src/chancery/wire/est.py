"""Bodies of EST (RFC 7030 §4, RFC 8951 §3): base64 as clients really send it, and multipart.

No header is believed about the encoding (RFC 8951 §3.1): a body says by itself
whether it is DER, PEM or base64.
"""

import binascii
from collections.abc import Collection, Sequence
from typing import Final

from chancery.domain.errors import BadRequest, TooLarge
from chancery.wire import pem

_SPACE: Final = b" \t\r\n\v\f"
_COLUMNS: Final = 76  # RFC 2045 §6.8
_CRLF: Final = b"\r\n"

Part = tuple[str, bytes]
"""(media type, DER): one part of a multipart answer."""


def decode(body: bytes, labels: Collection[str], limit: int) -> bytes:
    """Return the DER in *body*, at most *limit* octets of it.

    Base64 in one line or in many, raw DER, or PEM under one of *labels*.
    Raises BadRequest; TooLarge.
    """
    if len(body) > 2 * limit:  # base64 in lines is 1.4 times as long
        raise TooLarge(
            f"a body of {len(body)} octets; at most {2 * limit} are read",
            field="body",
            rule="est.size",
        )
    if body[:1] == b"\x30":  # the base64 of a SEQUENCE begins with M
        found = bytes(body)
    elif b"-----BEGIN " in body:
        found = pem.decode(body, labels, 2 * limit)[1]
    else:
        found = _base64(body)
    if len(found) > limit:
        raise TooLarge(
            f"{len(found)} octets; at most {limit} are read", field="body", rule="est.size"
        )
    return found


def _base64(body: bytes) -> bytes:
    try:
        found = binascii.a2b_base64(body.translate(None, _SPACE), strict_mode=True)
    except binascii.Error as error:
        raise _bad(f"no base64: {error}") from None
    if not found:
        raise _bad("empty")
    return found


def _bad(what: str) -> BadRequest:
    return BadRequest(
        f"the body is {what}",
        field="body",
        rule="est.base64",
        remedy="send the base64 of the DER, as openssl base64 writes it",
    )


def encode(der: bytes, *, wrap: bool = False) -> bytes:
    """Base64 without a line end, which some clients insist on, or in lines, as others do."""
    text = binascii.b2a_base64(der, newline=False)
    if not wrap:
        return text
    lines = (text[at : at + _COLUMNS] for at in range(0, len(text), _COLUMNS))
    return b"".join(line + _CRLF for line in lines)


def multipart(parts: Sequence[Part], boundary: str, *, wrap: bool = False) -> bytes:
    """The body of a multipart/mixed answer (RFC 7030 §4.4.2).

    *boundary* must not occur in base64: a hyphen in it is enough.
    """
    dashes = b"--" + boundary.encode("ascii")
    pieces: list[bytes] = []
    for kind, der in parts:
        head = f"Content-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode()
        pieces += [dashes, _CRLF, head, encode(der, wrap=wrap).rstrip(_CRLF), _CRLF]
    pieces += [dashes, b"--", _CRLF]
    return b"".join(pieces)
