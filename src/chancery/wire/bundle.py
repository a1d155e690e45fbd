"""Certificates out of the files that people have: PEM, DER, PKCS#7, PKCS#12.

Each comes with the line it stands in; what is no certificate becomes a
problem of its own and stops nothing.  Private keys are never returned.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12

from chancery.domain.errors import BadRequest
from chancery.wire import der, pem, pkcs7

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 #]{1,64})-----(.*?)-----END \1-----", re.DOTALL)
_P7 = {b"PKCS7", b"CMS", b"PKCS #7 SIGNED DATA"}
_CERTIFICATE = {b"CERTIFICATE", b"X509 CERTIFICATE"}


@dataclass(frozen=True, slots=True)
class Found:
    """One certificate (DER), or why there is none.  *line* counts from 1; 0 in a binary file."""

    line: int
    der: bytes = b""
    error: BadRequest | None = None


def is_bundle(data: bytes) -> bool:
    """Whether *data* is PEM or DER at all."""
    return b"-----BEGIN " in data or pem.is_der(data)


def read(data: bytes, passphrase: str | None = None) -> Iterator[Found]:
    """Every certificate in the file, in order."""
    if pem.is_der(data):
        yield from _binary(data, 0, passphrase)
        return
    line, at, empty = 1, 0, True
    for block in _BLOCK.finditer(data):
        line, at, empty = line + data.count(b"\n", at, block.start()), block.start(), False
        yield from _text(block, line)
    if empty:
        yield Found(1, error=_bad("it holds no complete PEM block", "bundle.empty"))


def _text(block: re.Match[bytes], line: int) -> Iterator[Found]:
    label = block[1]
    if b"PRIVATE KEY" in label:
        why = "a private key: it is not imported, and should not be sent"
        yield Found(line, error=_bad(why, "bundle.private-key"))
        return
    if label not in _P7 | _CERTIFICATE:
        name = label.decode("ascii")
        yield Found(line, error=_bad(f"a {name}, which is no certificate", "bundle.label"))
        return
    try:
        octets = binascii.a2b_base64(b"".join(block[2].split()), strict_mode=True)
    except ValueError:
        yield Found(line, error=_bad("a PEM block that is no base64", "bundle.base64"))
        return
    if label in _CERTIFICATE:
        yield Found(line, octets)
    else:
        yield from _pkcs7(octets, line)


def is_pkcs12(data: bytes) -> bool:
    """Whether this is a PFX (RFC 7292), whose first element is its version."""
    return pem.is_der(data) and _first(data) == der.INTEGER


def _first(data: bytes) -> int:
    """The tag of the first element: it tells a certificate, a ContentInfo and a PFX apart."""
    try:
        _, at, end = der.header(data, 0, len(data))
    except BadRequest:
        return 0
    return data[at] if at < end else 0


def _binary(data: bytes, line: int, passphrase: str | None) -> Iterator[Found]:
    match _first(data):
        case der.OID:
            yield from _pkcs7(data, line)
        case der.INTEGER:
            yield from _pkcs12(data, line, passphrase)
        case _:
            yield Found(line, data)


def _pkcs7(data: bytes, line: int) -> Iterator[Found]:
    try:
        for one in pkcs7.certificates(data):
            yield Found(line, one)
    except BadRequest as error:
        yield Found(line, error=error)


def _pkcs12(data: bytes, line: int, passphrase: str | None) -> Iterator[Found]:
    try:
        bag = load_pkcs12(data, None if passphrase is None else passphrase.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        why = "a PKCS#12 file that does not open with this passphrase"
        yield Found(line, error=_bad(why, "bundle.pkcs12"))
        return
    held = [*([bag.cert] if bag.cert else []), *bag.additional_certs]
    for one in held:  # the key in it is dropped here
        yield Found(line, one.certificate.public_bytes(Encoding.DER))
    if not held:
        yield Found(line, error=_bad("a PKCS#12 file without certificates", "bundle.empty"))


def _bad(what: str, rule: str) -> BadRequest:
    return BadRequest(
        what,
        field="file",
        rule=rule,
        remedy="send certificates: PEM, DER, PKCS#7 or PKCS#12",
    )
