"""What a risk is, and what it is judged from."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from chancery.domain.dn_profile import AttributeRule, DnProfile, ValueSource
from chancery.domain.names import NameKind
from chancery.domain.profile import EKU_NAMES, ExtensionProfile, SanRule
from chancery.domain.registration import RegistrationAuthority


class Severity(StrEnum):
    """What a finding means for whoever saves."""

    BLOCK = "block"  # refused, unless it is acceptable and somebody accepts it in writing
    WARN = "warn"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Risk:
    """One finding.  *field* names it as the form does.

    *about* is the RA it concerns, if one, *profile* the one of its profiles.
    An *acceptable* block is saved once an administrator gives a reason for it.
    """

    id: str
    severity: Severity
    field: str
    reason: str
    remedy: str
    acceptable: bool = False
    about: str = ""
    profile: str = ""


@dataclass(frozen=True, slots=True)
class Issuer:
    """What a CA adds to the judgement.  *purposes*: its own EKU list, None: unbounded."""

    name: str
    root: bool
    approvals: int
    purposes: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Use:
    """A profile by itself, or as one RA offers it from its CAs."""

    profile: ExtensionProfile
    dn_profile: DnProfile | None
    ra: RegistrationAuthority | None = None
    issuers: tuple[Issuer, ...] = ()

    @property
    def approvals(self) -> int:
        """How many people approve at the least: requesters choose among the CAs."""
        least = min((issuer.approvals for issuer in self.issuers), default=0)
        return max(self.profile.approvals, self.ra.approvals if self.ra else 0, least)

    @property
    def unattended(self) -> bool:
        """Whether a certificate leaves without anybody having looked."""
        return self.approvals == 0

    @property
    def narrow(self) -> bool:
        """Whether only members of named groups may ask."""
        return self.ra is not None and bool(self.ra.submit_groups)


CLIENT_AUTH: Final = EKU_NAMES["clientAuth"]
SERVER_AUTH: Final = EKU_NAMES["serverAuth"]
CODE_SIGNING: Final = EKU_NAMES["codeSigning"]
EMAIL: Final = EKU_NAMES["emailProtection"]
TIME_STAMPING: Final = EKU_NAMES["timeStamping"]
OCSP_SIGNING: Final = EKU_NAMES["OCSPSigning"]
SMARTCARD: Final = EKU_NAMES["smartcardLogon"]
ANY: Final = EKU_NAMES["anyExtendedKeyUsage"]
PKINIT_CLIENT: Final = "1.3.6.1.5.2.3.4"  # RFC 4556 §3.2.2
AUTHENTICATION: Final = frozenset({CLIENT_AUTH, SMARTCARD, PKINIT_CLIENT, ANY})
"""Purposes under which a domain controller or a TLS server takes a certificate for a person."""

AGENTS: Final = {
    "1.3.6.1.4.1.311.20.2.1": "asks for certificates in the name of others",
    "1.3.6.1.4.1.311.21.5": "has private keys archived to it",
    "1.3.6.1.4.1.311.21.6": "recovers archived private keys",
    "1.3.6.1.4.1.311.10.3.4.1": "reads files that others encrypted",
}
"""Microsoft's purposes that give power over other people's certificates, keys or files."""


def is_ca(profile: ExtensionProfile) -> bool:
    return profile.basic_constraints is not None and profile.basic_constraints.ca


def authenticates(profile: ExtensionProfile) -> bool:
    """Whether its certificates may log somebody on; one without a purpose serves for all."""
    if is_ca(profile):
        return False
    purposes = profile.extended_key_usage
    return not purposes or not AUTHENTICATION.isdisjoint(purposes)


def bounded(rule: SanRule) -> bool:
    """Whether the profile itself says which names of that kind there may be."""
    return bool(rule.suffixes or rule.networks or rule.regex)


def rules_for(profile: ExtensionProfile, *kinds: NameKind) -> Iterator[tuple[int, SanRule]]:
    """(place in ``san``, rule) of each rule for one of *kinds*."""
    for index, rule in enumerate(profile.san):
        if rule.kind in kinds:
            yield index, rule


def chosen_attributes(dn_profile: DnProfile | None) -> tuple[AttributeRule, ...]:
    """The attributes of the subject whose value the requester gives, in the CSR or beside it."""
    rules = dn_profile.attributes if dn_profile else ()
    return tuple(rule for rule in rules if rule.source is not ValueSource.FIXED)


def chosen_names(use: Use) -> str:
    """The names a requester gives, in words; empty if the policy fixes them all."""
    parts = [rule.kind.value for rule in use.profile.san]
    if chosen_attributes(use.dn_profile):
        parts.insert(0, "subject")
    return ", ".join(parts)
