"""Who says whose certificate it is: names that requesters give."""

import re
from collections.abc import Iterator
from typing import Final

from chancery.domain.names import NameKind
from chancery.domain.profile import Override
from chancery.domain.risk.model import (
    SMARTCARD,
    Risk,
    Severity,
    Use,
    authenticates,
    bounded,
    chosen_names,
    rules_for,
)
from chancery.domain.san_rules import SID_URI

SID: Final = "1.3.6.1.4.1.311.25.2"
_ANY_SID: Final = SID_URI + "S-1-5-21-1-2-3-500"
_ASK: Final = "ask for an approval, in the profile or in the registration authority"


def requester_names(use: Use) -> Iterator[Risk]:
    """ESC1: whoever may ask names the account that the certificate then logs on."""
    given = chosen_names(use)
    if not (given and authenticates(use.profile) and use.unattended):
        return
    if use.ra is None:
        yield Risk(
            "esc1-requester-names",
            Severity.WARN,
            "approvals",
            f"requesters name themselves ({given}) in certificates that log them on: every"
            " registration authority that offers this must ask for an approval",
            "set approvals to 1 or more, or let the DN profile fix the subject",
        )
    elif use.narrow:
        yield Risk(
            "esc1-requester-names",
            Severity.WARN,
            "approvals",
            f"members of {', '.join(use.ra.submit_groups)} can get a certificate that logs on as"
            f" anybody ({given}), and nobody looks at it",
            _ASK,
        )
    else:
        yield Risk(
            "esc1-requester-names",
            Severity.BLOCK,
            "approvals",
            "everybody with an account can get a certificate that logs on as anybody else"
            f" ({given}), and nobody looks at it",
            f"{_ASK}, or name the submit groups",
            acceptable=True,
        )


def beside_the_csr(use: Use) -> Iterator[Risk]:
    """ESC6: names in the request that no key holder ever signed."""
    if Override.SAN not in use.profile.overrides or use.ra is not None:
        return
    if any(rule.from_requester for rule in use.profile.san):
        logs_on = authenticates(use.profile)
        yield Risk(
            "esc6-names-beside-csr",
            Severity.WARN if logs_on else Severity.NOTE,
            "overrides",
            "the request may add names to those of the CSR: whoever sends it, not who holds the"
            " key, says what they are",
            "remove san from overrides, or set from_requester of the rules to false",
        )


def user_principal(use: Use) -> Iterator[Risk]:
    """A UPN, or a Kerberos name in an otherName, is an account of a Windows domain."""
    if not authenticates(use.profile):
        return
    for index, rule in rules_for(use.profile, NameKind.UPN, NameKind.OTHER):
        which = "upn-chosen" if rule.kind is NameKind.UPN else "other-name-chosen"
        what = "user principal name" if rule.kind is NameKind.UPN else "otherName"
        field = f"san[{index}]"
        if use.ra is None:
            yield Risk(
                which,
                Severity.WARN,
                field,
                f"requesters give the {what}, by which a domain controller finds the account",
                "remove the rule, or bound it by suffixes or a regex, and ask for approvals",
            )
        elif use.unattended:
            yield Risk(
                which,
                Severity.BLOCK,
                field,
                f"requesters give the {what} that a domain controller logs on, and nobody"
                " looks at it",
                f"{_ASK}, or remove the rule",
                acceptable=bounded(rule) or use.narrow,
            )


def security_identifier(use: Use) -> Iterator[Risk]:
    """The SID says which account it is more strongly than any name (KB5014754)."""
    for index, custom in enumerate(use.profile.custom):
        if custom.oid != SID or use.ra is not None:
            continue
        if custom.der_hex is None:
            yield Risk(
                "sid-chosen",
                Severity.BLOCK,
                f"custom[{index}].der_hex",
                "a requester who gives a security identifier logs on as whom they like",
                "remove the extension, or fix its value",
            )
        else:
            yield Risk(
                "sid-chosen",
                Severity.WARN,
                f"custom[{index}].der_hex",
                "every certificate of this profile logs on as one and the same account",
                "give this account a profile and a registration authority of its own",
            )
    for index, rule in rules_for(use.profile, NameKind.URI):
        if rule.regex is None or not _admits(rule.regex):
            continue
        blocked = use.ra is not None and use.unattended
        if use.ra is None or blocked:
            yield Risk(
                "sid-chosen",
                Severity.BLOCK if blocked else Severity.WARN,
                f"san[{index}].regex",
                "the expression admits URIs that carry a security identifier, which stands"
                " above every name",
                "exclude tag:microsoft.com from it, or ask for approvals",
            )


def _admits(regex: str) -> bool:
    try:
        return re.fullmatch(regex, _ANY_SID) is not None
    except (re.error, RecursionError, OverflowError):
        return False


def no_identifier(use: Use) -> Iterator[Risk]:
    """ESC9: names alone tie the certificate to an account, and names can be changed."""
    profile = use.profile
    if use.ra is not None or not authenticates(profile):
        return
    domain = SMARTCARD in profile.extended_key_usage or any(rules_for(profile, NameKind.UPN))
    if domain and all(custom.oid != SID for custom in profile.custom):
        yield Risk(
            "esc9-no-sid",
            Severity.WARN,
            "custom",
            "without the security identifier (1.3.6.1.4.1.311.25.2) a domain controller maps the"
            " certificate by its name alone, and refuses that since September 2025 (KB5014754)",
            "issue domain log-on certificates through a door that sets it from the directory, or"
            " map them explicitly by issuer and serial number",
        )


def weak_mapping(use: Use) -> Iterator[Risk]:
    """ESC14: mailboxes and directory names that accounts are mapped by."""
    if use.ra is not None or not authenticates(use.profile):
        return
    for index, rule in rules_for(use.profile, NameKind.EMAIL, NameKind.DIRECTORY):
        if not bounded(rule):
            yield Risk(
                "esc14-weak-mapping",
                Severity.NOTE,
                f"san[{index}]",
                f"systems that map accounts by {rule.kind.value} take whatever stands there",
                "bound the rule by suffixes or a regex",
            )


def wildcards(use: Use) -> Iterator[Risk]:
    """One key for every host of a domain, or of any."""
    if use.ra is not None:
        return
    for index, rule in rules_for(use.profile, NameKind.DNS):
        if not rule.wildcards:
            continue
        if bounded(rule):
            yield Risk(
                "wildcard",
                Severity.WARN,
                f"san[{index}].wildcards",
                "one stolen key stands for every host below the domain",
                "name each host, or keep this profile to a registration authority of its own",
            )
        else:
            yield Risk(
                "wildcard-unbounded",
                Severity.BLOCK,
                f"san[{index}].wildcards",
                "requesters may ask for a wildcard of any domain there is",
                "give suffixes, or a regex",
                acceptable=True,
            )


RULES: Final = (
    requester_names,
    beside_the_csr,
    user_principal,
    security_identifier,
    no_identifier,
    weak_mapping,
    wildcards,
)
