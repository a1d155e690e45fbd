"""Subject names, built by the rules of a DN profile.

The CSR's subject is only a source of values: nothing of it reaches a
certificate unless a rule asks for it.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from chancery.domain import name_syntax
from chancery.domain.dn_profile import AttributeRule, DnProfile, ValueSource
from chancery.domain.errors import BadName
from chancery.domain.names import (
    ATTRIBUTES,
    SHORT_NAMES,
    Attribute,
    DistinguishedName,
    Syntax,
)

_COUNTRY: Final = "2.5.4.6"
_EMAIL: Final = "1.2.840.113549.1.9.1"
_DOMAIN_COMPONENT: Final = "0.9.2342.19200300.100.1.25"

_ALPHABETS: Final[dict[Syntax, tuple[re.Pattern[str], str]]] = {
    Syntax.PRINTABLE: (
        re.compile(r"[A-Za-z0-9 '()+,\-./:=?]*"),
        "use letters, digits, space and '()+,-./:=? only",
    ),
    Syntax.NUMERIC: (re.compile(r"[0-9 ]*"), "use digits and spaces only"),
    Syntax.IA5: (re.compile(r"[\x20-\x7e]*"), "use ASCII only"),
    Syntax.TELETEX: (re.compile(r"[\x20-\x7e\xa0-\xff]*"), "use Latin-1 only"),
    Syntax.BMP: (re.compile(r"[\x20-\uffff]*"), "leave out characters above U+FFFF"),
}


def attribute_name(oid: str) -> str:
    """The short name people use, or the OID."""
    return SHORT_NAMES.get(oid, oid)


def resolve(name: str) -> str | None:
    """The OID of an attribute named by short name (in any case) or by OID; None if unknown."""
    if name in ATTRIBUTES:
        return ATTRIBUTES[name][0]
    if name_syntax.is_oid(name):
        return name
    return _FOLDED.get(name.lower())


_FOLDED: Final = {name.lower(): oid for name, (oid, _, _) in ATTRIBUTES.items()}


def _bad(oid: str, why: str, rule: str, remedy: str) -> BadName:
    return BadName(why, field=f"subject.{attribute_name(oid)}", rule=rule, remedy=remedy)


def check_value(rule: AttributeRule, value: str) -> None:
    """Raise BadName unless *value* may stand in an attribute made by *rule*."""
    oid, name = rule.oid, attribute_name(rule.oid)
    if not value.isprintable():
        why = f"{name} holds a control or unassigned character"
        raise _bad(oid, why, "subject.control-character", "remove it")
    if value != value.strip():
        why = f"{name} begins or ends with a space"
        raise _bad(oid, why, "subject.space", "remove the space")
    known = SHORT_NAMES.get(oid)
    longest = min(rule.max_length, ATTRIBUTES[known][2]) if known else rule.max_length
    if not rule.min_length <= len(value) <= longest:
        why = f"{name} has {len(value)} characters"
        raise _bad(oid, why, "subject.length", f"use {rule.min_length} to {longest} characters")
    alphabet = _ALPHABETS.get(rule.syntax)
    if alphabet is not None and alphabet[0].fullmatch(value) is None:
        why = f"{name} holds a character that {rule.syntax.value} cannot"
        raise _bad(oid, why, "subject.alphabet", alphabet[1])
    _check_meaning(oid, value)
    if rule.regex is not None and re.fullmatch(rule.regex, value) is None:
        why = f"{name} does not have the form its profile demands"
        raise _bad(oid, why, "subject.regex", f"it must match {rule.regex}")


def _check_meaning(oid: str, value: str) -> None:
    """Rules of the attribute itself, whatever the profile."""
    if oid == _COUNTRY and re.fullmatch(r"[A-Z]{2}", value) is None:
        why = "C is not a country code"
        raise _bad(oid, why, "subject.country", "use the two capitals of ISO 3166, like DE")
    if oid == _DOMAIN_COMPONENT and "." in value:
        raise _bad(oid, "DC holds more than one label", "subject.dc", "use one DC per label")
    try:
        if oid == _EMAIL:
            name_syntax.email(value)
        elif oid == _DOMAIN_COMPONENT:
            name_syntax.dns(f"{value}.example")
    except BadName as error:
        raise BadName(
            str(error),
            field=f"subject.{attribute_name(oid)}",
            rule=error.rule,
            remedy=error.remedy,
        ) from None


class _Values:
    """Values by attribute, handed out one by one: two OU rules take two OU values."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._left: defaultdict[str, list[str]] = defaultdict(list)
        for oid, value in pairs:
            self._left[oid].append(value)

    def take(self, oid: str) -> str | None:
        left = self._left.get(oid)
        return left.pop(0) if left else None

    def unused(self) -> Iterator[str]:
        return (oid for oid, left in self._left.items() if left)


