"""What a fitting request for a profile says: its key, its names, its subject."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.dn_profile import DnProfile, ValueSource
from chancery.domain.errors import BadKey, BadRequest, TooLarge
from chancery.domain.names import ATTRIBUTES, SHORT_NAMES, GeneralName, NameKind
from chancery.domain.profile import EKU_NAMES, ExtensionProfile, SanRule
from chancery.wire import general_names

_PREFERRED: Final = ("ec-p256", "rsa-3072", "ed25519", "ec-p384", "rsa-4096", "rsa-2048", "ec-p521")
_RSA_SIZES: Final = ("rsa-2048", "rsa-3072", "rsa-4096")
_MAX_NAMES: Final = 100
_MAX_VALUE: Final = 256  # characters
_COMMON_NAME: Final = "CN"
_EXAMPLES: Final = {
    NameKind.DNS: "www.example.org",
    NameKind.IP: "192.0.2.10",
    NameKind.EMAIL: "name@example.org",
    NameKind.URI: "https://www.example.org/",
    NameKind.UPN: "name@example.org",
}
_VALUES: Final = {
    "C": "DE",
    "DC": "example",
    "O": "Example",
    "emailAddress": "name@example.org",
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What the request is to say.  *subject*: short names or OIDs with values, in order."""

    key: KeyAlgorithm
    names: tuple[GeneralName, ...]
    subject: tuple[tuple[str, str], ...]


def key_choices(profile: ExtensionProfile) -> tuple[KeyAlgorithm, ...]:
    """The keys that a requester may make for *profile*, the most usual first."""
    allowed = set(profile.key_algorithms)
    if "rsa" in allowed:
        allowed |= set(_RSA_SIZES)
    known = [one for one in KeyAlgorithm if one.value in allowed]
    order = {name: place for place, name in enumerate(_PREFERRED)}
    return tuple(sorted(known, key=lambda one: order.get(one.value, len(order))))


def wish(
    profile: ExtensionProfile,
    dn_profile: DnProfile,
    *,
    key: str | None = None,
    names: Sequence[str] = (),
    subject: Sequence[tuple[str, str]] = (),
) -> Wish:
    """Check and complete what somebody wants; what is left open gets an example that fits."""
    chosen = tuple(dict.fromkeys(name_of(text) for text in names if text.strip()))
    if len(chosen) > _MAX_NAMES:
        raise TooLarge(f"at most {_MAX_NAMES} names", field="names", rule="recipe.names")
    chosen = chosen or _sample_names(profile)
    given = tuple((attribute, _value(attribute, value)) for attribute, value in subject if value)
    return Wish(_key(profile, key), chosen, _subject(dn_profile, given, chosen))


def _key(profile: ExtensionProfile, wanted: str | None) -> KeyAlgorithm:
    choices = key_choices(profile)
    for one in choices:
        if wanted in (None, one.value):
            return one
    raise BadKey(
        f"profile {profile.name} does not allow {str(wanted)[:40]!r} keys",
        field="key",
        rule="key.profile",
        remedy="it allows: " + ", ".join(choices),
    )


def name_of(text: str) -> GeneralName:
    """A name as people write it: ``kind:value``, or a value whose kind can be seen."""
    plain = text.strip()
    kind, colon, _ = plain.partition(":")
    if colon and kind.lower() in set(NameKind):
        return general_names.parse(plain)
    if "://" in plain:
        return general_names.parse(f"uri:{plain}")
    if "@" in plain:
        return general_names.parse(f"email:{plain}")
    try:
        return general_names.parse(f"ip:{ipaddress.ip_address(plain)}")
    except ValueError:
        return general_names.parse(f"dns:{plain}")


def _value(attribute: str, value: str) -> str:
    plain = value.strip()
    if not plain.isprintable() or len(plain) > _MAX_VALUE:
        raise BadRequest(
            f"{attribute} holds a control character, or more than {_MAX_VALUE} characters",
            field=f"subject.{attribute}",
            rule="subject.control-character",
            remedy="write it in plain text",
        )
    return plain


def _sample_names(profile: ExtensionProfile) -> tuple[GeneralName, ...]:
    """What the profile requires; for servers, a host name; else the first kind it takes."""
    from_csr = [rule for rule in profile.san if rule.from_csr]
    wanted = [rule for rule in from_csr if rule.required]
    if not wanted and EKU_NAMES["serverAuth"] in profile.extended_key_usage:
        wanted = [rule for rule in from_csr if rule.kind is NameKind.DNS]
    return tuple(GeneralName(rule.kind, _sample(rule)) for rule in wanted if rule.kind in _EXAMPLES)


def _sample(rule: SanRule) -> str:
    example = _EXAMPLES[rule.kind]
    if rule.suffixes:
        suffix = rule.suffixes[0]
        host = f"www{suffix}" if suffix.startswith(".") else suffix
        return f"name@{host}" if "@" in example else example.replace("www.example.org", host)
    if rule.networks and rule.kind is NameKind.IP:
        return str(next(ipaddress.ip_network(rule.networks[0]).hosts()))
    return example


def _subject(
    dn_profile: DnProfile, given: tuple[tuple[str, str], ...], names: tuple[GeneralName, ...]
) -> tuple[tuple[str, str], ...]:
    """The given values, and one for each attribute that must come from the CSR, in order."""
    left = list(given)
    found: list[tuple[str, str]] = []
    host = next((name.value for name in names if name.kind is NameKind.DNS), None)
    for rule in dn_profile.attributes:
        if rule.source is not ValueSource.CSR:
            continue
        name = SHORT_NAMES.get(rule.oid, rule.oid)
        mine = next((pair for pair in left if pair[0] in (name, rule.oid)), None)
        if mine is not None:
            left.remove(mine)
            found.append(mine)
        elif name == _COMMON_NAME and host is not None and len(host) <= ATTRIBUTES["CN"][2]:
            found.append((name, host.removeprefix("*.")))
        elif rule.required:
            found.append((name, _VALUES.get(name, "Example")))
    if left:
        raise BadRequest(
            f"the profile takes no {left[0][0][:40]!r} from a request",
            field=f"subject.{left[0][0][:40]}",
            rule="subject.not-in-profile",
            remedy="leave it out",
        )
    return tuple(found)
