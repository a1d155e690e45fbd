"""What a kind of key can be used for at all: the part of a profile's keyUsage it can bear."""

from typing import Final

from chancery.domain.errors import BadKey
from chancery.domain.profile import KeyUsage

_SIGNING: Final = frozenset(
    {
        KeyUsage.DIGITAL_SIGNATURE,
        KeyUsage.CONTENT_COMMITMENT,
        KeyUsage.KEY_CERT_SIGN,
        KeyUsage.CRL_SIGN,
    }
)
_RSA: Final = _SIGNING | {KeyUsage.KEY_ENCIPHERMENT, KeyUsage.DATA_ENCIPHERMENT}
_EC: Final = _SIGNING | {
    KeyUsage.KEY_AGREEMENT,
    KeyUsage.ENCIPHER_ONLY,
    KeyUsage.DECIPHER_ONLY,
}


def usages_for(usages: tuple[KeyUsage, ...], family: str) -> tuple[KeyUsage, ...]:
    """The usages a key of *family* (``domain.algorithms.key_family``) can bear, in order.

    RSA enciphers and does not agree (RFC 4055 §1.2), EC keys agree and do not
    encipher (RFC 5480 §3), Ed25519 and ML-DSA only sign (RFC 8410 §5,
    RFC 9881 §3).  So one profile serves all, and no certificate promises what
    its key cannot do.  BadKey if nothing is left of a list that was not empty.
    """
    able = _RSA if family.startswith("rsa") else _EC if family.startswith("ec-") else _SIGNING
    kept = tuple(usage for usage in usages if usage in able)
    if usages and not kept:
        raise BadKey(
            f"{family} keys cannot do what this profile is for: {', '.join(usages)}",
            field="key",
            rule="key.usage",
            remedy="use an RSA key for encipherment, an EC key for key agreement",
        )
    return kept
