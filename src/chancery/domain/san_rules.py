"""Which names enter the subject alternative name, by the rules of a profile."""

import ipaddress
import re
from collections.abc import Iterable, Iterator, Set
from typing import Final

from chancery.domain import name_syntax
from chancery.domain.errors import BadName
from chancery.domain.names import DistinguishedName, GeneralName, NameKind
from chancery.domain.profile import EKU_NAMES, ExtensionProfile, SanRule

_COMMON_NAME: Final = "2.5.4.3"
_EMAIL_ADDRESS: Final = "1.2.840.113549.1.9.1"
_SERVER_NAMES: Final = frozenset({NameKind.DNS, NameKind.IP})

SID_URI: Final = "tag:microsoft.com,2022-09-14:sid:"
"""A URI that a domain controller reads as the security identifier of an account (KB5014754)."""


def select_names(
    profile: ExtensionProfile,
    csr_names: tuple[GeneralName, ...],
    requested_names: tuple[GeneralName, ...],
    subject: DistinguishedName,
) -> tuple[GeneralName, ...]:
    """The SAN: the CSR's names, the requested ones, then those of the subject; each once.

    A name that the profile does not allow is an error and never dropped: a
    certificate that lacks a name somebody asked for fails later and elsewhere.
    """
    rules = {rule.kind: rule for rule in profile.san}
    chosen: dict[GeneralName, None] = {}
    for name in csr_names:
        chosen[_allowed(name, rules, "csr", profile.name)] = None
    for name in requested_names:
        chosen[_allowed(name, rules, "names", profile.name)] = None
    for value in subject.values(_EMAIL_ADDRESS):
        # RFC 5280 §4.1.2.6: a mailbox in the subject must be in the SAN too.
        mailbox = GeneralName(NameKind.EMAIL, value)
        chosen[_allowed(mailbox, rules, "subject.emailAddress", profile.name)] = None
    serves = EKU_NAMES["serverAuth"] in profile.extended_key_usage and _SERVER_NAMES & rules.keys()
    for value in subject.values(_COMMON_NAME):
        named = _common_name(value, serves or rules.keys(), server=bool(serves))
        if named is not None and profile.cn_into_san:
            chosen[_allowed(named, rules, "subject.CN", profile.name)] = None
        elif serves and named not in chosen:
            raise _unbacked(value, profile)
    names = tuple(chosen)
    _check_counts(names, profile)
    if serves and not any(name.kind in _SERVER_NAMES for name in names):
        raise _no_identity(profile, serves)
    return names


def name_faults(profile: ExtensionProfile, csr_names: Iterable[GeneralName]) -> Iterator[BadName]:
    """Every name of a CSR that *profile* does not take, each with its reason."""
    rules = {rule.kind: rule for rule in profile.san}
    for name in csr_names:
        try:
            _allowed(name, rules, "csr", profile.name)
        except BadName as error:
            yield error


def _allowed(
    name: GeneralName, rules: dict[NameKind, SanRule], origin: str, profile: str
) -> GeneralName:
    """The canonical name, if one of *rules* lets it in from *origin*."""
    try:
        name = name_syntax.canonical(name)
    except BadName as error:
        raise BadName(str(error), field=origin, rule=error.rule, remedy=error.remedy) from None
    rule = rules.get(name.kind)
    if rule is None:
        raise BadName(
            f"{name.text}: profile {profile} allows no names of kind {name.kind.value}",
            field=origin,
            rule="name.kind",
            remedy="leave it out; allowed kinds: " + (", ".join(rules) or "none"),
        )
    if (origin == "csr" and not rule.from_csr) or (origin == "names" and not rule.from_requester):
        source = "the CSR" if origin == "csr" else "the request"
        raise BadName(
            f"{name.text}: profile {profile} takes no {name.kind.value} names from {source}",
            field=origin,
            rule="name.source",
            remedy=f"leave it out of {source}",
        )
    for fault, broken, remedy in _faults(name, rule):
        raise BadName(f"{name.text}: {fault}", field=origin, rule=broken, remedy=remedy)
    return name


