"""Keys that are kept for others: kinds, uses, rules, versions.  Their secret part is never here."""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from chancery.domain.errors import BadRequest
from chancery.domain.key_states import KeyDates

KEY_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
MAX_APPROVALS: Final = 8


class Family(StrEnum):
    AES = "aes"
    TDES = "tdes"
    HMAC = "hmac"
    RSA = "rsa"
    EC = "ec"
    ED25519 = "ed25519"


class KeyKind(StrEnum):
    """A kind and size of key."""

    AES_128 = "aes-128"
    AES_192 = "aes-192"
    AES_256 = "aes-256"
    TDES_112 = "tdes-112"
    TDES_168 = "tdes-168"
    HMAC_SHA256 = "hmac-sha256"
    HMAC_SHA384 = "hmac-sha384"
    HMAC_SHA512 = "hmac-sha512"
    RSA_2048 = "rsa-2048"
    RSA_3072 = "rsa-3072"
    RSA_4096 = "rsa-4096"
    EC_P256 = "ec-p256"
    EC_P384 = "ec-p384"
    EC_P521 = "ec-p521"
    ED25519 = "ed25519"

    @property
    def family(self) -> Family:
        return Family(self.value.partition("-")[0])

    @property
    def secret(self) -> bool:
        """Whether it is one secret octet string, and not a pair of keys."""
        return self.family in {Family.AES, Family.TDES, Family.HMAC}

    @property
    def octets(self) -> int:
        """Length of a secret key; 0 for a pair."""
        return _OCTETS.get(self, 0)

    @property
    def strength(self) -> int:
        """Bits of security (NIST SP 800-57 Part 1 r5, table 2)."""
        return _STRENGTHS[self]


_OCTETS: Final = {
    KeyKind.AES_128: 16,
    KeyKind.AES_192: 24,
    KeyKind.AES_256: 32,
    KeyKind.TDES_112: 16,
    KeyKind.TDES_168: 24,
    KeyKind.HMAC_SHA256: 32,
    KeyKind.HMAC_SHA384: 48,
    KeyKind.HMAC_SHA512: 64,
}
_STRENGTHS: Final = {
    KeyKind.AES_128: 128,
    KeyKind.AES_192: 192,
    KeyKind.AES_256: 256,
    KeyKind.TDES_112: 80,
    KeyKind.TDES_168: 112,
    KeyKind.HMAC_SHA256: 256,
    KeyKind.HMAC_SHA384: 256,
    KeyKind.HMAC_SHA512: 256,
    KeyKind.RSA_2048: 112,
    KeyKind.RSA_3072: 128,
    KeyKind.RSA_4096: 152,
    KeyKind.EC_P256: 128,
    KeyKind.EC_P384: 192,
    KeyKind.EC_P521: 256,
    KeyKind.ED25519: 128,
}


class KeyUse(StrEnum):
    """What a key may do (the usage mask of KMIP)."""

    ENCRYPT = "encrypt"
    DECRYPT = "decrypt"
    SIGN = "sign"
    VERIFY = "verify"
    MAC = "mac"  # make and check; VERIFY alone of a secret key only checks
    WRAP = "wrap"
    UNWRAP = "unwrap"
    DERIVE = "derive"


_MAC: Final = frozenset({KeyUse.MAC, KeyUse.VERIFY})
_WRAP: Final = frozenset({KeyUse.WRAP, KeyUse.UNWRAP})
_DATA: Final = frozenset({KeyUse.ENCRYPT, KeyUse.DECRYPT})
USES_OF: Final[dict[Family, frozenset[KeyUse]]] = {
    Family.AES: _DATA | _MAC | _WRAP | {KeyUse.DERIVE},
    Family.TDES: _DATA | _MAC | _WRAP,
    Family.HMAC: _MAC | {KeyUse.DERIVE},
    Family.RSA: frozenset({KeyUse.SIGN, KeyUse.VERIFY}) | _WRAP | _DATA,
    Family.EC: frozenset({KeyUse.SIGN, KeyUse.VERIFY, KeyUse.DERIVE}),
    Family.ED25519: frozenset({KeyUse.SIGN, KeyUse.VERIFY}),
}


class Exportability(StrEnum):
    """How a key may leave, in the letters of X9.143."""

    NONE = "N"  # never
    TRUSTED = "E"  # wrapped, under a wrapping key that is marked as trusted
    SENSITIVE = "S"  # wrapped, under any wrapping key that is strong enough

    @property
    def openness(self) -> int:
        """0: never leaves; the more, the easier it does."""
        return "NES".index(self.value)


class Origin(StrEnum):
    GENERATED = "generated"
    IMPORTED = "imported"
    COMPONENTS = "components"
    DERIVED = "derived"
    RECOVERED = "recovered"


