"""Key templates that every instance has; one of the same name on record takes their place."""

from typing import Final

from chancery.domain.key_groups import KeyTemplate
from chancery.domain.managed_key import (
    Exportability,
    KeyKind,
    KeyRules,
    KeyUse,
    RotationPolicy,
)

_DATA = frozenset({KeyUse.ENCRYPT, KeyUse.DECRYPT})
_WRAP = frozenset({KeyUse.WRAP, KeyUse.UNWRAP})
_SIGN = frozenset({KeyUse.SIGN, KeyUse.VERIFY})
_YEARLY = RotationPolicy(every=365, overlap=-1)

TEMPLATES: Final = {
    one.name: one
    for one in (
        KeyTemplate(
            "data-aes-256",
            "Encrypts data; stays here; a new version every year, old ones go on reading",
            KeyKind.AES_256,
            KeyRules(_DATA),
            _YEARLY,
            cryptoperiod=730,
            entry=frozenset({"generate"}),
        ),
        KeyTemplate(
            "data-aes-256-exportable",
            "Encrypts data, and may leave under a trusted wrapping key",
            KeyKind.AES_256,
            KeyRules(_DATA, Exportability.TRUSTED),
            RotationPolicy(every=365, overlap=-1),
            cryptoperiod=730,
        ),
        KeyTemplate(
            "kek-aes-256",
            "Wraps other keys, and is trusted to; also the protection key of D key blocks",
            KeyKind.AES_256,
            KeyRules(_WRAP, Exportability.SENSITIVE, approvals=1, trusted=True),
            block_usage="K1",
        ),
        KeyTemplate(
            "kbpk-tdes-168",
            "Protects B key blocks, for partners that have only TDES",
            KeyKind.TDES_168,
            KeyRules(_WRAP, Exportability.SENSITIVE, approvals=1, trusted=True),
            block_usage="K1",
        ),
        KeyTemplate(
            "mac-hmac-sha256",
            "Authenticates messages",
            KeyKind.HMAC_SHA256,
            KeyRules(frozenset({KeyUse.MAC}), Exportability.TRUSTED),
            block_usage="M7",
            block_mode="C",
        ),
        KeyTemplate(
            "derive-aes-256",
            "Derives other keys",
            KeyKind.AES_256,
            KeyRules(frozenset({KeyUse.DERIVE})),
            block_usage="B3",
            block_mode="X",
        ),
        KeyTemplate(
            "sign-ec-p256",
            "Signs; never leaves",
            KeyKind.EC_P256,
            KeyRules(_SIGN),
            entry=frozenset({"generate"}),
        ),
        KeyTemplate(
            "sign-rsa-3072-exportable",
            "Signs; may leave as PKCS#8 or PKCS#12 when somebody else agrees",
            KeyKind.RSA_3072,
            KeyRules(_SIGN, Exportability.SENSITIVE, approvals=1, pkcs=True),
            entry=frozenset({"generate", "import"}),
        ),
        KeyTemplate(
            "wrap-rsa-3072",
            "Partners wrap keys for us under its public key",
            KeyKind.RSA_3072,
            KeyRules(_WRAP),
            entry=frozenset({"generate"}),
        ),
    )
}
