"""What strangers bring, taken apart: several requests may come in one text or file."""

import re
from dataclasses import dataclass
from typing import Final

from chancery.domain.errors import BadRequest, TooLarge
from chancery.domain.shown import parts
from chancery.web.fields import Form
from chancery.wire import pem, pkcs10

_BLOCK: Final = re.compile(
    rb"-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----.*?-----END (?:NEW )?CERTIFICATE REQUEST-----",
    re.DOTALL,
)
_MAX_NAME: Final = 80


@dataclass(frozen=True, slots=True)
class Brought:
    """One request, with the name of the file it came in; "" where it was pasted."""

    name: str
    data: bytes


def brought(form: Form, most: int) -> list[Brought]:
    """Return every request in the fields ``csr`` (text) and ``files``; at least one, at *most*."""
    found: list[Brought] = []
    for text in form.all("csr"):
        found += _split("", text.encode(errors="replace"), most)
    for upload in form.files("files"):
        found += _split(_safe(upload.name), upload.data, most)
        if len(found) > most:
            break
    if len(found) > most:
        raise TooLarge(
            f"more than {most} requests at once",
            field="csr",
            rule="portal.files",
            remedy="submit them in several turns",
        )
    if not found:
        raise BadRequest(
            "there is no request yet",
            field="csr",
            rule="csr.missing",
            remedy="paste one, or choose its file",
        )
    return found


def _split(name: str, data: bytes, most: int) -> list[Brought]:
    """A text without any request in it is one as well: what is wrong with it will be told."""
    if pem.is_der(data):
        return [Brought(name, data)]
    blocks = [
        match.group() for match, _ in zip(_BLOCK.finditer(data), range(most + 1), strict=False)
    ]
    return [Brought(name, block) for block in blocks or [data[: pkcs10.MAX_OCTETS + 1]]]


def _safe(name: str) -> str:
    """The last part of a file's name, without what cannot be seen."""
    plain = name.replace("\\", "/").rpartition("/")[2]
    return "".join(part.text for part in parts(plain, _MAX_NAME) if not part.marked)
