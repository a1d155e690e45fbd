"""Signatures for twins: certificates that are linted before the real key signs (C3).

A twin has the very TBSCertificate that will be signed, and a signature of the
right form that verifies nothing, made once by a key that is thrown away (the
"static signature value" of the TLS Baseline Requirements, §4.3.1.2).
"""

from functools import cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa

from chancery.domain.algorithms import SignatureAlgorithm

_MESSAGE = b"this signature verifies nothing: the certificate was only rehearsed"
_CURVES = {
    SignatureAlgorithm.ECDSA_SHA256: (ec.SECP256R1(), hashes.SHA256()),
    SignatureAlgorithm.ECDSA_SHA384: (ec.SECP384R1(), hashes.SHA384()),
    SignatureAlgorithm.ECDSA_SHA512: (ec.SECP521R1(), hashes.SHA512()),
}


@cache
def twin_signature(algorithm: SignatureAlgorithm) -> bytes:
    """A well-formed signature under *algorithm* by a key that no longer exists."""
    if algorithm in _CURVES:
        curve, digest = _CURVES[algorithm]
        return ec.generate_private_key(curve).sign(_MESSAGE, ec.ECDSA(digest))
    if algorithm is SignatureAlgorithm.ED25519:
        return ed25519.Ed25519PrivateKey.generate().sign(_MESSAGE)
    if algorithm is SignatureAlgorithm.ML_DSA_44:
        return mldsa.MLDSA44PrivateKey.generate().sign(_MESSAGE)
    if algorithm is SignatureAlgorithm.ML_DSA_65:
        return mldsa.MLDSA65PrivateKey.generate().sign(_MESSAGE)
    if algorithm is SignatureAlgorithm.ML_DSA_87:
        return mldsa.MLDSA87PrivateKey.generate().sign(_MESSAGE)
    # Any RSA signature will do: the lint looks at its form, not at its length.
    key = rsa.generate_private_key(65537, 2048)
    return key.sign(_MESSAGE, padding.PKCS1v15(), hashes.SHA256())
