"""Signing with a key in hand, as a client does; the keys of doors are in the vault."""

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chancery.domain.algorithms import SIGNATURES_OF, KeyAlgorithm, SignatureAlgorithm, key_family
from chancery.domain.errors import BadKey
from chancery.wire.algorithms import algorithm_identifier

PrivateKey = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey
    | mldsa.MLDSA44PrivateKey
    | mldsa.MLDSA65PrivateKey
    | mldsa.MLDSA87PrivateKey
)
_CURVES = {
    SignatureAlgorithm.ECDSA_SHA256: hashes.SHA256(),
    SignatureAlgorithm.ECDSA_SHA384: hashes.SHA384(),
    SignatureAlgorithm.ECDSA_SHA512: hashes.SHA512(),
}


def sign(key: PrivateKey, data: bytes) -> tuple[bytes, bytes]:
    """(AlgorithmIdentifier, signature over *data*) in the first way that a key of its kind has."""
    if isinstance(key, rsa.RSAPrivateKey):
        algorithm = SignatureAlgorithm.RSA_PKCS1_SHA256
        signature = key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return algorithm_identifier(algorithm), signature
    try:
        (algorithm,) = SIGNATURES_OF[KeyAlgorithm(key_family(key.public_key()))]
    except ValueError:
        raise BadKey(
            "a key of a kind that CMP does not sign with here",
            field="key",
            rule="key.kind",
            remedy="use an RSA, EC (P-256, P-384, P-521), Ed25519 or ML-DSA key",
        ) from None
    if isinstance(key, ec.EllipticCurvePrivateKey):
        signature = key.sign(data, ec.ECDSA(_CURVES[algorithm]))
    else:
        signature = key.sign(data)
    return algorithm_identifier(algorithm), signature


def spki(key: PrivateKey) -> bytes:
    """DER SubjectPublicKeyInfo of its public part."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
