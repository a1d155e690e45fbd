"""Signature algorithms as AlgorithmIdentifiers, and the verification of signatures.

RFC 4055 and 8017 (RSA), RFC 5758 (ECDSA), RFC 8410 (Ed25519), RFC 9881 (ML-DSA).
"""

from collections.abc import Iterator
from typing import Final, cast

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_public_key

from chancery.domain.algorithms import SignatureAlgorithm
from chancery.domain.errors import BadCSR, BadKey, BadRequest
from chancery.wire import der

_MGF1: Final = "1.2.840.113549.1.1.8"
_PSS: Final = "1.2.840.113549.1.1.10"

_HASHES: Final[dict[str, tuple[str, hashes.HashAlgorithm]]] = {
    "sha256": ("2.16.840.1.101.3.4.2.1", hashes.SHA256()),
    "sha384": ("2.16.840.1.101.3.4.2.2", hashes.SHA384()),
    "sha512": ("2.16.840.1.101.3.4.2.3", hashes.SHA512()),
}
_PLAIN: Final[dict[SignatureAlgorithm, str]] = {  # OIDs that stand alone, without parameters
    SignatureAlgorithm.ECDSA_SHA256: "1.2.840.10045.4.3.2",
    SignatureAlgorithm.ECDSA_SHA384: "1.2.840.10045.4.3.3",
    SignatureAlgorithm.ECDSA_SHA512: "1.2.840.10045.4.3.4",
    SignatureAlgorithm.ED25519: "1.3.101.112",
    SignatureAlgorithm.ML_DSA_44: "2.16.840.1.101.3.4.3.17",
    SignatureAlgorithm.ML_DSA_65: "2.16.840.1.101.3.4.3.18",
    SignatureAlgorithm.ML_DSA_87: "2.16.840.1.101.3.4.3.19",
}
_PKCS1: Final[dict[SignatureAlgorithm, str]] = {
    SignatureAlgorithm.RSA_PKCS1_SHA256: "1.2.840.113549.1.1.11",
    SignatureAlgorithm.RSA_PKCS1_SHA384: "1.2.840.113549.1.1.12",
    SignatureAlgorithm.RSA_PKCS1_SHA512: "1.2.840.113549.1.1.13",
}
_RSA_PSS: Final[dict[SignatureAlgorithm, str]] = {
    SignatureAlgorithm.RSA_PSS_SHA256: "sha256",
    SignatureAlgorithm.RSA_PSS_SHA384: "sha384",
    SignatureAlgorithm.RSA_PSS_SHA512: "sha512",
}


def _pss(name: str, *, hash_null: bytes = der.NULL, mgf_null: bytes = der.NULL) -> bytes:
    """RSASSA-PSS with MGF1 of the same hash and a salt as long as it (RFC 4055 §3.1)."""
    dotted, algorithm = _HASHES[name]
    mask = der.sequence(der.oid(_MGF1), der.sequence(der.oid(dotted), mgf_null))
    return der.sequence(
        der.oid(_PSS),
        der.sequence(
            der.explicit(0, der.sequence(der.oid(dotted), hash_null)),
            der.explicit(1, mask),
            der.explicit(2, der.integer(algorithm.digest_size)),
        ),
    )


def _written() -> Iterator[tuple[SignatureAlgorithm, bytes]]:
    for algorithm, dotted in _PLAIN.items():
        yield algorithm, der.sequence(der.oid(dotted))
    for algorithm, dotted in _PKCS1.items():
        yield algorithm, der.sequence(der.oid(dotted), der.NULL)
    for algorithm, name in _RSA_PSS.items():
        yield algorithm, _pss(name)


