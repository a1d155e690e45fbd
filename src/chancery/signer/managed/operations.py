"""What managed keys do, inside the signer."""

import hashlib
import hmac
import secrets
from typing import Final

from chancery.domain.errors import BadRequest
from chancery.domain.key_orders import KeyAuthority, KeySeal
from chancery.domain.managed_key import KeyUse
from chancery.signer.managed.boundary import Boundary, bounded
from chancery.signer.managed.rulebook import Held

_NONCE: Final = 12
MAX_RANDOM: Final = 65_536


class Operations:
    """Encrypt, decrypt, sign, MAC and random: nothing here lets a key out."""

    def __init__(self, boundary: Boundary) -> None:
        self._b = boundary

    def encrypt(self, handle: str, plain: bytes, aad: bytes, who: KeyAuthority) -> KeySeal:
        """The nonce is random: 96 bits, good for 2^32 messages a key (SP 800-38D §8.3)."""

        def work(held: Held) -> KeySeal:
            self._b.demand(held, KeyUse.ENCRYPT, who)
            nonce = secrets.token_bytes(_NONCE)
            sealed = self._b.secret(held).encrypt(nonce, bounded(plain), aad)
            self._b.used(held, "encrypt", who, sealed)
            return KeySeal(nonce, sealed)

        return self._b.judged(handle, b"", work)

    def decrypt(self, handle: str, seal: KeySeal, aad: bytes, who: KeyAuthority) -> bytes:
        def work(held: Held) -> bytes:
            self._b.demand(held, KeyUse.DECRYPT, who)
            plain = self._b.secret(held).decrypt(seal.nonce, bounded(seal.sealed), aad)
            self._b.used(held, "decrypt", who, seal.sealed)
            return plain

        return self._b.judged(handle, seal.sealed, work)

    def rewrap(
        self, old: str, seal: KeySeal, old_aad: bytes, new: str, new_aad: bytes, who: KeyAuthority
    ) -> KeySeal:
        """Decrypt with one key and encrypt with another."""
        return self.encrypt(new, self.decrypt(old, seal, old_aad, who), new_aad, who)

    def sign(self, handle: str, algorithm: str, data: bytes, who: KeyAuthority) -> bytes:
        def work(held: Held) -> bytes:
            self._b.demand(held, KeyUse.SIGN, who)
            made = self._b.secret(held).sign(algorithm, bounded(data))
            self._b.used(held, "sign", who, data)
            return made

        return self._b.judged(handle, data, work)

    def mac(self, handle: str, data: bytes, who: KeyAuthority) -> bytes:
        def work(held: Held) -> bytes:
            self._b.demand(held, KeyUse.MAC, who)
            made = self._b.secret(held).mac(bounded(data))
            self._b.used(held, "mac", who, data)
            return made

        return self._b.judged(handle, data, work)

    def check_mac(self, handle: str, data: bytes, mac: bytes, who: KeyAuthority) -> bool:
        """Whether *mac* (8 octets or more of it) is the one over *data*."""

        def work(held: Held) -> bool:
            self._b.demand(held, KeyUse.VERIFY, who)
            made = self._b.secret(held).mac(bounded(data))
            self._b.used(held, "check-mac", who, data)
            least = min(8, len(made))
            return len(mac) >= least and hmac.compare_digest(made[: len(mac)], mac)

        return self._b.judged(handle, data, work)

    def random(self, count: int, who: KeyAuthority) -> bytes:  # noqa: ARG002 - anybody's
        """Octets from the operating system's generator."""
        if not 1 <= count <= MAX_RANDOM:
            raise BadRequest(
                f"1 to {MAX_RANDOM} octets at once", field="count", rule="random.count"
            )
        return secrets.token_bytes(count)


def hkdf(secret: bytes, salt: bytes, info: bytes, length: int) -> bytearray:
    """HKDF-SHA-256 (RFC 5869)."""
    prk = hmac.digest(salt or bytes(32), secret, "sha256")
    out, block, counter = bytearray(), b"", 1
    while len(out) < length:
        block = hmac.digest(prk, block + info + bytes([counter]), hashlib.sha256)
        out += block
        counter += 1
    del out[length:]
    return out
