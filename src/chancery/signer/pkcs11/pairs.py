"""Pairs of keys on a token that belong to managed keys: they sign, unwrap, agree on secrets.

A pair is found by its handle as label.  What it may do stands in its
attributes, which are made from the key's uses and nothing else.
"""

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from chancery.domain.algorithms import SignatureAlgorithm
from chancery.domain.errors import BadKey, BadRequest
from chancery.domain.managed_key import CHECK_OF, KeyFacts, KeyKind, KeyUse
from chancery.signer import files, keypair
from chancery.signer.holders import Held
from chancery.signer.managed import raw_rsa
from chancery.signer.pkcs11 import constants as c
from chancery.signer.pkcs11 import inventory, mechanisms
from chancery.signer.pkcs11.cryptoki import Mechanism, TokenError, Value
from chancery.signer.pkcs11.secret_keys import NOT_OPENED, cannot, kept, passing
from chancery.signer.pkcs11.session import Session
from chancery.wire import der, key_wrap, oaep

if TYPE_CHECKING:
    from chancery.signer.pkcs11.vault import TokenHolder

_CLOSED: Final = NOT_OPENED | {0x20, 0x21}


def flags(uses: frozenset[KeyUse]) -> dict[int, Value]:
    """The attributes of a private key that stand for *uses*."""
    opens = bool(uses & {KeyUse.UNWRAP, KeyUse.DECRYPT})
    return {
        c.CKA_SIGN: KeyUse.SIGN in uses,
        c.CKA_DECRYPT: opens,
        c.CKA_UNWRAP: KeyUse.UNWRAP in uses,
        c.CKA_DERIVE: KeyUse.DERIVE in uses,
    }


class TokenPair:
    """A private key.  Implements ``Secret``."""

    def __init__(self, holder: "TokenHolder", handle: str, object_id: bytes, held: Held) -> None:
        self._holder = holder
        self._held = held
        self._place = (handle, object_id, c.CKO_PRIVATE_KEY)
        self._kind = KeyKind(held.algorithm.value)
        self._public = load_der_public_key(held.spki)
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

    def wrap(self, method: str, material: bytes) -> bytes:
        if not isinstance(self._public, rsa.RSAPublicKey):
            raise cannot(self._kind, "wrap")
        temporary = secrets.token_bytes(key_wrap.TEMPORARY)
        return key_wrap.wrap_public(method, self._public, material, temporary)

    def unwrap(self, method: str, wrapped: bytes) -> bytearray:
        if not isinstance(self._public, rsa.RSAPublicKey):
            raise cannot(self._kind, "unwrap")
        size = self._public.key_size // 8
        if len(wrapped) < size or (method == key_wrap.OAEP and len(wrapped) > size):
            raise key_wrap.closed()
        if method == key_wrap.OAEP:
            return self._opened(wrapped)
        if method != key_wrap.RSA_AES:
            raise key_wrap.unknown(method)
        temporary = self._opened(wrapped[:size])
        try:
            return key_wrap.unwrap(key_wrap.KWP, temporary, wrapped[size:])
        except ValueError:  # it is no AES key
            raise key_wrap.closed() from None
        finally:
            files.wipe(temporary)

    def agree(self, peer_spki: bytes) -> bytearray:
        if not isinstance(self._public, ec.EllipticCurvePublicKey):
            raise cannot(self._kind, "agree on a secret")
        peer = _peer(peer_spki, self._public.curve.name)
        size = (self._public.key_size + 7) // 8
        wanted = passing() | {c.CKA_VALUE_LEN: size}
        with self.used() as (session, key):
            try:
                made = session.derive(mechanisms.ecdh(peer), key, wanted)
            except TokenError as error:
                if error.code not in c.NOT_OFFERED:
                    raise
                # Some want the point as CKA_EC_POINT has it.
                wrapped = der.tlv(der.OCTET_STRING, peer)
                made = session.derive(mechanisms.ecdh(wrapped), key, wanted)
            try:
                found = session.read(made, c.CKA_VALUE)
            finally:
                session.destroy(made)
        if found is None:
            raise cannot(self._kind, "give out what it agreed on")
        return bytearray(found.rjust(size, b"\0"))

    def raw_rsa(self, block: bytes) -> bytes:
        if not isinstance(self._public, rsa.RSAPublicKey):
            raise cannot(self._kind, "do a bare RSA operation")
        numbers = self._public.public_numbers()
        raw_rsa.checked(numbers, block)
        with self.used() as (session, key):
            made = session.sign(key, Mechanism.of(c.CKM_RSA_X_509), block)
        return raw_rsa.proven(numbers, block, made)

    def reveal(self) -> bytearray:
        raise kept()

    def encrypt(self, nonce: bytes, plain: bytes, aad: bytes) -> bytes:  # noqa: ARG002
        raise cannot(self._kind, "encrypt")

    def decrypt(self, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:  # noqa: ARG002
        raise cannot(self._kind, "decrypt")

    def mac(self, data: bytes) -> bytes:  # noqa: ARG002
        raise cannot(self._kind, "make a MAC")

    def _opened(self, block: bytes) -> bytearray:
        """RSA-OAEP with SHA-256; a token that has it with SHA-1 alone does the bare operation."""
        with self.used() as (session, key):
            try:
                return bytearray(session.decrypt(key, mechanisms.oaep(), block))
            except TokenError as error:
                _demand_other_way(error)
            try:
                encoded = session.decrypt(key, Mechanism.of(c.CKM_RSA_X_509), block)
            except TokenError as error:
                if error.code in _CLOSED:
                    raise key_wrap.closed() from error
                raise
        try:
            return bytearray(oaep.decode(encoded.rjust(len(block), b"\0")))
        except BadRequest:
            raise key_wrap.closed() from None

    @contextmanager
    def used(self) -> Iterator[tuple[Session, int]]:
        """A session, and the key in it."""
        with self._holder.session() as session:
            key = session.keys.get(self._place)
            if key is None:
                key = session.keys[self._place] = inventory.exactly_one(session, *self._place)
            yield session, key


def _demand_other_way(error: TokenError) -> None:
    """Pass where the token lacks the mechanism; closed() where it did not open."""
    if error.code in _CLOSED:
        raise key_wrap.closed() from error
    if error.code not in c.NOT_OFFERED:
        raise error


def _peer(spki: bytes, curve: str) -> bytes:
    """The peer's point, uncompressed, once it is known to be on the curve."""
    try:
        found = load_der_public_key(spki)
    except Exception:  # noqa: BLE001 - OpenSSL's errors have many classes
        found = None
    if not isinstance(found, ec.EllipticCurvePublicKey) or found.curve.name != curve:
        raise BadKey(
            "the peer's public key is not one of the same curve",
            field="peer",
            rule="derive.peer",
        )
    return found.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
