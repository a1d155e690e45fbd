"""What each extension of a profile's certificates must say."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

from chancery.domain.crl import LISTED
from chancery.domain.profile import (
    BasicConstraints,
    CertificatePolicy,
    ExtensionProfile,
    MsTemplate,
    NameConstraints,
)
from chancery.wire import der
from chancery.wire.lint.keys import identifiers

T = TypeVar("T")
Check = Callable[[bytes], Iterable[str]]

_OCSP: Final = "1.3.6.1.5.5.7.48.1"
_CA_ISSUERS: Final = "1.3.6.1.5.5.7.48.2"
_URL: Final = re.compile(rb"(?:http|ldap)s?://[\x21-\x7e]+")
_QUALIFIERS: Final = frozenset({"1.3.6.1.5.5.7.2.1", "1.3.6.1.5.5.7.2.2"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One extension: *critical* None leaves it open, *check* yields findings for a DER value."""

    check: Check
    critical: bool | None = False
    required: bool = True


Expected = Iterator[tuple[str, Expectation]]
"""Pairs of a dotted OID and what is expected of that extension."""


def expectations(profile: ExtensionProfile) -> dict[bytes, Expectation]:
    """By the content of the OID: every extension a certificate of *profile* may carry."""
    groups = (_purpose, _identity, _pointers, _custom)
    return {der.oid(oid)[2:]: expected for group in groups for oid, expected in group(profile)}


def _purpose(p: ExtensionProfile) -> Expected:
    """What the key may be used for."""
    if p.basic_constraints is not None:
        # Critical in leaves too: RFC 5280 §4.2.1.9 leaves it open, the profile promises it.
        yield (
            "2.5.29.19",
            Expectation(check=_bound(_basic_constraints, p.basic_constraints), critical=True),
        )
    if p.key_usage:
        # Which bits, and whether it stands there at all, depends on the key: see keys.Kinds.
        yield (
            "2.5.29.15",
            Expectation(check=_nothing, critical=p.key_usage_critical, required=False),
        )
    if p.extended_key_usage:
        critical = p.extended_key_usage_critical
        yield "2.5.29.37", Expectation(check=_bound(_eku, p.extended_key_usage), critical=critical)
    if p.name_constraints is not None:
        check = _bound(_name_constraints, p.name_constraints)
        yield "2.5.29.30", Expectation(check=check, critical=True)


def _identity(p: ExtensionProfile) -> Expected:
    """Whose key it is, and whose signature."""
    if p.subject_key_identifier:
        yield "2.5.29.14", Expectation(check=_nothing)  # per certificate: see check_ski
    if p.authority_key_identifier:
        yield "2.5.29.35", Expectation(check=_aki)
    if p.san or p.cn_into_san:
        required = any(rule.required for rule in p.san)
        yield "2.5.29.17", Expectation(check=_nothing, critical=None, required=required)


def _pointers(p: ExtensionProfile) -> Expected:
    """Where to learn more."""
    if p.policies:
        yield "2.5.29.32", Expectation(check=_bound(_policies, p.policies))
    if p.cdp:
        yield "2.5.29.31", Expectation(check=_bound(_points, p.cdp))
    if p.freshest_crl:
        yield "2.5.29.46", Expectation(check=_bound(_points, p.freshest_crl))
    if p.aia_ocsp or p.aia_issuers:
        counts = {_OCSP: len(p.aia_ocsp), _CA_ISSUERS: len(p.aia_issuers)}
        yield "1.3.6.1.5.5.7.1.1", Expectation(check=_bound(_access, counts))
    if p.ocsp_no_check:
        yield "1.3.6.1.5.5.7.48.1.5", Expectation(check=_bound(_equal, der.NULL))
    if p.ms_template is not None:
        yield "1.3.6.1.4.1.311.21.7", Expectation(check=_bound(_template, p.ms_template))


def _custom(p: ExtensionProfile) -> Expected:
    for custom in p.custom:
        if custom.der_hex is None:
            expected = Expectation(
                check=_one_value, critical=custom.critical, required=custom.required
            )
        else:
            fixed = bytes.fromhex(custom.der_hex)
            expected = Expectation(check=_bound(_equal, fixed), critical=custom.critical)
        yield custom.oid, expected


def _bound(check: Callable[[bytes, T], Iterable[str]], wanted: T) -> Check:
    return lambda value: check(value, wanted)


def check_ski(value: bytes, spki: bytes) -> Iterable[str]:
    """A key identifier must be derived from the very key (RFC 5280 §4.2.1.2, RFC 7093)."""
    if value[:2] != b"\x04\x14" or value[2:] not in identifiers(spki):
        return ("ERROR ski.value: the subjectKeyIdentifier is not derived from the key",)
    return ()


def _nothing(_value: bytes) -> Iterable[str]:
    return ()


def _one_value(value: bytes) -> Iterable[str]:
    der.single(value)
    return ()


def _equal(value: bytes, wanted: bytes) -> Iterator[str]:
    if value != wanted:
        yield "ERROR extension.value: not the value that the profile fixes"


