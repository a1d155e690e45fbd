"""Private keys inside the process: how each kind is made, read and made to sign."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from chancery.domain.algorithms import SIGNATURES_OF, KeyAlgorithm, SignatureAlgorithm, key_family
from chancery.domain.errors import BadKey, CAError, SignerRefused, Unavailable

PrivateKey = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey
    | mldsa.MLDSA44PrivateKey
    | mldsa.MLDSA65PrivateKey
    | mldsa.MLDSA87PrivateKey
)
Sign = Callable[[bytes], bytes]
Verify = Callable[[bytes, bytes], None]
"""(signature, data); raises InvalidSignature."""

_MAKERS: Final[dict[KeyAlgorithm, Callable[[], PrivateKey]]] = {
    KeyAlgorithm.RSA_2048: partial(rsa.generate_private_key, 65537, 2048),
    KeyAlgorithm.RSA_3072: partial(rsa.generate_private_key, 65537, 3072),
    KeyAlgorithm.RSA_4096: partial(rsa.generate_private_key, 65537, 4096),
    KeyAlgorithm.EC_P256: partial(ec.generate_private_key, ec.SECP256R1()),
    KeyAlgorithm.EC_P384: partial(ec.generate_private_key, ec.SECP384R1()),
    KeyAlgorithm.EC_P521: partial(ec.generate_private_key, ec.SECP521R1()),
    KeyAlgorithm.ED25519: ed25519.Ed25519PrivateKey.generate,
    KeyAlgorithm.ML_DSA_44: mldsa.MLDSA44PrivateKey.generate,
    KeyAlgorithm.ML_DSA_65: mldsa.MLDSA65PrivateKey.generate,
    KeyAlgorithm.ML_DSA_87: mldsa.MLDSA87PrivateKey.generate,
}
_HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


def make(algorithm: KeyAlgorithm) -> PrivateKey:
    """Generate a key from OpenSSL's random generator."""
    return _MAKERS[algorithm]()


def load(pkcs8: bytes | bytearray) -> tuple[PrivateKey, KeyAlgorithm]:
    """Read an unencrypted DER PKCS#8 key of a kind we hold.  Raises BadKey.

    OpenSSL checks that an RSA key's primes and a curve key's point fit together.
    """
    try:
        key = load_der_private_key(pkcs8, None)
        algorithm = KeyAlgorithm(key_family(key.public_key()))
    except Exception as error:  # noqa: BLE001 - OpenSSL's errors have many classes
        raise BadKey(
            f"not a private key the vault can hold ({type(error).__name__})",
            field="pkcs8",
            rule="key.kind",
            remedy=f"unencrypted DER PKCS#8 of: {', '.join(KeyAlgorithm)}",
        ) from None
    return cast("PrivateKey", key), algorithm


def spki(key: PrivateKey) -> bytes:
    """DER SubjectPublicKeyInfo."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def pkcs8(key: PrivateKey) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


@dataclass(frozen=True, slots=True)
class Way:
    """One way a key signs.  Called, it gives away only what it has verified.

    A fault in RSA-CRT reveals the factors, one in a deterministic signature
    (Ed25519) the scalar: each of these is verified.  What threatens ECDSA is a
    key whose bits flipped in memory, since one flipped bit is read off the
    wrong signatures it makes; such a key spoils every signature of a batch, so
    *by_batch* says that verifying one of them is enough.  For P-256 the check
    costs three times the signature.

    *spread* signs a batch, for a key elsewhere that is waited for.
    """

    sign: Sign
    verify: Verify
    by_batch: bool = False
    spread: "Spread | None" = None

    def __call__(self, data: bytes) -> bytes:
        made = self.sign(data)
        self.check(made, data)
        return made

    def check(self, made: bytes, data: bytes) -> None:
        """Raise Unavailable if *made* is no signature over *data*."""
        try:
            self.verify(made, data)
        except InvalidSignature:
            raise Unavailable(
                "a signature did not verify and was thrown away: suspect the machine's memory",
                rule="signer.fault",
                remedy="take this machine out of service and test its hardware",
            ) from None


class Spread(Protocol):
    """Makes many signatures at once."""

    def __call__(self, way: Way, data: Sequence[bytes]) -> list[bytes | CAError]:
        """One of each of *data*, verified as *way* does it, or why there is none."""
        ...


def signers(key: PrivateKey, algorithm: KeyAlgorithm) -> dict[SignatureAlgorithm, Way]:
    """Every way this key may sign, ready to call."""
    return {name: _way(key, name) for name in SIGNATURES_OF[algorithm]}


def _way(key: PrivateKey, name: SignatureAlgorithm) -> Way:
    verify = verifier(key.public_key(), name)
    if isinstance(key, rsa.RSAPrivateKey):
        scheme, digest = _scheme(name)
        return Way(lambda data: key.sign(data, scheme, digest), verify)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        how = ec.ECDSA(_HASHES[name.value.rpartition("-")[2]])
        return Way(lambda data: key.sign(data, how), verify, by_batch=True)
    return Way(key.sign, verify)


def _scheme(name: SignatureAlgorithm) -> tuple[padding.AsymmetricPadding, hashes.HashAlgorithm]:
    digest = _HASHES[name.value.rpartition("-")[2]]
    if name.value.startswith("rsa-pss-"):
        return padding.PSS(padding.MGF1(digest), digest.digest_size), digest
    return padding.PKCS1v15(), digest


def verifier(public: PublicKeyTypes, name: SignatureAlgorithm) -> Verify:
    """What verifies signatures of that name with *public*."""
    if isinstance(public, rsa.RSAPublicKey):
        scheme, digest = _scheme(name)
        return lambda signature, data: public.verify(signature, data, scheme, digest)
    if isinstance(public, ec.EllipticCurvePublicKey):
        how = ec.ECDSA(_HASHES[name.value.rpartition("-")[2]])
        return lambda signature, data: public.verify(signature, data, how)
    return cast("Verify", public.verify)  # type: ignore[union-attr]


def pick(ways: Mapping[SignatureAlgorithm, Way], algorithm: SignatureAlgorithm) -> Way:
    """The way that *algorithm* names, if the key has it.  Raises SignerRefused."""
    way = ways.get(algorithm)
    if way is None:
        raise SignerRefused(
            f"this key does not sign with {algorithm}",
            field="algorithm",
            rule="signer.algorithm",
            remedy=f"use one of: {', '.join(ways)}",
        )
    return way
