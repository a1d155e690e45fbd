"""What makes a profile sound: refused here, before any certificate can be made by it."""

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from chancery.domain import ekus, name_syntax
from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.crl import LISTED, SHARD
from chancery.domain.dn_profile_rules import check_dn_profile
from chancery.domain.errors import BadRequest
from chancery.domain.names import NameKind
from chancery.domain.patterns import MAX_REGEX, is_regex
from chancery.domain.profile import DAY_S, EKU_NAMES, ExtensionProfile, KeyUsage, SanRule

__all__ = ["check_dn_profile", "check_profile", "profile_faults"]

MAX_NOTICE: Final = 200  # characters: RFC 5280 §4.2.1.4
MAX_VALIDITY_S: Final = 30 * 366 * DAY_S
MAX_BACKDATE_S: Final = 7 * DAY_S
MAX_CUSTOM: Final = 16_384  # octets of one extension value

Fault = tuple[str, str, str, str]
"""(field below ``profile``, rule, what is wrong, remedy)."""

_CA_ONLY: Final = (KeyUsage.KEY_CERT_SIGN, KeyUsage.CRL_SIGN)
_CA_USAGES: Final = frozenset({*_CA_ONLY, KeyUsage.DIGITAL_SIGNATURE, KeyUsage.CONTENT_COMMITMENT})
_SID: Final = "1.3.6.1.4.1.311.25.2"
_TYPED: Final[dict[str, str]] = {
    # Extensions that have a field of their own, or that only an issuer or a log may write.
    "2.5.29.14": "subject_key_identifier",
    "2.5.29.15": "key_usage",
    "2.5.29.17": "san",
    "2.5.29.19": "basic_constraints",
    "2.5.29.30": "name_constraints",
    "2.5.29.31": "cdp",
    "2.5.29.32": "policies",
    "2.5.29.35": "authority_key_identifier",
    "2.5.29.37": "extended_key_usage",
    "2.5.29.46": "freshest_crl",
    "1.3.6.1.5.5.7.1.1": "aia_ocsp and aia_issuers",
    "1.3.6.1.5.5.7.48.1.5": "ocsp_no_check",
    "1.3.6.1.4.1.311.21.7": "ms_template",
}
_NOT_OURS: Final = {
    "1.3.6.1.4.1.11129.2.4.2": "signed certificate timestamps",
    "1.3.6.1.4.1.11129.2.4.3": "the precertificate poison",
}
_SLUG: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_URL: Final = re.compile(r"(?:\{http\}|https?://|ldaps?://)[!-~]*")


def check_profile(profile: ExtensionProfile) -> None:
    """Raise BadRequest for the first fault of *profile*; return if it has none."""
    for fault in profile_faults(profile):
        raise fault


def profile_faults(profile: ExtensionProfile) -> Iterator[BadRequest]:
    """Every fault of *profile*."""
    for part in _PARTS:
        for field, rule, wrong, remedy in part(profile):
            yield BadRequest(
                f"profile {profile.name[:64]}: {wrong}",
                field=f"profile.{field}",
                rule=f"profile.{rule}",
                remedy=remedy,
            )


def _is_ca(profile: ExtensionProfile) -> bool:
    return profile.basic_constraints is not None and profile.basic_constraints.ca


def _basics(profile: ExtensionProfile) -> Iterator[Fault]:
    if _SLUG.fullmatch(profile.name) is None:
        yield "name", "name", "the name is no slug", "use lower-case letters, digits and hyphens"
    known = {"rsa", *KeyAlgorithm}
    if not profile.key_algorithms or not known.issuperset(profile.key_algorithms):
        remedy = "list one or more of: " + ", ".join(sorted(known))
        yield "key_algorithms", "key-algorithms", "no key algorithm, or an unknown one", remedy
    if profile.approvals < 0:
        yield "approvals", "approvals", "a negative number of approvals", "use 0 or more"