def _resolved(given: tuple[tuple[str, str], ...]) -> Iterator[tuple[str, str]]:
    for name, value in given:
        oid = resolve(name)
        if oid is None:
            raise BadName(
                f"no attribute is called {name[:60]!r}",
                field=f"subject.{name[:60]}",
                rule="subject.unknown",
                remedy="use a short name (" + ", ".join(ATTRIBUTES) + ") or a dotted OID",
            )
        yield oid, value


def _choose(
    rule: AttributeRule, from_csr: str | None, given: str | None, *, open_to_given: bool
) -> str | None:
    """Which of the candidate values the rule takes; BadName if it must not take *given*."""
    own = from_csr if rule.source is ValueSource.CSR else rule.value
    if given is None or given == own:
        return own
    if rule.source in (ValueSource.REQUESTER, ValueSource.DEFAULT) or open_to_given:
        return given
    name = attribute_name(rule.oid)
    origin = "by its profile" if rule.source is ValueSource.FIXED else "by the CSR"
    raise _bad(
        rule.oid,
        f"{name} is set {origin} and cannot be chosen",
        f"subject.{rule.source.value}",
        f"leave subject.{name} out of the request",
    )


def build_subject(
    profile: DnProfile,
    csr_subject: DistinguishedName | None,
    given: tuple[tuple[str, str], ...],
    *,
    may_override: bool,
) -> DistinguishedName:
    """Build the subject, attributes in the profile's order.

    *csr_subject* is None where the server makes the key: then the requester
    gives what the CSR would have said.  *given* pairs short names or OIDs
    with values; one that no rule takes is an error, for the requester meant
    it.  With *may_override* a given value replaces the CSR's where the rule
    is editable.  An attribute without a value is left out, unless required.
    """
    wanted = _Values(_resolved(given))
    asked = _Values((a.oid, a.value) for rdn in (csr_subject or _EMPTY).rdns for a in rdn)
    attributes: list[tuple[int | None, Attribute]] = []
    for rule in profile.attributes:
        editable = rule.source is ValueSource.CSR and (
            csr_subject is None or (rule.editable and may_override)
        )
        value = _choose(rule, asked.take(rule.oid), wanted.take(rule.oid), open_to_given=editable)
        if value is not None:
            check_value(rule, value)
            attributes.append((rule.rdn, Attribute(rule.oid, value, rule.syntax)))
        elif rule.required:
            raise _missing(rule, server_key=csr_subject is None)
    for oid in wanted.unused():
        name = attribute_name(oid)
        raise _bad(
            oid,
            f"DN profile {profile.name} has no place for {name}, or not for so many",
            "subject.not-in-profile",
            f"leave subject.{name} out; the profile names "
            + ", ".join(dict.fromkeys(attribute_name(rule.oid) for rule in profile.attributes)),
        )
    return DistinguishedName(_grouped(attributes))


_EMPTY: Final = DistinguishedName()


def _missing(rule: AttributeRule, *, server_key: bool) -> BadName:
    name = attribute_name(rule.oid)
    in_csr = rule.source is ValueSource.CSR and not server_key
    remedy = f"put {name} into the CSR's subject" if in_csr else f"give subject.{name}"
    return _bad(rule.oid, f"{name} is missing", "subject.required", remedy)


def _grouped(
    attributes: list[tuple[int | None, Attribute]],
) -> tuple[tuple[Attribute, ...], ...]:
    """RDNs in order of their first attribute; equal rdn numbers share one."""
    rdns: list[list[Attribute]] = []
    shared: dict[int, list[Attribute]] = {}
    for number, attribute in attributes:
        if number is not None and number in shared:
            shared[number].append(attribute)
            continue
        rdns.append([attribute])
        if number is not None:
            shared[number] = rdns[-1]
    return tuple(map(tuple, rdns))
