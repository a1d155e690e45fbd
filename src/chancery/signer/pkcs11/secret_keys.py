"""Secret keys on a token: AES, 3DES and HMAC.

A key is found by its handle as label and its kind as id.  Octets that are to
be wrapped become a passing object of the token first, and what is unwrapped is
one that may be read.
"""

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

from chancery.domain.errors import BadRequest, SignerRefused
from chancery.domain.managed_key import CHECK_OF, Family, KeyFacts, KeyKind
from chancery.signer.pkcs11 import constants as c
from chancery.signer.pkcs11 import inventory
from chancery.signer.pkcs11.cryptoki import Mechanism, TokenError, Value
from chancery.signer.pkcs11.mechanisms import GcmParams
from chancery.signer.pkcs11.session import Session

if TYPE_CHECKING:
    from chancery.signer.pkcs11.vault import TokenHolder

T = TypeVar("T")
_HMACS: Final = {
    KeyKind.HMAC_SHA256: c.CKM_SHA256_HMAC,
    KeyKind.HMAC_SHA384: c.CKM_SHA384_HMAC,
    KeyKind.HMAC_SHA512: c.CKM_SHA512_HMAC,
}
_CMAC: Final = {Family.AES: c.CKM_AES_CMAC, Family.TDES: c.CKM_DES3_CMAC}
WRAPS: Final = {"aes-kw": c.CKM_AES_KEY_WRAP, "aes-kwp": c.CKM_AES_KEY_WRAP_PAD}
NOT_OPENED: Final = frozenset({0x5, 0x6, 0x40, 0x41, 0x110, 0x112})
"""What tokens return for a tag that does not match.  Two of them also stand for a lost token;
what a stranger sent may not open the circuit, and the next look finds out."""


class TokenSecret:
    """One secret key.  Implements ``Secret``."""

    def __init__(self, holder: "TokenHolder", handle: str, kind: KeyKind) -> None:
        self._holder = holder
        self._place = (handle, kind.value.encode(), c.CKO_SECRET_KEY)
        self._kind = kind
        self._facts: KeyFacts | None = None

    @property
    def facts(self) -> KeyFacts:
        if self._facts is None:
            self._facts = KeyFacts(self._kind, self._check_value(), CHECK_OF[self._kind.family])
        return self._facts

    def encrypt(self, nonce: bytes, plain: bytes, aad: bytes) -> bytes:
        with self.used("encrypt", Family.AES) as (session, key):
            return session.encrypt(key, _gcm(nonce, aad), plain)

    def decrypt(self, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
        with self.used("decrypt", Family.AES) as (session, key):
            return opened(lambda: session.decrypt(key, _gcm(nonce, aad), sealed), "ciphertext")

    def sign(self, algorithm: str, data: bytes) -> bytes:  # noqa: ARG002
        self._cannot("sign")

    def mac(self, data: bytes) -> bytes:
        number = _HMACS.get(self._kind) or _CMAC[self._kind.family]
        with self.used("make a MAC") as (session, key):
            return session.sign(key, Mechanism.of(number), data)

    def wrap(self, method: str, material: bytes) -> bytes:
        number = self._wrapping(method)
        with self.used("wrap", Family.AES) as (session, key):
            made = session.create(passing() | {c.CKA_VALUE: material})
            try:
                return session.wrap(Mechanism.of(number), key, made)
            finally:
                session.destroy(made)

    def unwrap(self, method: str, wrapped: bytes) -> bytearray:
        number = self._wrapping(method)
        with self.used("unwrap", Family.AES) as (session, key):
            made = opened(
                lambda: session.unwrap(Mechanism.of(number), key, wrapped, passing()), "wrapped"
            )
            try:
                found = session.read(made, c.CKA_VALUE)
            finally:
                session.destroy(made)
        if found is None:
            self._cannot("give out what it unwrapped")
        return bytearray(found)

    def agree(self, peer_spki: bytes) -> bytearray:  # noqa: ARG002
        self._cannot("agree on a secret")

    def raw_rsa(self, block: bytes) -> bytes:  # noqa: ARG002
        self._cannot("do a bare RSA operation")

    def reveal(self) -> bytearray:
        raise kept()

    @contextmanager
    def used(self, what: str = "", *families: Family) -> Iterator[tuple[Session, int]]:
        """A session, and the key in it; refused where the kind does not do *what*."""
        if families and self._kind.family not in families:
            self._cannot(what)
        with self._holder.session() as session:
            key = session.keys.get(self._place)
            if key is None:
                key = session.keys[self._place] = inventory.exactly_one(session, *self._place)
            yield session, key

    def _check_value(self) -> str:
        if self._kind.family is Family.TDES:
            with self.used("encrypt") as (session, key):
                zeros = session.encrypt(key, Mechanism.of(c.CKM_DES3_ECB), bytes(8))
            return zeros[:3].hex().upper()
        return self.mac(bytes(16))[:5].hex().upper()

    def _wrapping(self, method: str) -> int:
        number = WRAPS.get(method)
        if number is None:
            self._cannot(f"wrap by {method[:40]}")
        return number

    def _cannot(self, what: str) -> NoReturn:
        raise cannot(self._kind, what)


def passing() -> dict[int, Value]:
    """An object that goes with its session, and may be read."""
    return {
        c.CKA_CLASS: c.CKO_SECRET_KEY,
        c.CKA_KEY_TYPE: c.CKK_GENERIC_SECRET,
        c.CKA_TOKEN: False,
        c.CKA_SENSITIVE: False,
        c.CKA_EXTRACTABLE: True,
    }


def _gcm(nonce: bytes, aad: bytes) -> Mechanism:
    iv, extra = (ctypes.create_string_buffer(one, max(len(one), 1)) for one in (nonce, aad))
    parameter = GcmParams(
        ctypes.addressof(iv), len(nonce), len(nonce) * 8, ctypes.addressof(extra), len(aad), 128
    )
    mechanism = Mechanism.of(c.CKM_AES_GCM, parameter)
    mechanism.keep = (parameter, iv, extra)
    return mechanism


def opened(work: Callable[[], T], field: str) -> T:
    try:
        return work()
    except TokenError as error:
        if error.code not in NOT_OPENED:
            raise
        raise BadRequest(
            "this does not open: it was altered, or another key closed it",
            field=field,
            rule="ciphertext.altered",
            remedy="send it with its additional data as they were when it was closed",
        ) from error


def cannot(kind: KeyKind, what: str) -> BadRequest:
    return BadRequest(
        f"a key of kind {kind.value} on a token does not {what}",
        field="key",
        rule="vault.cannot",
        remedy="use a key of another kind, or one in the software vault",
    )


def kept() -> SignerRefused:
    return SignerRefused(
        "the key is on a token and does not leave it",
        field="key",
        rule="vault.not-extractable",
        remedy="derive by kbkdf-cmac or kbkdf-hmac, which the token does itself; what is to be"
        " handed out, or to close key blocks, is made in the software vault",
    )
