"""Key and signature algorithms, by the names we give them everywhere."""

from enum import StrEnum

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes


class KeyAlgorithm(StrEnum):
    """A kind and size of asymmetric key."""

    RSA_2048 = "rsa-2048"
    RSA_3072 = "rsa-3072"
    RSA_4096 = "rsa-4096"
    EC_P256 = "ec-p256"
    EC_P384 = "ec-p384"
    EC_P521 = "ec-p521"
    ED25519 = "ed25519"
    ML_DSA_44 = "ml-dsa-44"
    ML_DSA_65 = "ml-dsa-65"
    ML_DSA_87 = "ml-dsa-87"


class SignatureAlgorithm(StrEnum):
    """How a CA key signs.  The value is our name; its AlgorithmIdentifier is in wire.algorithms."""

    RSA_PKCS1_SHA256 = "rsa-pkcs1-sha256"
    RSA_PKCS1_SHA384 = "rsa-pkcs1-sha384"
    RSA_PKCS1_SHA512 = "rsa-pkcs1-sha512"
    RSA_PSS_SHA256 = "rsa-pss-sha256"
    RSA_PSS_SHA384 = "rsa-pss-sha384"
    RSA_PSS_SHA512 = "rsa-pss-sha512"
    ECDSA_SHA256 = "ecdsa-sha256"
    ECDSA_SHA384 = "ecdsa-sha384"
    ECDSA_SHA512 = "ecdsa-sha512"
    ED25519 = "ed25519"
    ML_DSA_44 = "ml-dsa-44"
    ML_DSA_65 = "ml-dsa-65"
    ML_DSA_87 = "ml-dsa-87"


_RSA = tuple(a for a in SignatureAlgorithm if a.value.startswith("rsa-"))
SIGNATURES_OF: dict[KeyAlgorithm, tuple[SignatureAlgorithm, ...]] = {
    KeyAlgorithm.RSA_2048: _RSA,
    KeyAlgorithm.RSA_3072: _RSA,
    KeyAlgorithm.RSA_4096: _RSA,
    KeyAlgorithm.EC_P256: (SignatureAlgorithm.ECDSA_SHA256,),
    KeyAlgorithm.EC_P384: (SignatureAlgorithm.ECDSA_SHA384,),
    KeyAlgorithm.EC_P521: (SignatureAlgorithm.ECDSA_SHA512,),
    KeyAlgorithm.ED25519: (SignatureAlgorithm.ED25519,),
    KeyAlgorithm.ML_DSA_44: (SignatureAlgorithm.ML_DSA_44,),
    KeyAlgorithm.ML_DSA_65: (SignatureAlgorithm.ML_DSA_65,),
    KeyAlgorithm.ML_DSA_87: (SignatureAlgorithm.ML_DSA_87,),
}
"""Signature algorithms each key may use; the first is the default."""

_CURVES = {
    "secp256r1": KeyAlgorithm.EC_P256,
    "secp384r1": KeyAlgorithm.EC_P384,
    "secp521r1": KeyAlgorithm.EC_P521,
}
_FIXED: tuple[tuple[type, KeyAlgorithm], ...] = (
    (ed25519.Ed25519PublicKey, KeyAlgorithm.ED25519),
    (mldsa.MLDSA44PublicKey, KeyAlgorithm.ML_DSA_44),
    (mldsa.MLDSA65PublicKey, KeyAlgorithm.ML_DSA_65),
    (mldsa.MLDSA87PublicKey, KeyAlgorithm.ML_DSA_87),
)


def key_family(key: PublicKeyTypes) -> str:
    """Say what a key is, sized exactly: ``rsa-2560``, ``ec-p256``, ``ec-secp256k1``, ``ed25519``.

    The answer is a KeyAlgorithm value when we can hold such a key ourselves.
    """
    if isinstance(key, rsa.RSAPublicKey):
        return f"rsa-{key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        known = _CURVES.get(key.curve.name)
        return known.value if known else f"ec-{key.curve.name}"
    for kind, algorithm in _FIXED:
        if isinstance(key, kind):
            return algorithm.value
    return type(key).__name__.removesuffix("PublicKey").lower()