def _validity(profile: ExtensionProfile) -> Iterator[Fault]:
    bounds = f"use 1 s to {MAX_VALIDITY_S // DAY_S} days"
    if not 0 < profile.max_validity_s <= MAX_VALIDITY_S:
        yield "max_validity_s", "validity", "the longest validity is out of bounds", bounds
    if not 0 < profile.validity_s <= profile.max_validity_s:
        remedy = "use 1 s to max_validity_s"
        yield "validity_s", "validity", "the validity is out of bounds", remedy
    if not 0 <= profile.backdate_s <= min(MAX_BACKDATE_S, profile.validity_s - 1):
        remedy = "use 0 s to 7 days, and less than the validity"
        yield "backdate_s", "backdate", "the start lies too far back", remedy
    if profile.renewal_window_s < 0:
        yield "renewal_window_s", "renewal-window", "a negative renewal window", "use 0 s or more"


def _leaf(profile: ExtensionProfile) -> Iterator[Fault]:
    """RFC 5280 §4.2.1.3, §4.2.1.9, §4.2.1.10: what goes with CA:TRUE alone."""
    constraints = profile.basic_constraints
    if _is_ca(profile):
        return
    if constraints is not None and constraints.path_length is not None:
        remedy = "remove path_length, or set ca"
        yield "basic_constraints.path_length", "path-length", "a path length without CA", remedy
    if profile.name_constraints is not None:
        remedy = "remove them, or set basic_constraints.ca"
        yield "name_constraints", "ca-only", "name constraints without CA", remedy
    if set(_CA_ONLY) & set(profile.key_usage):
        remedy = "remove them, or set basic_constraints.ca"
        yield "key_usage", "ca-only", "keyCertSign or cRLSign without CA", remedy


def _authority(profile: ExtensionProfile) -> Iterator[Fault]:
    """RFC 5280 §4.2.1.1 to §4.2.1.3 and §4.2.1.9: what a CA must have, and must not."""
    constraints, usages = profile.basic_constraints, set(profile.key_usage)
    if constraints is None or not constraints.ca:
        return
    if constraints.path_length is not None and not 0 <= constraints.path_length <= 255:
        wrong = "the path length is out of bounds"
        yield "basic_constraints.path_length", "path-length", wrong, "use 0 to 255"
    if KeyUsage.KEY_CERT_SIGN not in usages:
        yield "key_usage", "ca-usage", "a CA without keyCertSign", "add keyCertSign"
    if not usages <= _CA_USAGES:
        wrong = "a CA key that is to encipher or agree"
        yield "key_usage", "ca-usage", wrong, "use " + ", ".join(sorted(_CA_USAGES))
    if not profile.key_usage_critical:
        wrong = "a CA's keyUsage that is not critical"
        yield "key_usage_critical", "ca-usage", wrong, "set key_usage_critical"
    if not (profile.subject_key_identifier and profile.authority_key_identifier):
        wrong = "a CA without key identifiers"
        yield "subject_key_identifier", "key-identifiers", wrong, "switch both on"
    if profile.ocsp_no_check:
        yield "ocsp_no_check", "no-check", "OCSP nocheck in a CA", "remove it"


def _usages(profile: ExtensionProfile) -> Iterator[Fault]:
    usages, oids = profile.key_usage, profile.extended_key_usage
    if len(set(usages)) < len(usages) or len(set(oids)) < len(oids):
        yield "key_usage", "duplicate", "a usage is listed twice", "list each once"
    only = {KeyUsage.ENCIPHER_ONLY, KeyUsage.DECIPHER_ONLY} & set(usages)
    if only and KeyUsage.KEY_AGREEMENT not in usages:
        wrong = "encipherOnly and decipherOnly mean nothing without keyAgreement"
        yield "key_usage", "key-agreement", wrong, "add keyAgreement, or remove them"
    if len(only) == 2:
        yield "key_usage", "key-agreement", "encipherOnly and decipherOnly", "choose one of them"
    for oid in oids:
        if not name_syntax.is_oid(oid):
            remedy = "use dotted OIDs, like " + EKU_NAMES["serverAuth"]
            yield "extended_key_usage", "oid", f"{oid[:80]!r} is no OID", remedy
    check = ekus.authority_faults if _is_ca(profile) else ekus.leaf_faults
    for rule, wrong, remedy in check(usages, oids, critical=profile.extended_key_usage_critical):
        yield "extended_key_usage", rule, wrong, remedy
    if profile.ocsp_no_check and EKU_NAMES["OCSPSigning"] not in oids:
        wrong = "OCSP nocheck in something that is no OCSP signer (RFC 6960 §4.2.2.2.1)"
        yield "ocsp_no_check", "no-check", wrong, "remove it, or add the EKU OCSPSigning"


