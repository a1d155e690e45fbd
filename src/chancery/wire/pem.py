"""PEM textual encoding (RFC 7468): strict about content, friendly about what surrounds it."""

import binascii
from collections.abc import Collection
from typing import Final

from chancery.domain.errors import BadRequest, TooLarge

_BEGIN: Final = b"-----BEGIN "
_DASHES: Final = b"-----"
_SPACE: Final = b" \t\r\n\v\f"
_MAX_LABEL: Final = 64
_MAX_BLOCKS: Final = 1000


def encode(label: str, der: bytes) -> str:
    """Wrap *der* in 64-column base64 under *label*, lines ending in LF."""
    text = binascii.b2a_base64(der, newline=False).decode("ascii")
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n"


def is_der(data: bytes) -> bool:
    """Tell a DER SEQUENCE from text that happens to begin with the digit 0 (octet 0x30)."""
    return data[:1] == b"\x30" and (data[1:2] >= b"\x80" or _BEGIN not in data)


def decode(data: bytes, labels: Collection[str], limit: int) -> tuple[str, bytes]:
    """Return the label and content of the one PEM block in *data* (*limit*: octets).

    Text before and after the block and CRLF line ends are ignored.  Raises
    TooLarge; BadRequest when there is no block, more than one, one with
    another label, or a private key, which gets a warning of its own.
    """
    blocks = decode_all(data, labels, limit)
    if len(blocks) > 1:
        raise BadRequest(
            f"{len(blocks)} PEM blocks where one was expected",
            field="pem",
            rule="pem.one-block",
            remedy="send one block at a time",
        )
    return blocks[0]


def decode_all(data: bytes, labels: Collection[str], limit: int) -> list[tuple[str, bytes]]:
    """Return every block, in order; at least one, each with one of *labels*."""
    if len(data) > limit:
        raise TooLarge(
            f"{len(data)} octets; at most {limit} are read", field="pem", rule="pem.size"
        )
    blocks: list[tuple[str, bytes]] = []
    at = data.find(_BEGIN)
    while at >= 0:
        if len(blocks) == _MAX_BLOCKS:
            raise TooLarge(f"more than {_MAX_BLOCKS} PEM blocks", field="pem", rule="pem.blocks")
        label, body, at = _block(data, at)
        if label not in labels:
            raise _wrong_label(label, labels)
        blocks.append((label, _base64(body)))
        at = data.find(_BEGIN, at)
    if not blocks:
        raise BadRequest(
            f"no PEM block found; expected {_expected(labels)}",
            field="pem",
            rule="pem.missing",
            remedy="send the whole file, with its BEGIN and END lines",
        )
    return blocks


def _block(data: bytes, at: int) -> tuple[str, bytes, int]:
    """Return label, body and end of the block that begins at *at*.

    The END line is searched once per block and its absence is an error, so
    the whole scan stays linear in the input.
    """
    start = at + len(_BEGIN)
    end_of_label = data.find(_DASHES, start, start + _MAX_LABEL + len(_DASHES))
    raw = data[start : max(end_of_label, start)]
    if not raw or not raw.translate(None, b" #").isalnum():
        raise BadRequest("a PEM BEGIN line is malformed", field="pem", rule="pem.begin")
    body = end_of_label + len(_DASHES)
    closing = b"-----END %b-----" % raw
    end = data.find(closing, body)
    label = raw.decode("ascii")
    if end < 0:
        raise BadRequest(
            f"the PEM block {label} has no END line",
            field="pem",
            rule="pem.end",
            remedy="it was cut off: send the whole file",
        )
    return label, data[body:end], end + len(closing)


def _base64(body: bytes) -> bytes:
    try:
        der = binascii.a2b_base64(body.translate(None, _SPACE), strict_mode=True)
    except binascii.Error as error:
        raise BadRequest(
            f"the PEM block is not base64: {error}", field="pem", rule="pem.base64"
        ) from None
    if not der:
        raise BadRequest("the PEM block is empty", field="pem", rule="pem.base64")
    return der


def _expected(labels: Collection[str]) -> str:
    return " or ".join(sorted(f"BEGIN {label}" for label in labels))


def _wrong_label(label: str, labels: Collection[str]) -> BadRequest:
    if label.endswith("PRIVATE KEY"):
        return BadRequest(
            "this is a private key. It was not stored, but it has left its owner's hands",
            field="pem",
            rule="pem.private-key",
            remedy=f"consider the key compromised: make a new one and send {_expected(labels)}",
        )
    return BadRequest(
        f"found BEGIN {label}; expected {_expected(labels)}",
        field="pem",
        rule="pem.label",
        remedy="send the other file",
    )
