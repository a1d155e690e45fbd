"""What a certificate is good for: purposes, CA powers, and extensions that stand for either."""

from collections.abc import Iterator
from typing import Final

from chancery.domain.profile import KeyUsage
from chancery.domain.risk.model import (
    AGENTS,
    ANY,
    CODE_SIGNING,
    OCSP_SIGNING,
    TIME_STAMPING,
    Risk,
    Severity,
    Use,
    authenticates,
    is_ca,
)

APPLICATION_POLICIES: Final = "1.3.6.1.4.1.311.21.10"
_READ_AS_POLICY: Final = {
    APPLICATION_POLICIES: "application policies, which Windows reads as purposes",
    "1.3.6.1.4.1.311.20.2": "a template's name, which Windows takes for the template",
    "1.3.6.1.4.1.311.21.11": "application policy mappings",
    "1.3.6.1.4.1.311.21.12": "application policy constraints",
}
_ISSUANCE_POLICIES: Final = "1.3.6.1.4.1.311.21.8."
_CA_USAGES: Final = {KeyUsage.KEY_CERT_SIGN, KeyUsage.CRL_SIGN}
_CA_PROFILE: Final = "subordinate-ca"


def any_purpose(use: Use) -> Iterator[Risk]:
    """ESC2: good for everything, so for what nobody thought of."""
    profile = use.profile
    if use.ra is not None or is_ca(profile):
        return
    if ANY in profile.extended_key_usage:
        yield Risk(
            "esc2-any-purpose",
            Severity.BLOCK,
            "extended_key_usage",
            "anyExtendedKeyUsage makes the certificate good for log-on, code, mail and servers",
            "list the purposes that are meant",
        )
    elif not profile.extended_key_usage:
        yield Risk(
            "esc2-no-purpose",
            Severity.BLOCK,
            "extended_key_usage",
            "a certificate that names no purpose is taken for every purpose, log-on included",
            "list the purposes that are meant",
            acceptable=True,
        )


def agents(use: Use) -> Iterator[Risk]:
    """ESC3: power over other people's certificates, keys or files."""
    for oid in use.profile.extended_key_usage if use.ra is None else ():
        if oid in AGENTS:
            yield Risk(
                "esc3-enrolment-agent",
                Severity.BLOCK,
                "extended_key_usage",
                f"whoever holds it {AGENTS[oid]} ({oid})",
                "remove the purpose, or give it a profile that only few people may ask for, with"
                " approvals",
                acceptable=True,
            )


def policy_extensions(use: Use) -> Iterator[Risk]:
    """ESC15: a purpose that comes in through another extension (CVE-2024-49019)."""
    for index, custom in enumerate(use.profile.custom if use.ra is None else ()):
        what = _READ_AS_POLICY.get(custom.oid)
        if what is None:
            continue
        if custom.der_hex is None:
            yield Risk(
                "esc15-application-policies",
                Severity.BLOCK,
                f"custom[{index}].der_hex",
                f"requesters would give {what}",
                "remove the extension, or fix its value",
            )
        else:
            yield Risk(
                "esc15-application-policies",
                Severity.WARN,
                f"custom[{index}].der_hex",
                f"it holds {what}, beside the extended key usage",
                "see that both say the same, or leave it out",
            )


def issuance_policies(use: Use) -> Iterator[Risk]:
    """ESC13: a policy OID that a directory ties to a group makes its holders members."""
    for index, policy in enumerate(use.profile.policies if use.ra is None else ()):
        if policy.oid.startswith(_ISSUANCE_POLICIES) and authenticates(use.profile):
            yield Risk(
                "esc13-policy-oid",
                Severity.WARN,
                f"policies[{index}].oid",
                f"{policy.oid} is an issuance policy of an Active Directory forest: if it is"
                " linked to a group, every holder is a member of it",
                "see that msDS-OIDToGroupLink of this OID is empty, or use an OID of your own",
            )


def open_extensions(use: Use) -> Iterator[Risk]:
    """Octets of a requester, copied as they came."""
    for index, custom in enumerate(use.profile.custom):
        if custom.der_hex is not None or custom.oid in _READ_AS_POLICY:
            continue
        if use.ra is None:
            yield Risk(
                "custom-chosen",
                Severity.WARN,
                f"custom[{index}].der_hex",
                f"requesters give the value of {custom.oid}, and it is copied as it came",
                "fix its value, or see that whoever approves can read it",
            )
        elif use.unattended:
            yield Risk(
                "custom-chosen",
                Severity.BLOCK,
                f"custom[{index}].der_hex",
                f"requesters give the value of {custom.oid}, and nobody looks at it",
                "fix its value, or ask for an approval",
                acceptable=True,
            )


def authority(use: Use) -> Iterator[Risk]:
    """A certificate that makes certificates."""
    profile = use.profile
    if not is_ca(profile):
        if _CA_USAGES & set(profile.key_usage) and use.ra is None:
            yield Risk(
                "ca-usage",
                Severity.BLOCK,
                "key_usage",
                "keyCertSign and cRLSign are for CAs: some software asks for nothing more",
                "remove them",
            )
        return
    if use.ra is not None:
        yield Risk(
            "ca-in-ra",
            Severity.BLOCK,
            "basic_constraints.ca",
            "CAs are made by the people of the CA, with the approvals of its level; a request"
            " never makes one, and the signer would refuse",
            "take the profile out of the registration authority; `chancery ca create` makes CAs",
        )
        return
    if profile.name != _CA_PROFILE:
        yield Risk(
            "ca-flag",
            Severity.BLOCK,
            "basic_constraints.ca",
            f"a CA outside {_CA_PROFILE}: whoever holds it issues certificates of their own",
            f"remove the flag, or change {_CA_PROFILE} itself",
            acceptable=True,
        )
    constraints = profile.basic_constraints
    if constraints is not None and constraints.path_length is None:
        yield Risk(
            "ca-path-length",
            Severity.WARN,
            "basic_constraints.path_length",
            "without a path length it may make further CAs below it, without end",
            "set it to 0, or to the levels you need",
        )
    if profile.approvals == 0:
        yield Risk(
            "ca-approvals",
            Severity.WARN,
            "approvals",
            "a CA that nobody has to approve",
            "set approvals to 1 or more",
        )


def delegates(use: Use) -> Iterator[Risk]:
    """Certificates that speak for the CA, or for whoever trusts it, with nobody looking."""
    if use.ra is None or not use.unattended:
        return
    for oid, what in _SPEAKS.items():
        if oid in use.profile.extended_key_usage:
            tolerable = use.narrow and oid != OCSP_SIGNING
            yield Risk(
                "delegate-unattended",
                Severity.WARN if tolerable else Severity.BLOCK,
                "approvals",
                f"{what}, and nobody looks at the request",
                "ask for an approval, in the profile or in the registration authority",
                acceptable=not tolerable and (use.narrow or oid != OCSP_SIGNING),
            )


_SPEAKS: Final = {
    OCSP_SIGNING: "its holder says which certificates of the CA are revoked",
    CODE_SIGNING: "its holder signs programs that others will run",
    TIME_STAMPING: "its holder says when something was signed",
}

RULES: Final = (
    any_purpose,
    agents,
    policy_extensions,
    issuance_policies,
    open_extensions,
    authority,
    delegates,
)