def _faults(name: GeneralName, rule: SanRule) -> Iterator[tuple[str, str, str]]:
    """(what is wrong, rule, remedy) for each condition of *rule* that *name* breaks."""
    if name.kind is NameKind.DNS and name.value.startswith("*.") and not rule.wildcards:
        yield "wildcards are not allowed", "name.wildcard", "name each host"
    if name.kind is NameKind.URI and rule.regex is None and name.value.lower().startswith(SID_URI):
        yield (
            "it names an account by its security identifier",
            "name.sid",
            "leave it out; a profile admits it only by a regex of its own",
        )
    if rule.suffixes and not _under(name_syntax.host_of(name), rule.suffixes):
        yield (
            "it lies outside the allowed domains",
            "name.suffix",
            "use a name in " + ", ".join(rule.suffixes),
        )
    if rule.networks and not _inside(name, rule.networks):
        yield (
            "it lies outside the allowed networks",
            "name.network",
            "use an address in " + ", ".join(rule.networks),
        )
    if rule.regex is not None and re.fullmatch(rule.regex, name.value) is None:
        yield (
            "it does not have the form the profile demands",
            "name.regex",
            f"it must match {rule.regex}",
        )


def _under(host: str | None, suffixes: Iterable[str]) -> bool:
    """``.example.org`` covers what lies below it, ``example.org`` itself alone."""
    if host is None:
        return False
    return any(
        host.endswith(s) and len(host) > len(s) if s.startswith(".") else host == s
        for s in map(str.lower, suffixes)
    )


def _inside(name: GeneralName, networks: Iterable[str]) -> bool:
    if name.kind is not NameKind.IP:
        return False
    address = ipaddress.ip_address(name.value)
    return any(address in ipaddress.ip_network(network) for network in networks)


def _common_name(value: str, kinds: Set[NameKind], *, server: bool) -> GeneralName | None:
    """A common name as a name of one of *kinds*, if it is one.

    A single label is a host name only for a *server*: "Alice" would be one too.
    """
    kind = NameKind.DNS
    if "@" in value:
        kind = NameKind.EMAIL
    elif ":" in value or (value[-1:].isdigit() and value.rpartition(".")[2].isdigit()):
        kind = NameKind.IP
    if kind not in kinds or (kind is NameKind.DNS and "." not in value and not server):
        return None
    try:
        return name_syntax.canonical(GeneralName(kind, value))
    except BadName:
        return None


def _unbacked(value: str, profile: ExtensionProfile) -> BadName:
    # TLS Baseline Requirements §7.1.4.3; clients read the SAN, people and old tools the CN.
    return BadName(
        f"CN {value[:64]!r} of a server is no name in its SAN",
        field="subject.CN",
        rule="name.cn-in-san",
        remedy="use one of the server's host names or addresses, or leave CN out"
        if profile.cn_into_san
        else "put the same name into the SAN, or leave CN out",
    )


def _no_identity(profile: ExtensionProfile, kinds: Iterable[NameKind]) -> BadName:
    # RFC 9525 §2: a TLS client looks for the server in the SAN and nowhere else.
    return BadName(
        f"profile {profile.name} is for servers and needs a name of kind "
        + " or ".join(sorted(kinds)),
        field="names",
        rule="name.server-identity",
        remedy="put the server's host name or address into the CSR's subjectAltName",
    )


def _check_counts(names: tuple[GeneralName, ...], profile: ExtensionProfile) -> None:
    for rule in profile.san:
        found = sum(name.kind is rule.kind for name in names)
        if found > rule.max_count:
            raise BadName(
                f"{found} names of kind {rule.kind.value} where {profile.name} allows"
                f" {rule.max_count}",
                field="names",
                rule="name.count",
                remedy="spread them over several certificates",
            )
        if rule.required and not found:
            raise BadName(
                f"profile {profile.name} needs a name of kind {rule.kind.value}",
                field="names",
                rule="name.required",
                remedy=f"put a {rule.kind.value} name into the CSR's subjectAltName,"
                f" or give names: {rule.kind.value}:...",
            )