def _names(profile: ExtensionProfile) -> Iterator[Fault]:
    kinds = [rule.kind for rule in profile.san]
    if len(set(kinds)) < len(kinds):
        yield "san", "duplicate", "two rules for one kind of name", "merge them"
    for index, rule in enumerate(profile.san):
        for wrong, broken, remedy in _san_rule(rule):
            yield f"san[{index}]", broken, wrong, remedy
    if profile.name_constraints is not None:
        constraints = profile.name_constraints
        if not (constraints.permitted or constraints.excluded):
            yield "name_constraints", "name-constraint", "no constraint in them", "add one"
        for text in (*constraints.permitted, *constraints.excluded):
            if not _is_constraint(text):
                remedy = "write dns:example.org, ip:10.0.0.0/8, email:.example.org and the like"
                wrong = f"{text[:80]!r} is no name constraint"
                yield "name_constraints", "name-constraint", wrong, remedy


def _san_rule(rule: SanRule) -> Iterator[tuple[str, str, str]]:
    if not 1 <= rule.max_count <= 1000:
        yield "max_count is out of bounds", "count", "use 1 to 1000"
    if not (rule.from_csr or rule.from_requester):
        yield "no source for such names", "source", "set from_csr or from_requester"
    if rule.wildcards and rule.kind is not NameKind.DNS:
        yield "wildcards in names that are no host names", "wildcard", "remove wildcards"
    hosted = {NameKind.DNS, NameKind.EMAIL, NameKind.URI, NameKind.UPN}
    if rule.suffixes and rule.kind not in hosted:
        yield "suffixes for names without a domain", "suffix", "remove suffixes"
    if any(not _is_host(suffix.removeprefix(".")) for suffix in rule.suffixes):
        yield "a suffix that is no domain", "suffix", "write .example.org or example.org"
    if rule.networks and rule.kind is not NameKind.IP:
        yield "networks for names that are no addresses", "network", "remove networks"
    if any(not _is_network(network) for network in rule.networks):
        yield "a network that is none", "network", "write 10.0.0.0/8 or 2001:db8::/32"
    if rule.regex is not None and not is_regex(rule.regex):
        yield "a regex that does not compile or is too long", "regex", f"{MAX_REGEX} at most"


def _is_host(text: str) -> bool:
    try:
        return name_syntax.dns(text) == text.lower() and not text.startswith("*")
    except BadRequest:
        return False


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def _is_constraint(text: str) -> bool:
    kind, _, value = text.partition(":")
    match kind:
        case "dns":
            return _is_host(value)
        case "email" | "uri":
            return _is_host(value.rpartition("@")[2].removeprefix("."))
        case "ip":
            return _is_network(value)
        case "directory":
            return bool(value.strip())
    return False


def is_url_template(url: str, *, shard: bool = False) -> bool:
    """Whether *url* is a URL that may hold ``{http}`` and ``{ca}``, and no other brace.

    *shard*: and ``{shard}``, once.
    """
    left = url.replace("{http}", "").replace("{ca}", "")
    if shard:
        left = left.replace(SHARD, "", 1)
    return not (_URL.fullmatch(url) is None or "{" in left or "}" in left or len(url) > 1024)