def _understood() -> Iterator[tuple[bytes, SignatureAlgorithm]]:
    """What we write, and the same with absent parameters, which RFC 4055 §2.1 and §5 allow."""
    for algorithm, encoded in _IDENTIFIERS.items():
        yield encoded, algorithm
    for algorithm, dotted in _PKCS1.items():
        yield der.sequence(der.oid(dotted)), algorithm
    for algorithm, name in _RSA_PSS.items():
        yield _pss(name, hash_null=b""), algorithm
        yield _pss(name, mgf_null=b""), algorithm
        yield _pss(name, hash_null=b"", mgf_null=b""), algorithm


_IDENTIFIERS: Final[dict[SignatureAlgorithm, bytes]] = dict(_written())
_ALGORITHMS: Final[dict[bytes, SignatureAlgorithm]] = dict(_understood())


def algorithm_identifier(algorithm: SignatureAlgorithm) -> bytes:
    """DER AlgorithmIdentifier."""
    return _IDENTIFIERS[algorithm]


def signature_algorithm_of(identifier: bytes) -> SignatureAlgorithm:
    """The algorithm that a DER AlgorithmIdentifier names; BadRequest if we know it not."""
    try:
        return _ALGORITHMS[bytes(identifier)]
    except KeyError:
        raise BadRequest(
            f"a signature algorithm we do not accept: {_name_of(identifier)}",
            field="signature_algorithm",
            rule="signature.algorithm",
            remedy="sign with RSA or ECDSA and SHA-2, with Ed25519, or with ML-DSA",
        ) from None


def _name_of(identifier: bytes) -> str:
    return der.decode_oid(der.Reader(der.single(identifier, der.SEQUENCE)[1]).content(der.OID))


def load_key(spki: bytes) -> PublicKeyTypes:
    """The public key in a DER SubjectPublicKeyInfo; BadKey if there is none we know."""
    try:
        return load_der_public_key(spki)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadKey(
            "the public key cannot be read",
            field="key",
            rule="key.unreadable",
            remedy="use an RSA, EC (P-256, P-384, P-521), Ed25519 or ML-DSA key",
        ) from error


def verify(
    spki: bytes, algorithm: SignatureAlgorithm, signature: bytes, data: bytes | memoryview
) -> None:
    """Return if *signature* over *data* is good; raise BadCSR if not."""
    try:
        good = _verified(load_key(spki), algorithm, signature, data)
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        good = False
    if not good:
        raise BadCSR(
            "the signature does not verify with this key",
            field="signature",
            rule="signature.invalid",
            remedy="sign it with the private key that belongs to its public key",
        )


def _verified(
    key: PublicKeyTypes,
    algorithm: SignatureAlgorithm,
    signature: bytes,
    data: bytes | memoryview,
) -> bool:
    """False where key and algorithm do not belong together."""
    family, _, name = algorithm.value.rpartition("-")
    octets = cast("bytes", data)  # pyca takes any buffer for RSA too, its types do not say so
    match key:
        case rsa.RSAPublicKey() if family == "rsa-pkcs1":
            key.verify(signature, octets, padding.PKCS1v15(), _HASHES[name][1])
        case rsa.RSAPublicKey() if family == "rsa-pss":
            method = _HASHES[name][1]
            pss = padding.PSS(padding.MGF1(method), method.digest_size)
            key.verify(signature, octets, pss, method)
        case ec.EllipticCurvePublicKey() if family == "ecdsa":
            key.verify(signature, data, ec.ECDSA(_HASHES[name][1]))
        case ed25519.Ed25519PublicKey() if algorithm is SignatureAlgorithm.ED25519:
            key.verify(signature, data)
        case mldsa.MLDSA44PublicKey() if algorithm is SignatureAlgorithm.ML_DSA_44:
            key.verify(signature, data)
        case mldsa.MLDSA65PublicKey() if algorithm is SignatureAlgorithm.ML_DSA_65:
            key.verify(signature, data)
        case mldsa.MLDSA87PublicKey() if algorithm is SignatureAlgorithm.ML_DSA_87:
            key.verify(signature, data)
        case _:
            return False
    return True
