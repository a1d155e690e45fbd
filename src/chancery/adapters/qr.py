"""A bundle as QR images, and back from what a scanner read.

A part is ``CHB1/NUMBER/COUNT/HASH/DATA``: upper-case letters, digits and
slashes alone, which QR codes hold most densely.  HASH is the beginning of the
SHA-256 of the whole, so that parts of two bundles never mix.
"""

import base64
import binascii
import hashlib
import io
import re
import zlib
from collections.abc import Iterable
from typing import Final

import segno

from chancery.domain.errors import BadRequest, Conflict, TooLarge

_PART: Final = 1_200  # characters of data in one image: version 25 or so, which phones read
_HASH: Final = 16  # hex digits
_MAX: Final = 256 * 1024  # octets of a bundle, either way
_TEXT: Final = re.compile(r"CHB1/(\d{1,3})/(\d{1,3})/([0-9A-F]{16})/([A-Z2-7]+)")


def parts(data: bytes) -> list[str]:
    """The texts of the images, in order."""
    if len(data) > _MAX:
        raise TooLarge("the bundle is too long for images", field="bundle", rule="qr.size")
    text = base64.b32encode(zlib.compress(data, 9)).decode().rstrip("=")
    cut = [text[at : at + _PART] for at in range(0, len(text), _PART)]
    digest = hashlib.sha256(data).hexdigest()[:_HASH].upper()
    return [f"CHB1/{n}/{len(cut)}/{digest}/{part}" for n, part in enumerate(cut, 1)]


def image(part: str) -> bytes:
    """One QR code as PNG."""
    out = io.BytesIO()
    segno.make(part, error="m", micro=False).save(out, kind="png", scale=4, border=4)
    return out.getvalue()


def join(texts: Iterable[str]) -> bytes:
    """The bundle from the texts of its images, in any order; says which are missing."""
    found: dict[int, str] = {}
    kinds: set[tuple[str, str]] = set()
    for place, text in enumerate(filter(None, map(str.strip, texts)), 1):
        match = _TEXT.fullmatch(text)
        if match is None:
            raise BadRequest(
                f"text {place} is no part of a bundle",
                field=f"parts[{place}]",
                rule="qr.part",
                remedy="scan that image again",
            )
        number, count, digest, data = match.groups()
        kinds.add((count, digest))
        found[int(number)] = data
    if len(kinds) != 1:
        raise Conflict(
            "these are parts of several bundles" if kinds else "no part was given",
            field="parts",
            rule="qr.mixed",
            remedy="scan the images of one bundle",
        )
    ((total, digest),) = kinds
    missing = [str(n) for n in range(1, int(total) + 1) if n not in found]
    if missing:
        raise Conflict(
            f"parts {', '.join(missing)} of {total} are missing",
            field="parts",
            rule="qr.missing",
            remedy="scan those images too",
        )
    return _whole("".join(found[n] for n in range(1, int(total) + 1)), digest)


def _whole(text: str, digest: str) -> bytes:
    try:
        packed = base64.b32decode(text + "=" * (-len(text) % 8))
        reader = zlib.decompressobj()
        data = reader.decompress(packed, _MAX)
        sound = reader.eof and hashlib.sha256(data).hexdigest()[:_HASH].upper() == digest
    except (binascii.Error, ValueError, zlib.error):
        sound = False
    if not sound:
        raise BadRequest(
            "the parts do not make the bundle they say",
            field="parts",
            rule="qr.hash",
            remedy="scan the images again",
        )
    return data
