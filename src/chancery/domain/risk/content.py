"""How long, with which keys, and whether anybody can take it back."""

from collections.abc import Iterator
from typing import Final

from chancery.domain.profile import DAY_S, KeyUsage
from chancery.domain.risk.model import (
    CLIENT_AUTH,
    CODE_SIGNING,
    EMAIL,
    OCSP_SIGNING,
    SERVER_AUTH,
    SMARTCARD,
    TIME_STAMPING,
    Risk,
    Severity,
    Use,
    is_ca,
)

_YEAR: Final = 366
_LONGEST: Final[dict[str, tuple[int, int]]] = {
    # purpose: (days from which we warn, days from which we block)
    SERVER_AUTH: (398, 5 * _YEAR),  # TLS BR §6.3.2, until March 2026
    EMAIL: (825, 10 * _YEAR),  # S/MIME BR §6.3.2, strict and multipurpose
    CODE_SIGNING: (1186, 10 * _YEAR),  # Code Signing BR §6.3.2: 39 months
    TIME_STAMPING: (4109, 25 * _YEAR),  # Code Signing BR §6.3.2: 135 months
    OCSP_SIGNING: (398, 5 * _YEAR),
    CLIENT_AUTH: (3 * _YEAR, 10 * _YEAR),
    SMARTCARD: (3 * _YEAR, 10 * _YEAR),
}
_OTHER: Final = (5 * _YEAR, 10 * _YEAR)
_CA: Final = (10 * _YEAR, 25 * _YEAR)
_UNREVOCABLE: Final = 10  # days: TLS BR §1.6.1 calls a certificate short-lived up to here
_NO_CHECK: Final = 90  # days: what a relying party is asked to trust without looking it up
_RSA_2048: Final = 4 * _YEAR  # NIST SP 800-131A: 112 bits end with 2030
_BACKDATE_S: Final = DAY_S


def long_validity(use: Use) -> Iterator[Risk]:
    """Who trusts it in ten years trusts what was true ten years ago."""
    if use.ra is not None:
        return
    days = use.profile.max_validity_s / DAY_S
    bounds = [_LONGEST[oid] for oid in use.profile.extended_key_usage if oid in _LONGEST]
    if is_ca(use.profile):
        bounds = [_CA]
    # A certificate for several purposes is held to the strictest of them.
    warn, block = min(bounds, default=_OTHER)
    if days > warn:
        yield Risk(
            "long-validity",
            Severity.BLOCK if days > block else Severity.WARN,
            "max_validity_s",
            f"{days:.0f} days are long for this purpose: keys get lost, people leave, algorithms"
            " age",
            f"use {warn} days or fewer, and renew by machine",
            acceptable=days > block,
        )


def no_revocation(use: Use) -> Iterator[Risk]:
    """Nobody can find out that it was taken back."""
    profile = use.profile
    days = profile.max_validity_s / DAY_S
    if use.ra is not None or profile.cdp or profile.aia_ocsp:
        return
    if days > (_NO_CHECK if profile.ocsp_no_check else _UNREVOCABLE):
        yield Risk(
            "no-revocation",
            Severity.WARN,
            "cdp",
            "it points to no CRL and no OCSP responder: once stolen it is good until it expires",
            f"fill in cdp or aia_ocsp, or let it live {_UNREVOCABLE} days",
        )


def short_key(use: Use) -> Iterator[Risk]:
    """RSA of 2048 bits for what is to last."""
    profile = use.profile
    if use.ra is not None or not {"rsa", "rsa-2048"} & set(profile.key_algorithms):
        return
    if is_ca(profile) or profile.max_validity_s > _RSA_2048 * DAY_S:
        yield Risk(
            "short-key",
            Severity.WARN,
            "key_algorithms",
            "RSA keys of 2048 bits are let in, which are held to be good until 2030, for"
            " something that lasts longer",
            "list rsa-3072, rsa-4096 and the curves instead of rsa and rsa-2048",
        )


def no_possession(use: Use) -> Iterator[Risk]:
    """A certificate for a key that the requester need not have."""
    if use.profile.require_proof_of_possession:
        return
    if use.ra is None:
        yield Risk(
            "no-possession",
            Severity.WARN,
            "require_proof_of_possession",
            "requesters get certificates for public keys of others",
            "require it, unless these keys cannot sign",
        )
    elif use.unattended:
        yield Risk(
            "no-possession",
            Severity.BLOCK,
            "require_proof_of_possession",
            "requesters get certificates for public keys of others, and nobody looks at it",
            "require proof of possession, or ask for an approval",
            acceptable=True,
        )


def backdated(use: Use) -> Iterator[Risk]:
    """A start in the past lets old signatures look as if they had been made in time."""
    if use.ra is None and use.profile.backdate_s > _BACKDATE_S:
        yield Risk(
            "backdate",
            Severity.WARN,
            "backdate_s",
            "the certificate begins more than a day before it was made",
            "an hour forgives every clock that is worth trusting",
        )


def mixed_usage(use: Use) -> Iterator[Risk]:
    """One key that commits its holder and also decrypts: escrow of the one breaks the other."""
    usages = set(use.profile.key_usage)
    deciphers = {KeyUsage.KEY_ENCIPHERMENT, KeyUsage.DATA_ENCIPHERMENT, KeyUsage.KEY_AGREEMENT}
    if use.ra is None and KeyUsage.CONTENT_COMMITMENT in usages and deciphers & usages:
        yield Risk(
            "mixed-usage",
            Severity.WARN,
            "key_usage",
            "a key that commits its holder to what it signs also decrypts: who keeps a copy of it"
            " for decryption can sign",
            "make two profiles, one for each",
        )


RULES: Final = (
    long_validity,
    no_revocation,
    short_key,
    no_possession,
    backdated,
    mixed_usage,
)
