"""Keys that nobody has: to show what a request would become before a key is made for it."""

from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.keys import KeyInfo, KeyPurpose
from chancery.ports import Clock

_SEED: Final = bytes(32)
_CURVES: Final = {
    KeyAlgorithm.EC_P256: ec.SECP256R1(),
    KeyAlgorithm.EC_P384: ec.SECP384R1(),
    KeyAlgorithm.EC_P521: ec.SECP521R1(),
}


class PretendVault:
    """Makes public keys of the right kind and size at no cost.  They are the same each time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def generate(
        self, key_id: str, algorithm: KeyAlgorithm, purpose: KeyPurpose, *, ca_approvals: int = 1
    ) -> KeyInfo:
        del ca_approvals
        spki = _public_key(algorithm).public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return KeyInfo(key_id, algorithm, purpose, spki, self._clock.s())


def _public_key(algorithm: KeyAlgorithm) -> PublicKeyTypes:
    if algorithm in _CURVES:
        return ec.derive_private_key(1, _CURVES[algorithm]).public_key()
    match algorithm:
        case KeyAlgorithm.ED25519:
            return ed25519.Ed25519PrivateKey.from_private_bytes(_SEED).public_key()
        case KeyAlgorithm.ML_DSA_44:
            return mldsa.MLDSA44PrivateKey.from_seed_bytes(_SEED).public_key()
        case KeyAlgorithm.ML_DSA_65:
            return mldsa.MLDSA65PrivateKey.from_seed_bytes(_SEED).public_key()
        case KeyAlgorithm.ML_DSA_87:
            return mldsa.MLDSA87PrivateKey.from_seed_bytes(_SEED).public_key()
    bits = int(algorithm.value.removeprefix("rsa-"))
    return rsa.RSAPublicNumbers(65537, (1 << bits - 1) + 1).public_key()  # no factors are needed
