"""Managed keys in the software vault: each in a file of its own, wrapped under the master key."""

import threading
from collections import OrderedDict
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_der_public_key

from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.domain.errors import AlreadyExists, BadKey, BadRequest, NotFound
from chancery.domain.managed_key import Family, KeyFacts, KeyKind, KeyRules
from chancery.signer import files, keypair, sealing
from chancery.signer.managed import material, raw_rsa
from chancery.signer.managed.secrets import Secret
from chancery.signer.names import check_key_id
from chancery.signer.vault import Vault, altered, pretty, read_envelope
from chancery.wire import key_wrap

_FORMAT: Final = "chancery-managed-secret-1"
_KEPT: Final = 1_000  # keys that stay unwrapped in memory


class SoftwareSecret:
    """Implements ``Secret`` with OpenSSL in this process."""

    def __init__(self, kind: KeyKind, octets: bytearray) -> None:
        self._kind = kind
        self._octets = octets
        self._facts = material.facts(kind, octets)
        self._aead = AESGCM(octets) if kind.family is Family.AES else None
        self._private = None if kind.secret else material.pair(kind, octets)
        self._ways = (
            keypair.signers(self._private, KeyAlgorithm(kind.value)) if self._private else {}
        )

    @property
    def facts(self) -> KeyFacts:
        return self._facts

    def encrypt(self, nonce: bytes, plain: bytes, aad: bytes) -> bytes:
        return self._gcm().encrypt(nonce, plain, aad)

    def decrypt(self, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
        try:
            return self._gcm().decrypt(nonce, sealed, aad)
        except InvalidTag:
            raise BadRequest(
                "this does not decrypt: it was altered, or other additional data belong to it",
                field="ciphertext",
                rule="ciphertext.altered",
                remedy="send ciphertext and additional data as they were when it was encrypted",
            ) from None

    def sign(self, algorithm: str, data: bytes) -> bytes:
        try:
            name = SignatureAlgorithm(algorithm)
        except ValueError:
            raise self._cannot(f"sign with {algorithm[:40]!r}") from None
        if not self._ways:
            raise self._cannot("sign")
        return keypair.pick(self._ways, name)(data)

    def mac(self, data: bytes) -> bytes:
        if not self._kind.secret:
            raise self._cannot("make a MAC")
        return material.mac(self._kind, bytes(self._octets), data)

    def wrap(self, method: str, material: bytes) -> bytes:
        if self._kind.family is Family.AES:
            return key_wrap.wrap(method, self._octets, material)
        if isinstance(self._private, rsa.RSAPrivateKey):
            public = self._private.public_key()
            fresh = AESGCM.generate_key(256)
            return key_wrap.wrap_public(method, public, material, fresh)
        raise self._cannot("wrap this way")

    def unwrap(self, method: str, wrapped: bytes) -> bytearray:
        if self._kind.family is Family.AES:
            return key_wrap.unwrap(method, self._octets, wrapped)
        if isinstance(self._private, rsa.RSAPrivateKey):
            return key_wrap.unwrap_private(method, self._private, wrapped)
        raise self._cannot("unwrap this way")

    def agree(self, peer_spki: bytes) -> bytearray:
        if not isinstance(self._private, ec.EllipticCurvePrivateKey):
            raise self._cannot("agree on a secret")
        try:
            peer = load_der_public_key(peer_spki)
            if not isinstance(peer, ec.EllipticCurvePublicKey):
                raise TypeError
            return bytearray(self._private.exchange(ec.ECDH(), peer))
        except Exception:  # noqa: BLE001 - OpenSSL's errors have many classes
            raise BadKey(
                "the peer's public key is not one of the same curve",
                field="peer",
                rule="derive.peer",
            ) from None

    def raw_rsa(self, block: bytes) -> bytes:
        if not isinstance(self._private, rsa.RSAPrivateKey):
            raise self._cannot("do a bare RSA operation")
        return raw_rsa.private(self._private, block)

    def reveal(self) -> bytearray:
        return bytearray(self._octets)

    def _gcm(self) -> AESGCM:
        if self._aead is None:
            raise self._cannot("encrypt")
        return self._aead

    def _cannot(self, what: str) -> BadRequest:
        return BadRequest(
            f"a key of kind {self._kind.value} does not {what}",
            field="key",
            rule="vault.cannot",
            remedy="use a key of another kind",
        )


class SoftwareSecrets:
    """Implements ``SecretVault`` on files."""

    kind = "software"

    def __init__(self, vault: Vault, directory: Path) -> None:
        self._vault = vault
        self._directory = directory
        self._lock = threading.Lock()
        self._cache: OrderedDict[str, SoftwareSecret] = OrderedDict()
        directory.mkdir(mode=0o700, exist_ok=True)
        files.check_directory(directory)

    def generate(self, handle: str, kind: KeyKind, rules: KeyRules) -> KeyFacts:
        return self.insert(handle, kind, material.make(kind), rules)

    def insert(
        self,
        handle: str,
        kind: KeyKind,
        material: bytearray,
        rules: KeyRules,  # noqa: ARG002 - files know no other protection than their wrapping
    ) -> KeyFacts:
        path = self._path(handle)
        check_material(kind, material)
        secret = SoftwareSecret(kind, material)
        metadata = self._metadata(handle, kind)
        envelope = {"metadata": metadata, **self._vault.wrap(material, metadata)}
        try:
            files.replace(path, pretty(envelope), fresh=True)
        except FileExistsError:
            raise AlreadyExists(
                f"there is a key {handle} already", field="handle", rule="key.exists"
            ) from None
        self._keep(handle, secret)
        return secret.facts

    def unwrap_into(
        self,
        by: str,
        method: str,
        wrapped: bytes,
        handle: str,
        kind: KeyKind,
        rules: KeyRules,
    ) -> None:
        """Here is where it would be in clear anyhow."""

    def get(self, handle: str) -> Secret:
        with self._lock:
            found = self._cache.get(handle)
            if found is not None:
                self._cache.move_to_end(handle)
                return found
        path = self._path(handle)
        if not path.exists():
            raise NotFound(f"no key {handle}", field="handle", rule="key.unknown")
        envelope = read_envelope(path, _FORMAT)
        metadata = envelope["metadata"]
        try:
            octets = self._vault.unwrap(envelope)
            kind = KeyKind(metadata["kind"])
            genuine = metadata == self._metadata(handle, kind)
        except (sealing.Tampered, KeyError, ValueError):
            genuine = False
        if not genuine:
            raise altered(path)
        secret = SoftwareSecret(kind, octets)
        self._keep(handle, secret)
        return secret

    def destroy(self, handle: str) -> None:
        with self._lock:
            self._cache.pop(handle, None)
        files.erase(self._path(handle))

    def _keep(self, handle: str, secret: SoftwareSecret) -> None:
        with self._lock:
            self._cache[handle] = secret
            while len(self._cache) > _KEPT:
                self._cache.popitem(last=False)

    def _metadata(self, handle: str, kind: KeyKind) -> dict[str, str]:
        return {
            "format": _FORMAT,
            "vault": self._vault.id,
            "handle": handle,
            "kind": kind.value,
        }

    def _path(self, handle: str) -> Path:
        return self._directory / f"{check_key_id(handle)}.secret.json"


def check_material(kind: KeyKind, octets: bytearray) -> None:
    """Raise BadKey unless the octets are a good key of *kind*."""
    material.check(kind, octets)
