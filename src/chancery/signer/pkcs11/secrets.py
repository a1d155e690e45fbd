"""signer.managed.secrets.SecretVault on a token: AES, 3DES and HMAC keys, and pairs that sign.

A secret key is found by its handle as label and its kind as id, a pair by its
handle alone.  Octets that are to be wrapped become a passing object of the
token first, and what is unwrapped is one that may be read.
"""

import ctypes
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.domain.errors import AlreadyExists, BadRequest, NotFound, SignerRefused
from chancery.domain.keys import KeyPurpose
from chancery.domain.managed_key import CHECK_OF, Family, KeyFacts, KeyKind
from chancery.signer import keypair
from chancery.signer.holders import Held
from chancery.signer.managed.secrets import Secret
from chancery.signer.pkcs11 import constants as c
from chancery.signer.pkcs11 import importing, inventory
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
_WRAPS: Final = {"aes-kw": c.CKM_AES_KEY_WRAP, "aes-kwp": c.CKM_AES_KEY_WRAP_PAD}
_NOT_OPENED: Final = frozenset({0x5, 0x6, 0x40, 0x41, 0x110, 0x112})
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
        with self._used("encrypt", Family.AES) as (session, key):
            return session.encrypt(key, _gcm(nonce, aad), plain)

    def decrypt(self, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
        with self._used("decrypt", Family.AES) as (session, key):
            return _opened(lambda: session.decrypt(key, _gcm(nonce, aad), sealed), "ciphertext")

    def sign(self, algorithm: str, data: bytes) -> bytes:  # noqa: ARG002
        self._cannot("sign")

    def mac(self, data: bytes) -> bytes:
        number = _HMACS.get(self._kind) or _CMAC[self._kind.family]
        with self._used("make a MAC") as (session, key):
            return session.sign(key, Mechanism.of(number), data)

    def wrap(self, method: str, material: bytes) -> bytes:
        number = self._wrapping(method)
        with self._used("wrap", Family.AES) as (session, key):
            passing = session.create(_passing() | {c.CKA_VALUE: material})
            try:
                return session.wrap(Mechanism.of(number), key, passing)
            finally:
                session.destroy(passing)

    def unwrap(self, method: str, wrapped: bytes) -> bytearray:
        number = self._wrapping(method)
        with self._used("unwrap", Family.AES) as (session, key):
            passing = _opened(
                lambda: session.unwrap(Mechanism.of(number), key, wrapped, _passing()), "wrapped"
            )
            try:
                found = session.read(passing, c.CKA_VALUE)
            finally:
                session.destroy(passing)
        if found is None:
            self._cannot("give out what it unwrapped")
        return bytearray(found)

    def agree(self, peer_spki: bytes) -> bytearray:  # noqa: ARG002
        self._cannot("agree on a secret")

    def reveal(self) -> bytearray:
        raise kept()

    @contextmanager
    def _used(self, what: str, *families: Family) -> Iterator[tuple[Session, int]]:
        if families and self._kind.family not in families:
            self._cannot(what)
        with self._holder.session() as session:
            key = session.keys.get(self._place)
            if key is None:
                key = session.keys[self._place] = inventory.exactly_one(session, *self._place)
            yield session, key

    def _check_value(self) -> str:
        if self._kind.family is Family.TDES:
            with self._used("encrypt") as (session, key):
                zeros = session.encrypt(key, Mechanism.of(c.CKM_DES3_ECB), bytes(8))
            return zeros[:3].hex().upper()
        return self.mac(bytes(16))[:5].hex().upper()

    def _wrapping(self, method: str) -> int:
        number = _WRAPS.get(method)
        if number is None:
            self._cannot(f"wrap by {method[:40]}")
        return number

    def _cannot(self, what: str) -> NoReturn:
        raise cannot(self._kind, what)


class TokenPair:
    """A pair of keys that signs.  Implements ``Secret``."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._kind = KeyKind(held.algorithm.value)
        digest = hashlib.sha256(held.spki).hexdigest()
        method = CHECK_OF[self._kind.family]
        self._facts = KeyFacts(self._kind, digest[:10].upper(), method, held.spki, digest)

    @property
    def facts(self) -> KeyFacts:
        return self._facts

    def sign(self, algorithm: str, data: bytes) -> bytes:
        try:
            name = SignatureAlgorithm(algorithm)
        except ValueError:
            raise cannot(self._kind, f"sign with {algorithm[:40]!r}") from None
        return keypair.pick(self._held.ways, name)(data)

    def reveal(self) -> bytearray:
        raise kept()

    def encrypt(self, nonce: bytes, plain: bytes, aad: bytes) -> bytes:  # noqa: ARG002
        raise cannot(self._kind, "encrypt")

    def decrypt(self, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:  # noqa: ARG002
        raise cannot(self._kind, "decrypt")

    def mac(self, data: bytes) -> bytes:  # noqa: ARG002
        raise cannot(self._kind, "make a MAC")

    def wrap(self, method: str, material: bytes) -> bytes:  # noqa: ARG002
        raise cannot(self._kind, "wrap")

    def unwrap(self, method: str, wrapped: bytes) -> bytearray:  # noqa: ARG002
        raise cannot(self._kind, "unwrap")

    def agree(self, peer_spki: bytes) -> bytearray:  # noqa: ARG002
        raise cannot(self._kind, "agree on a secret")


class TokenSecrets:
    """Implements ``SecretVault``."""

    kind: Final = "pkcs11"

    def __init__(self, holder: "TokenHolder") -> None:
        self._holder = holder

    def generate(self, handle: str, kind: KeyKind, *, extractable: bool) -> KeyFacts:
        self._demand_kept(extractable=extractable)
        if not kind.secret:
            self._holder.make(handle, KeyAlgorithm(kind.value), KeyPurpose.AUTHORITY)
            return self.get(handle).facts
        how: dict[int, Value] = {c.CKA_VALUE_LEN: kind.octets}
        match kind.family:
            case Family.AES:
                number = c.CKM_AES_KEY_GEN
            case Family.HMAC:
                number = c.CKM_GENERIC_SECRET_KEY_GEN
            case _ if kind is KeyKind.TDES_168:
                number, how = c.CKM_DES3_KEY_GEN, {}
            case _:
                raise cannot(kind, "get made on a token")
        with self._holder.session() as session:
            self._demand_free(session, handle)
            session.generate(Mechanism.of(number), _template(handle, kind) | how)
        return self.get(handle).facts

    def insert(
        self, handle: str, kind: KeyKind, material: bytearray, *, extractable: bool
    ) -> KeyFacts:
        self._demand_kept(extractable=extractable)
        if not kind.secret:
            self._holder.take_in(handle, bytes(material))
            return self.get(handle).facts
        octets = bytes(material)
        if kind is KeyKind.TDES_112:
            octets += octets[:8]
        with self._holder.session() as session:
            self._demand_free(session, handle)
            importing.carried(session, octets, _template(handle, kind))
        return self.get(handle).facts

    def get(self, handle: str) -> Secret:
        with self._holder.session() as session:
            found = session.find({c.CKA_CLASS: c.CKO_SECRET_KEY, c.CKA_LABEL: handle})
            kind = session.read(found[0], c.CKA_ID) if len(found) == 1 else None
            pair = session.find({c.CKA_CLASS: c.CKO_PRIVATE_KEY, c.CKA_LABEL: handle})
        if kind is not None:
            return TokenSecret(self._holder, handle, KeyKind(kind.decode()))
        if pair:
            return TokenPair(self._holder.find(handle, ""))
        raise NotFound(f"no key {handle}", field="handle", rule="key.unknown")

    def destroy(self, handle: str) -> None:
        with self._holder.session() as session:
            for found in session.find({c.CKA_LABEL: handle}):
                session.destroy(found)

    @staticmethod
    def _demand_free(session: Session, handle: str) -> None:
        if session.find({c.CKA_LABEL: handle}):
            raise AlreadyExists(
                f"there is a key {handle} already", field="handle", rule="key.exists"
            )

    @staticmethod
    def _demand_kept(*, extractable: bool) -> None:
        if extractable:
            raise SignerRefused(
                "a key on a token never leaves it",
                field="exportability",
                rule="vault.not-extractable",
                remedy="make it not exportable, or in the software vault",
            )


def _template(handle: str, kind: KeyKind) -> dict[int, Value]:
    cipher = kind.family is not Family.HMAC
    wraps = kind.family is Family.AES
    types = {Family.AES: c.CKK_AES, Family.TDES: c.CKK_DES3, Family.HMAC: c.CKK_GENERIC_SECRET}
    return {
        c.CKA_CLASS: c.CKO_SECRET_KEY,
        c.CKA_KEY_TYPE: types[kind.family],
        c.CKA_TOKEN: True,
        c.CKA_PRIVATE: True,
        c.CKA_SENSITIVE: True,
        c.CKA_EXTRACTABLE: False,
        c.CKA_ENCRYPT: cipher,
        c.CKA_DECRYPT: cipher,
        c.CKA_WRAP: wraps,
        c.CKA_UNWRAP: wraps,
        c.CKA_SIGN: True,
        c.CKA_VERIFY: True,
        c.CKA_LABEL: handle,
        c.CKA_ID: kind.value.encode(),
    }


def _passing() -> dict[int, Value]:
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


def _opened(work: Callable[[], T], field: str) -> T:
    try:
        return work()
    except TokenError as error:
        if error.code not in _NOT_OPENED:
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
    )
