"""What is asked for when an authority is made, and the rules that hold whatever is asked."""

from dataclasses import dataclass, fields
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from chancery.domain.algorithms import (
    SIGNATURES_OF,
    KeyAlgorithm,
    SignatureAlgorithm,
)
from chancery.domain.authority import CRL_URLS, LEVELS, CrlIdp, SecurityLevel
from chancery.domain.crl import CrlTrigger
from chancery.domain.errors import BadKey, BadRequest
from chancery.domain.profile import CertificatePolicy, NameConstraints
from chancery.domain.vaults import SOFTWARE
from chancery.services.authority.crl_choices import repartitioned

_CURVE_BITS = {
    KeyAlgorithm.EC_P256: 256,
    KeyAlgorithm.EC_P384: 384,
    KeyAlgorithm.EC_P521: 521,
    KeyAlgorithm.ED25519: 256,
}
_RSA_BITS = {
    KeyAlgorithm.RSA_2048: 2048,
    KeyAlgorithm.RSA_3072: 3072,
    KeyAlgorithm.RSA_4096: 4096,
}


ROOT_DAYS = 7_300
SUBORDINATE_DAYS = 3_650
CROSS_DAYS = 1_095


@dataclass(frozen=True, slots=True)
class Extensions:
    """What a CA certificate says beyond name and key.

    *days* None: as long as usual (``ROOT_DAYS``, ``SUBORDINATE_DAYS``), and no
    longer than the issuer.  *path_length* None: what the parent allows.  *cdp*, *aia_ocsp* and
    *aia_issuers* are URL templates as in profiles; None: the parent's own
    URLs.  A self-signed certificate carries none of them.
    """

    days: int | None = None
    path_length: int | None = None
    name_constraints: NameConstraints | None = None
    policies: tuple[CertificatePolicy, ...] = ()
    cdp: tuple[str, ...] | None = None
    aia_ocsp: tuple[str, ...] | None = None
    aia_issuers: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CrlWishes:
    """What an authority's CRLs are to be: see ``domain.authority.Authority``.

    *crl_shards* is the number of shards for its certificates, 0 for none.
    """

    crl_lifetime_s: int = 7 * 86_400
    crl_every_s: int = 86_400
    crl_idp: CrlIdp = CrlIdp.NONE
    crl_urls: tuple[str, ...] = CRL_URLS
    crl_delta_every_s: int = 0
    crl_on_revocation: CrlTrigger = CrlTrigger.ALL
    crl_jitter_s: int = 0
    crl_shards: int = 0
    crl_ca_list: bool = False
    crl_keep_expired: bool = False
    crl_indirect: tuple[str, ...] = ()

    def crl_fields(self) -> dict[str, Any]:
        """As fields of an Authority."""
        wished = {field.name: getattr(self, field.name) for field in fields(CrlWishes)}
        return wished | {"crl_shards": repartitioned((), self.crl_shards)}


@dataclass(frozen=True, slots=True)
class NewAuthority(CrlWishes):
    """An authority to be made.  *subject* is RFC 4514 text (``CN=Root,O=Example``).

    With *parent* its certificate is signed by that authority; with *external*
    its CSR waits for somebody else's signature; with neither it is a root.
    *signature_algorithm* None: the key algorithm's default.  *vault* names
    where its key is made.
    """

    name: str
    container: str
    subject: str
    parent: str | None = None
    external: bool = False
    key_algorithm: KeyAlgorithm = KeyAlgorithm.EC_P384
    signature_algorithm: SignatureAlgorithm | None = None
    security_level: SecurityLevel = SecurityLevel.STANDARD
    silo: str = ""
    region: str = ""
    extensions: Extensions = Extensions()
    vault: str = SOFTWARE