def _basic_constraints(value: bytes, wanted: BasicConstraints) -> Iterator[str]:
    reader = der.Reader(der.single(value, der.SEQUENCE)[1])
    flag = reader.optional(der.BOOLEAN)
    length = reader.optional(der.INTEGER)
    reader.finish()
    if flag is not None and flag != b"\xff":
        yield "ERROR basic-constraints.der: cA is FALSE and encoded all the same"
    ca = flag == b"\xff"
    if ca and not wanted.ca:
        yield "ERROR basic-constraints.ca: CA:TRUE, and the profile is not for CAs"
    if wanted.ca and not ca:
        yield "ERROR basic-constraints.ca: CA:FALSE, and the profile is for CAs"
    path = None if length is None else der.decode_integer(length)
    if path != (wanted.path_length if wanted.ca else None):
        yield f"ERROR basic-constraints.path: a path length of {path}"


def _oids(value: bytes) -> list[str]:
    reader = der.Reader(der.single(value, der.SEQUENCE)[1])
    found = []
    while reader:
        found.append(der.decode_oid(reader.content(der.OID)))
    return found


def _eku(value: bytes, wanted: tuple[str, ...]) -> Iterator[str]:
    found = _oids(value)
    if len(set(found)) != len(found):
        yield "ERROR eku.duplicate: a purpose stands twice"
    if set(found) != set(wanted):
        yield f"ERROR eku.value: {', '.join(found) or 'none'} instead of {', '.join(wanted)}"


def _aki(value: bytes) -> Iterator[str]:
    reader = der.Reader(der.single(value, der.SEQUENCE)[1])
    identifier = reader.optional(0x80)
    if not identifier or len(identifier) > 20:
        yield "ERROR aki.value: no keyIdentifier of 1 to 20 octets (RFC 5280 §4.2.1.1)"
    if reader:
        yield "ERROR aki.issuer: issuer and serial number tie chains to one certificate"


def _policies(value: bytes, wanted: tuple[CertificatePolicy, ...]) -> Iterator[str]:
    reader = der.Reader(der.single(value, der.SEQUENCE)[1])
    found = []
    while reader:
        policy = reader.enter(der.SEQUENCE)
        found.append(der.decode_oid(policy.content(der.OID)))
        qualifiers = policy.enter(der.SEQUENCE) if policy else None
        policy.finish()
        while qualifiers:
            qualifier = qualifiers.enter(der.SEQUENCE)
            if der.decode_oid(qualifier.content(der.OID)) not in _QUALIFIERS:
                yield "ERROR policy.qualifier: neither a CPS pointer nor a user notice"
    if sorted(found) != sorted(policy.oid for policy in wanted):
        yield f"ERROR policy.value: {', '.join(found)}"


def _name_constraints(value: bytes, wanted: NameConstraints) -> Iterator[str]:
    reader = der.Reader(der.single(value, der.SEQUENCE)[1])
    counts = [_count(reader.optional(tag)) for tag in (0xA0, 0xA1)]
    reader.finish()
    if counts != [len(wanted.permitted), len(wanted.excluded)]:
        yield f"ERROR name-constraints.value: {counts[0]} permitted, {counts[1]} excluded"


def _count(content: bytes | None) -> int:
    reader = der.Reader(content or b"")
    count = 0
    while reader:
        reader.content(der.SEQUENCE)
        count += 1
    return count


def _points(value: bytes, cdp: tuple[str, ...]) -> Iterator[str]:
    """As many URIs of our own CRLs as the profile has; cRLIssuer only where it says so."""
    points = der.Reader(der.single(value, der.SEQUENCE)[1])
    wanted, count, indirect = len(cdp) - (LISTED in cdp), 0, 0
    while points:
        point = points.enter(der.SEQUENCE)
        full_name = point.enter(0xA0).enter(0xA0)
        found = 0
        while full_name:
            yield from _uri(full_name)
            found += 1
        if point:
            point.read(0xA2)
            point.finish()
            indirect += 1
        else:
            count += found
    if count != wanted:
        yield f"ERROR cdp.value: {count} URIs where the profile has {wanted}"
    if bool(indirect) != (LISTED in cdp):
        yield "ERROR cdp.value: cRLIssuer stands where the profile does not say so, or is missing"


def _access(value: bytes, wanted: dict[str, int]) -> Iterator[str]:
    reader = der.Reader(der.single(value, der.SEQUENCE)[1])
    found = dict.fromkeys(wanted, 0)
    while reader:
        description = reader.enter(der.SEQUENCE)
        method = der.decode_oid(description.content(der.OID))
        yield from _uri(description)
        description.finish()
        found[method] = found.get(method, 0) + 1
    if found != wanted:
        yield "ERROR aia.value: not the access methods of the profile"


def _uri(reader: der.Reader) -> Iterator[str]:
    """RFC 5280 §4.2.1.13, §4.2.2.1: an absolute URI of a scheme that clients fetch."""
    url = reader.content(0x86)
    if _URL.fullmatch(url) is None:
        yield f"ERROR uri.value: {url[:80]!r} is not an absolute http or ldap URI"


def _template(value: bytes, wanted: MsTemplate) -> Iterator[str]:
    reader = der.Reader(der.single(value, der.SEQUENCE)[1])
    oid = der.decode_oid(reader.content(der.OID))
    numbers = []
    while reader:
        numbers.append(der.decode_integer(reader.content(der.INTEGER)))
    if [oid, *numbers] != [
        wanted.oid,
        wanted.major,
        *([] if wanted.minor is None else [wanted.minor]),
    ]:
        yield "ERROR ms-template.value: not the template of the profile"