def _pointers(profile: ExtensionProfile) -> Iterator[Fault]:
    for field in ("cdp", "aia_ocsp", "aia_issuers", "freshest_crl"):
        urls: tuple[str, ...] = getattr(profile, field)
        for url in urls:
            if field == "cdp" and url == LISTED:
                continue
            if not is_url_template(url, shard=field == "cdp"):
                remedy = "write it like {http}/crl/{ca}.crl or http://pki.example.org/ca.crl"
                yield field, "url", f"{url[:80]!r} is no URL template", remedy
    if profile.freshest_crl and not profile.cdp:
        wrong = "a delta CRL without a base CRL"
        yield "freshest_crl", "cdp", wrong, "add cdp, or remove freshest_crl"


def _policies(profile: ExtensionProfile) -> Iterator[Fault]:
    oids = [policy.oid for policy in profile.policies]
    if len(set(oids)) < len(oids):
        wrong = "a policy listed twice (RFC 5280 §4.2.1.4)"
        yield "policies", "duplicate", wrong, "list each policy once"
    for index, policy in enumerate(profile.policies):
        field = f"policies[{index}]"
        if not name_syntax.is_oid(policy.oid):
            yield f"{field}.oid", "oid", "the policy is no OID", "use a dotted OID"
        if policy.cps_uri is not None and re.fullmatch(r"https?://[!-~]+", policy.cps_uri) is None:
            yield f"{field}.cps_uri", "url", "cps_uri is no URL", "write https://..."
        notice = policy.notice
        if notice is not None and not (1 <= len(notice) <= MAX_NOTICE and notice.isprintable()):
            wrong = "the notice is empty, unprintable or too long"
            yield f"{field}.notice", "notice", wrong, f"use 1 to {MAX_NOTICE} characters"


def _custom(profile: ExtensionProfile) -> Iterator[Fault]:
    oids = [custom.oid for custom in profile.custom]
    if len(set(oids)) < len(oids):
        yield "custom", "duplicate", "an extension listed twice", "list each once"
    for index, custom in enumerate(profile.custom):
        field = f"custom[{index}]"
        if not name_syntax.is_oid(custom.oid):
            yield f"{field}.oid", "oid", "the extension's OID is none", "use a dotted OID"
        if custom.oid in _TYPED:
            remedy = f"use the field {_TYPED[custom.oid]}"
            yield f"{field}.oid", "custom-typed", "this extension has its own field", remedy
        if custom.oid in _NOT_OURS:
            wrong = f"{_NOT_OURS[custom.oid]} cannot be put into a profile"
            yield f"{field}.oid", "custom-reserved", wrong, "remove it"
        if custom.der_hex is None and custom.oid == _SID:
            wrong = "a requester who names a security identifier can log on as anybody"
            yield f"{field}.der_hex", "sid", wrong, "fix its value, or remove the extension"
        if custom.der_hex is not None and not _is_hex(custom.der_hex):
            remedy = f"write one DER value of up to {MAX_CUSTOM} octets in hex"
            yield f"{field}.der_hex", "custom-value", "der_hex is not the hex of DER", remedy
    template = profile.ms_template
    if template is not None:
        numbers = (template.major, template.minor or 0)
        if not name_syntax.is_oid(template.oid) or not all(0 <= n < 1 << 32 for n in numbers):
            wrong = "the template's OID or version is none"
            yield "ms_template", "ms-template", wrong, "use a dotted OID and versions below 2^32"


def _is_hex(text: str) -> bool:
    return len(text) <= 2 * MAX_CUSTOM and re.fullmatch(r"(?:[0-9a-fA-F]{2}){2,}", text) is not None


_PARTS: Final[tuple[Callable[[ExtensionProfile], Iterable[Fault]], ...]] = (
    _basics,
    _validity,
    _leaf,
    _authority,
    _usages,
    _names,
    _pointers,
    _policies,
    _custom,
)