class CheckMethod(StrEnum):
    """How a check value is computed; it is stored with the value."""

    TDES_ZERO = "tdes-ecb-zeros-3"  # first 3 octets of the encrypted zero block (X9.24-1)
    AES_CMAC = "aes-cmac-zeros-5"  # first 5 octets of CMAC over a zero block (X9.24-1-2017)
    HMAC_ZERO = "hmac-zeros-5"  # first 5 octets of HMAC over 16 zero octets
    SPKI_SHA256 = "spki-sha256-5"  # first 5 octets of the public key's SHA-256


CHECK_OF: Final[dict[Family, CheckMethod]] = {
    Family.AES: CheckMethod.AES_CMAC,
    Family.TDES: CheckMethod.TDES_ZERO,
    Family.HMAC: CheckMethod.HMAC_ZERO,
    Family.RSA: CheckMethod.SPKI_SHA256,
    Family.EC: CheckMethod.SPKI_SHA256,
    Family.ED25519: CheckMethod.SPKI_SHA256,
}


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What may be known of a key's material.  *check_value* is upper-case hex.

    *fingerprint* is hex SHA-256: of the SPKI, or for a secret key of nothing
    (empty), since a hash of a secret is a way to test guesses; *spki* is DER.
    """

    kind: KeyKind
    check_value: str
    check_method: CheckMethod
    spki: bytes = b""
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class KeyRules:
    """What the key boundary itself holds a key to; fixed when the key is made.

    No *uses*: the key is kept and handed on, and nothing else is done with it.
    *approvals*: how many people besides the one who acts must have agreed
    before the key leaves or ends.  *pkcs*: a private key may leave as PKCS#8
    or PKCS#12.  *trusted*: as a wrapping key it may take out keys of
    exportability E.
    """

    uses: frozenset[KeyUse]
    exportability: Exportability = Exportability.NONE
    approvals: int = 0
    pkcs: bool = False
    trusted: bool = False

    def check(self, kind: KeyKind) -> None:
        """Raise BadRequest unless a key of *kind* can be held to these."""
        possible = USES_OF[kind.family]
        if not self.uses <= possible:
            raise BadRequest(
                f"a key of kind {kind.value} is used to {', '.join(sorted(possible))}",
                field="uses",
                rule="key.uses",
                remedy="name some of these, and no other; none: it is only kept and passed on",
            )
        if not 0 <= self.approvals <= MAX_APPROVALS:
            raise BadRequest(
                f"0 to {MAX_APPROVALS} people can be asked", field="approvals", rule="key.approvals"
            )
        if self.pkcs and kind.secret:
            raise BadRequest(
                "PKCS#8 and PKCS#12 hold private keys", field="pkcs", rule="key.pkcs-kind"
            )
        if self.trusted and KeyUse.WRAP not in self.uses:
            raise BadRequest(
                "only a key that wraps can be trusted to", field="trusted", rule="key.trusted"
            )


@dataclass(frozen=True, slots=True)
class RotationPolicy:
    """When a new version is made by itself, and what becomes of the old one; days.

    *every*: 0: never by itself.  The old version protects nothing more from
    then on, reads on for *overlap* days, and is then deactivated; for
    *overlap* -1 it stays active, to read.  *warn* days before, it is told.
    """

    every: int = 0
    overlap: int = 0
    warn: int = 14

    def __post_init__(self) -> None:
        sound = 0 <= self.every <= 36_500 and -1 <= self.overlap <= 36_500
        if not (sound and 0 <= self.warn <= 3_650):
            raise BadRequest(
                "days from 0 to 36500, of warning to 3650", field="rotation", rule="rotation.days"
            )


@dataclass(frozen=True, slots=True)
class KeyVersion:
    """One generation of a key.  *handle* names its material inside the key boundary."""

    key: str
    number: int
    handle: str
    vault: str
    origin: Origin
    facts: KeyFacts
    dates: KeyDates
    created_by: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class ManagedKey:
    """A key by its name; *id* is a UUID, which ciphertexts carry.

    *cryptoperiod* is in days from a version's activation to the end of its
    protecting (0: no end).  *block_usage* and *block_mode* are the X9.143
    header fields it travels with.  *labels* are free texts.
    """

    id: str
    name: str
    group: str
    kind: KeyKind
    rules: KeyRules
    template: str
    description: str
    custodian: str
    rotation: RotationPolicy
    cryptoperiod: int
    created_at: int
    created_by: str
    current: int
    rotates_at: int | None = None
    block_usage: str = "D0"
    block_mode: str = "B"
    labels: dict[str, str] = field(default_factory=dict)


def check_key_name(name: str, field_name: str = "name") -> str:
    """Return *name*, or raise BadRequest."""
    if not KEY_NAME.fullmatch(name):
        raise BadRequest(
            "a name has 1 to 64 of A-Z a-z 0-9 . _ - and begins with a letter or digit",
            field=field_name,
            rule="key.name",
        )
    return name