@dataclass(frozen=True, slots=True)
class ImportedAuthority(CrlWishes):
    """An authority that exists elsewhere.

    *certificate* and *chain* (above it, any order) are PEM, DER or PKCS#7.
    The key comes as PKCS#8 in *key* or as PKCS#12 in *pkcs12*, with its
    *passphrase* if it has one, and goes into *vault*; or it is on the token of
    that vault already, labelled *token_label*, with *token_id* (hex) where the
    label alone will not do.  An *offline* authority brings none, and never
    signs here.
    """

    name: str
    container: str
    certificate: bytes | None = None
    chain: bytes | None = None
    key: bytes | None = None
    pkcs12: bytes | None = None
    passphrase: str | None = None
    offline: bool = False
    signature_algorithm: SignatureAlgorithm | None = None
    security_level: SecurityLevel = SecurityLevel.STANDARD
    silo: str = ""
    region: str = ""
    vault: str = SOFTWARE
    token_label: str | None = None
    token_id: str = ""


def signature_for(key: KeyAlgorithm, wanted: SignatureAlgorithm | None) -> SignatureAlgorithm:
    """The signature algorithm to use; BadRequest if that key cannot make it."""
    possible = SIGNATURES_OF[key]
    if wanted is None:
        return possible[0]
    if wanted not in possible:
        raise BadRequest(
            f"{key} keys do not sign with {wanted}",
            field="signature_algorithm",
            rule="signature.key",
            remedy="one of: " + ", ".join(possible),
        )
    return wanted


def check_level(level: SecurityLevel, key: KeyAlgorithm, vault_kind: str) -> None:
    """Hold a CA key to its security level: vault and size."""
    rule = LEVELS[level]
    if vault_kind not in rule.vaults:
        raise BadRequest(
            f"level {level} does not allow a {vault_kind} vault",
            field="security_level",
            rule="level.vault",
            remedy="one of these vaults: " + ", ".join(rule.vaults) + "; or a lower level",
        )
    bits = _RSA_BITS.get(key)
    if bits is not None and bits < rule.min_rsa_bits:
        raise BadKey(
            f"level {level} wants RSA keys of {rule.min_rsa_bits} bits or more",
            field="key_algorithm",
            rule="level.key-size",
            remedy=f"use rsa-{rule.min_rsa_bits}, or a lower level",
        )
    curve = _CURVE_BITS.get(key)
    if curve is not None and curve < rule.min_curve_bits:
        raise BadKey(
            f"level {level} wants curves of {rule.min_curve_bits} bits or more",
            field="key_algorithm",
            rule="level.key-size",
            remedy=f"use ec-p{rule.min_curve_bits}, or a lower level",
        )


def check_foreign_key(level: SecurityLevel, key: PublicKeyTypes) -> None:
    """Hold the key of a CA we are about to certify to the level of its issuer."""
    rule = LEVELS[level]
    size = key.key_size if isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey) else None
    least = rule.min_rsa_bits if isinstance(key, rsa.RSAPublicKey) else rule.min_curve_bits
    if size is not None and size < least:
        raise BadKey(
            f"level {level} of the issuer wants at least {least} bits, not {size}",
            field="certificate",
            rule="level.key-size",
            remedy="certify a larger key",
        )


def check_schedule(crl_lifetime_s: int, crl_every_s: int) -> None:
    """A CRL must be able to fail once and still be replaced before it lapses."""
    if not 60 <= crl_every_s <= crl_lifetime_s // 2:
        raise BadRequest(
            "crl_every_s must be at least 60 and fit twice into crl_lifetime_s",
            field="crl_every_s",
            rule="crl.schedule",
            remedy="issue CRLs more often, or let them live longer",
        )


def child_path_length(parent: int | None, wanted: int | None) -> int | None:
    """The path length a child gets; BadRequest if its parent's leaves no room for *wanted*.

    RFC 5280 §4.2.1.9: it counts the CAs that may follow in a path.
    """
    if parent is None:
        return wanted
    if parent == 0:
        raise BadRequest(
            "the parent's path length is 0: it certifies no further CA",
            field="parent",
            rule="path-length.parent",
            remedy="choose a parent higher up",
        )
    if wanted is None:
        return parent - 1
    if not 0 <= wanted < parent:
        raise BadRequest(
            f"the path length must be between 0 and {parent - 1}",
            field="path_length",
            rule="path-length.parent",
            remedy=f"leave it out to get {parent - 1}",
        )
    return wanted
