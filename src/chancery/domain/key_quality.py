"""Is this public key fit to be certified?  Known weaknesses, refused one by one.

CA/Browser Forum Baseline Requirements §6.1.1.3 and §6.1.6.  The caller keeps
the list of blocked keys; what is here follows from the key alone.
"""

from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from chancery.domain.algorithms import key_family
from chancery.domain.ed25519_points import check_point
from chancery.domain.errors import BadKey
from chancery.domain.rsa_weaknesses import check_rsa

_CURVES = frozenset({"secp256r1", "secp384r1", "secp521r1"})
_SOUND = (mldsa.MLDSA44PublicKey, mldsa.MLDSA65PublicKey, mldsa.MLDSA87PublicKey)


def check(public_key: PublicKeyTypes, *, debian: Callable[[bytes], bool] | None = None) -> None:
    """Raise BadKey with ``rule=`` if the key is weak, or of a kind nobody should certify.

    *debian* is asked about the fingerprint of each RSA key; see
    ``weak_keys.debian_fingerprint``.  A point off its curve, or at infinity,
    never becomes a key object, so curves need no arithmetic here.
    """
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        if public_key.curve.name not in _CURVES:
            raise BadKey(
                f"the curve {public_key.curve.name} is not supported",
                field="key",
                rule="ec.curve",
                remedy="use P-256, P-384 or P-521",
            )
    elif isinstance(public_key, rsa.RSAPublicKey):
        numbers = public_key.public_numbers()
        check_rsa(numbers.n, numbers.e, debian=debian)
    elif isinstance(public_key, ed25519.Ed25519PublicKey):
        check_point(public_key.public_bytes_raw())
    elif not isinstance(public_key, _SOUND):
        raise BadKey(
            f"{key_family(public_key)} keys are not certified here",
            field="key",
            rule="key.kind",
            remedy="use an RSA, EC, Ed25519 or ML-DSA key",
        )


def allowed(key_algorithms: tuple[str, ...], public_key: PublicKeyTypes) -> None:
    """Raise BadKey unless the key is of a kind that a profile lists.

    The list holds ``KeyAlgorithm`` values, and ``rsa`` for an RSA key of any
    size that ``check`` accepts.
    """
    family = key_family(public_key)
    if family in key_algorithms:
        return
    if "rsa" in key_algorithms and isinstance(public_key, rsa.RSAPublicKey):
        return
    raise BadKey(
        f"the profile does not allow a key of kind {family}",
        field="key",
        rule="key.profile",
        remedy=f"use one of: {', '.join(key_algorithms)}",
    )
