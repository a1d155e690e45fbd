"""Keys of doors: they sign what an enrolment protocol answers, and open what is sent to it.

Such a key certifies nothing.  Its signatures are over answers that a client
reads once, its decryptions over secrets that live for one exchange; so, as for
status answers, they leave without waiting for the disk, and one entry a second
says how many there were (see ``status_ledger``).
"""

import os
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from chancery.domain.algorithms import SignatureAlgorithm
from chancery.domain.errors import SignerRefused, Unavailable
from chancery.domain.keys import KeyPurpose, KeyTransport
from chancery.signer import keypair, policy
from chancery.signer.journal import Journal, Operation
from chancery.signer.keeper import KeyKeeper, refusal
from chancery.signer.status_ledger import StatusLedger
from chancery.signer.vault import Vault, VaultKey
from chancery.signer.vault_desk import VaultDesk

MAX_MESSAGE: Final = 1 << 20
"""Octets of one message to sign: a CMP answer with a chain of ML-DSA certificates has 40,000."""

_OAEP: Final[dict[KeyTransport, hashes.HashAlgorithm]] = {
    KeyTransport.OAEP_SHA1: hashes.SHA1(),  # noqa: S303 - what clients without parameters mean
    KeyTransport.OAEP_SHA256: hashes.SHA256(),
    KeyTransport.OAEP_SHA384: hashes.SHA384(),
    KeyTransport.OAEP_SHA512: hashes.SHA512(),
}
_REJECTED: Final = 32
"""Octets that stand for a key that did not come out: as long as the longest symmetric key."""


class DoorKeeper(KeyKeeper):
    """The part of ports.KeyVault for keys of doors.  Safe for concurrent use."""

    def __init__(self, vault: Vault, journal: Journal) -> None:
        super().__init__(vault, journal)
        self.desk: Final = VaultDesk(vault)
        self._status: Final = StatusLedger(journal)

    def sign_message(self, key_id: str, algorithm: SignatureAlgorithm, data: bytes) -> bytes:
        """Sign the attributes of a CMS answer, or the protected part of a CMP one."""
        key = self._door_key(key_id, data)
        try:
            policy.message(data, MAX_MESSAGE)
            signature = keypair.pick(key.ways, algorithm)(data)
        except SignerRefused as error:
            raise self._on_record(key_id, error, data) from None
        self._status.note(key_id, [data], Operation.MESSAGE)
        return signature

    def sign_legacy_message(self, key_id: str, data: bytes) -> bytes:
        """The same over SHA-1: second preimages are out of reach, and answers live for seconds."""
        key = self._door_key(key_id, data)
        try:
            policy.message(data, MAX_MESSAGE)
            self._not_approved("SHA-1", "approved.hash")
            private = _rsa(key)
        except SignerRefused as error:
            raise self._on_record(key_id, error, data) from None
        scheme, digest = padding.PKCS1v15(), hashes.SHA1()  # noqa: S303 - a legacy switch
        signature = private.sign(data, scheme, digest)
        try:
            private.public_key().verify(signature, data, scheme, digest)
        except InvalidSignature:  # a fault in RSA-CRT gives the factors away
            raise Unavailable(
                "a signature did not verify and was thrown away", rule="signer.fault"
            ) from None
        self._status.note(key_id, [data], Operation.MESSAGE)
        return signature

    def decrypt(self, key_id: str, transport: KeyTransport, ciphertext: bytes) -> bytes:
        """The key that was encrypted to this one; random octets where none comes out.

        Whoever asks cannot tell the two apart, so there is no oracle for them
        to be (Bleichenbacher, Manger): OpenSSL rejects PKCS#1 v1.5 implicitly,
        and for the rest we do.
        """
        key = self._door_key(key_id, ciphertext)
        try:
            if transport is KeyTransport.PKCS1:
                self._not_approved("key transport by PKCS#1 v1.5", "approved.key-transport")
            private = _rsa(key)
        except SignerRefused as error:
            raise self._on_record(key_id, error, ciphertext) from None
        self._status.note(key_id, [ciphertext], Operation.DECRYPTED)
        instead = os.urandom(_REJECTED)
        try:
            return private.decrypt(ciphertext, _padding(transport))
        except ValueError:
            return instead

    def _door_key(self, key_id: str, data: bytes) -> VaultKey:
        key = self._vault.get(key_id)
        try:
            policy.demand(key, KeyPurpose.DOOR)
        except SignerRefused as error:
            raise self._on_record(key_id, error, data) from None
        return key

    def _not_approved(self, what: str, rule: str) -> None:
        if self.desk.approved_mode:
            raise SignerRefused(
                f"approved mode has no {what}",
                field="algorithm",
                rule=rule,
                remedy="use clients that know SHA-256 and RSA-OAEP",
            )

    def _on_record(self, key_id: str, error: SignerRefused, data: bytes) -> SignerRefused:
        self._journal.append([refusal(key_id, error, data=data)])
        return error


def _rsa(key: VaultKey) -> rsa.RSAPrivateKey:
    private = key.held.private
    if not isinstance(private, rsa.RSAPrivateKey):
        raise SignerRefused(
            "only an RSA key in the software vault opens messages",
            field="key_id",
            rule="signer.door-key",
            remedy="make the door's key there: tokens tell a wrong padding from a right one",
        )
    return private


def _padding(transport: KeyTransport) -> padding.AsymmetricPadding:
    if transport is KeyTransport.PKCS1:
        return padding.PKCS1v15()
    digest = _OAEP[transport]
    return padding.OAEP(padding.MGF1(digest), digest, None)
