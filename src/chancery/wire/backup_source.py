"""The source key: whoever holds it opens a backup's inner layer; custodians hold it M of N.

Its secret is 32 octets, which SLIP-39 can split.  HKDF-SHA256 makes an
ML-KEM-768 seed (64 octets) and an X25519 key (32) of it; HPKE (RFC 9180 and
draft-ietf-hpke-pq) with both wraps the key of a backup.  A backup may lie
around for decades: whoever copies it now and builds a quantum computer later
gets nothing.
"""

import base64
import hashlib
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from chancery.domain.errors import BadRequest

SECRET: Final = 32  # octets
_SEED: Final = 64  # FIPS 203 §7.1: d and z
_MLKEM: Final = 1184  # octets of an ML-KEM-768 encapsulation key
_PUBLIC: Final = _MLKEM + 32
_INFO: Final = b"chancery backup source key 1"
_WRAPS: Final = b"chancery backup inner layer 1"


def _suite() -> hpke.Suite:
    return hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


@dataclass(frozen=True, slots=True)
class SourcePublic:
    """*raw* is the ML-KEM-768 encapsulation key and the X25519 public key after it."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != _PUBLIC:
            raise _bad(f"a source key has {_PUBLIC} octets, not {len(self.raw)}")

    @classmethod
    def parse(cls, text: str) -> "SourcePublic":
        """Read base64, as ``str`` writes it."""
        try:
            raw = base64.b64decode(text.strip(), validate=True)
        except ValueError:
            raise _bad("a source key is base64") from None
        found = cls(raw)
        try:
            found._key()
        except ValueError:
            raise _bad("not a source key") from None
        return found

    def __str__(self) -> str:
        return base64.b64encode(self.raw).decode()

    @property
    def id(self) -> str:
        return hashlib.sha256(self.raw).hexdigest()[:16]

    def wrap(self, key: bytes, context: bytes) -> bytes:
        return _suite().encrypt(key, self._key(), info=_WRAPS + context)

    def _key(self) -> hpke.MLKEM768X25519PublicKey:
        return hpke.MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(self.raw[:_MLKEM]),
            X25519PublicKey.from_public_bytes(self.raw[_MLKEM:]),
        )


class SourceSecret:
    """The secret half, for as long as a restore takes."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != SECRET:
            raise _bad(f"the source's secret has {SECRET} octets, not {len(secret)}")
        made = HKDF(hashes.SHA256(), _SEED + 32, salt=None, info=_INFO).derive(secret)
        self._mlkem = MLKEM768PrivateKey.from_seed_bytes(made[:_SEED])
        self._x25519 = X25519PrivateKey.from_private_bytes(made[_SEED:])

    def public(self) -> SourcePublic:
        return SourcePublic(
            self._mlkem.public_key().public_bytes_raw()
            + self._x25519.public_key().public_bytes_raw()
        )

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Raises BadRequest if it was wrapped for another key, or altered."""
        key = hpke.MLKEM768X25519PrivateKey(self._mlkem, self._x25519)
        try:
            return _suite().decrypt(wrapped, key, info=_WRAPS + context)
        except (InvalidTag, ValueError):
            raise BadRequest(
                "the inner layer of this backup does not open with these shares",
                field="shares",
                rule="backup.source",
                remedy="the file was altered, or its header was: take another copy",
            ) from None


def _bad(why: str) -> BadRequest:
    return BadRequest(
        why,
        field="source",
        rule="backup.source-key",
        remedy="`chancery backup source init` makes one",
    )
