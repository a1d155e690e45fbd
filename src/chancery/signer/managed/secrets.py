"""What a vault of managed keys must be able to do: the software one, and tokens behind it.

A vault keeps material by *handle* and does what is asked; whether it may be
asked (use, state, dates, approvals, journal) is decided before, by the keeper.
"""

from typing import Protocol

from chancery.domain.managed_key import KeyFacts, KeyKind, KeyRules


class Secret(Protocol):
    """One key, ready for use.  Safe for concurrent use.

    A method that the kind or the token does not have raises SignerRefused
    (rule ``vault.cannot``); a vault that is away raises Unavailable.
    """

    @property
    def facts(self) -> KeyFacts: ...

    def encrypt(self, nonce: bytes, plain: bytes, aad: bytes) -> bytes:
        """AES-GCM: ciphertext and tag of 16 octets.  *nonce* has 12, and is never used twice."""
        ...

    def decrypt(self, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
        """Undo ``encrypt``.  BadRequest (``ciphertext.altered``) if the tag does not match."""
        ...

    def sign(self, algorithm: str, data: bytes) -> bytes:
        """*algorithm* is a value of SignatureAlgorithm; the vault verifies before it returns."""
        ...

    def mac(self, data: bytes) -> bytes:
        """HMAC by the kind's hash, or CMAC; whole."""
        ...

    def wrap(self, method: str, material: bytes) -> bytes:
        """Wrap octets: ``aes-kw``, ``aes-kwp``, ``rsa-oaep-sha256``, ``rsa-aes-sha256``."""
        ...

    def unwrap(self, method: str, wrapped: bytes) -> bytearray:
        """Undo ``wrap``, into a buffer that the caller wipes.  BadRequest if it does not open."""
        ...

    def agree(self, peer_spki: bytes) -> bytearray:
        """ECDH's shared secret with a peer's public key."""
        ...

    def raw_rsa(self, block: bytes) -> bytes:
        """The bare private operation on a block as long as the modulus, and verified.

        For formats that are no signature scheme of ours (EMV certificates, ISO
        9796-2).  It opens as well as it signs, so whoever calls it makes the
        block: nothing that comes from outside goes in.
        """
        ...

    def reveal(self) -> bytearray:
        """The raw key or DER PKCS#8, for use inside the boundary; the caller wipes it.

        SignerRefused (``vault.not-extractable``) from a token that keeps it.
        """
        ...


class SecretVault(Protocol):
    """Where material is kept.  Safe for concurrent use."""

    @property
    def kind(self) -> str:
        """``software`` or ``pkcs11``: what is noted with each key."""
        ...

    def generate(self, handle: str, kind: KeyKind, rules: KeyRules) -> KeyFacts:
        """Make a key, durably; AlreadyExists if *handle* is taken."""
        ...

    def insert(self, handle: str, kind: KeyKind, material: bytearray, rules: KeyRules) -> KeyFacts:
        """Take material in (raw, or DER PKCS#8), durably.  BadKey if it is no key of *kind*."""
        ...

    def unwrap_into(
        self, by: str, method: str, wrapped: bytes, handle: str, kind: KeyKind, rules: KeyRules
    ) -> KeyFacts | None:
        """Take in what the key *by* of this vault opens, so that it is in clear nowhere else.

        None where this vault cannot: then it is unwrapped and inserted.
        """
        ...

    def get(self, handle: str) -> Secret:
        """NotFound; Unavailable if it was altered or the vault is away."""
        ...

    def destroy(self, handle: str) -> None:
        """Remove it for good; nothing if it is not there."""
        ...
