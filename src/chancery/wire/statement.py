"""A text signed with the key of a certificate, the way people make one with a command line.

No container: ``openssl dgst -sign`` and ``openssl pkeyutl -sign`` write the
bare signature, so that is what is read.  SHA-1 and MD5 prove nothing.
"""

import base64
import binascii
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from chancery.domain.errors import BadRequest

MAX_SIGNATURE: Final = 16_384
"""Octets that are read; an ML-DSA-87 signature has 4,627, in base64 6,172."""

_HASHES: Final = (hashes.SHA256(), hashes.SHA384(), hashes.SHA512())
_WHOLE: Final = (
    ed25519.Ed25519PublicKey,
    mldsa.MLDSA44PublicKey,
    mldsa.MLDSA65PublicKey,
    mldsa.MLDSA87PublicKey,
)
_ENDINGS: Final = ("", "\n", "\r\n")
"""What editors, ``echo`` and Windows put behind a line."""


def decode_signature(data: bytes) -> bytes:
    """Read a signature as a file holds it: raw octets, or base64 with line breaks."""
    if len(data) > MAX_SIGNATURE:
        raise BadRequest(
            f"a signature of {len(data)} octets", field="signature", rule="signature.size"
        )
    if not data.strip():
        raise BadRequest(
            "there is no signature",
            field="signature",
            rule="signature.missing",
            remedy="run the command, and paste what it prints",
        )
    try:
        return base64.b64decode(b"".join(data.split()), validate=True)
    except binascii.Error:
        if data.isascii():
            raise BadRequest(
                "the signature is not base64",
                field="signature",
                rule="signature.base64",
                remedy="paste all that the command printed, and nothing else",
            ) from None
        return data


def signed(certificate: bytes, line: str, signature: bytes) -> bool:
    """Whether the key of *certificate* (DER) signed *line*, with or without its line end."""
    key = x509.load_der_x509_certificate(certificate).public_key()
    return any(_verifies(key, (line + end).encode(), signature) for end in _ENDINGS)


def _verifies(key: PublicKeyTypes, text: bytes, signature: bytes) -> bool:
    if isinstance(key, rsa.RSAPublicKey):
        return any(
            _holds(partial(key.verify, signature, text, scheme, digest))
            for digest in _HASHES
            for scheme in _schemes(digest)
        )
    if isinstance(key, ec.EllipticCurvePublicKey):
        return any(
            _holds(partial(key.verify, signature, text, ec.ECDSA(digest))) for digest in _HASHES
        )
    if isinstance(key, _WHOLE):
        return _holds(partial(key.verify, signature, text))
    return False


def _schemes(digest: hashes.HashAlgorithm) -> Iterable[padding.AsymmetricPadding]:
    return padding.PKCS1v15(), padding.PSS(padding.MGF1(digest), padding.PSS.AUTO)


def _holds(verify: Callable[[], None]) -> bool:
    try:
        verify()
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True
