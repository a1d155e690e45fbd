"""What makes a DN profile sound."""

import re
from collections.abc import Iterator
from typing import Final

from chancery.domain import name_syntax, subject
from chancery.domain.dn_profile import AttributeRule, DnProfile, ValueSource
from chancery.domain.errors import BadName, BadRequest
from chancery.domain.names import ATTRIBUTES, SHORT_NAMES, Syntax
from chancery.domain.patterns import MAX_REGEX, is_regex

_SLUG: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_MAX_ATTRIBUTES: Final = 50

# X.520 leaves DirectoryString a choice; the other attributes have one type each.
_DIRECTORY_STRING: Final = frozenset(
    {Syntax.UTF8, Syntax.PRINTABLE, Syntax.BMP, Syntax.TELETEX, Syntax.UNIVERSAL}
)

Fault = tuple[str, str, str, str]


def check_dn_profile(profile: DnProfile) -> None:
    """Raise BadRequest for the first fault of *profile*; return if it has none."""
    for fault in dn_profile_faults(profile):
        raise fault


def dn_profile_faults(profile: DnProfile) -> Iterator[BadRequest]:
    """Every fault of *profile*."""
    for field, rule, wrong, remedy in _faults(profile):
        yield BadRequest(
            f"DN profile {profile.name[:64]}: {wrong}",
            field=f"dn_profile.{field}",
            rule=f"dn-profile.{rule}",
            remedy=remedy,
        )


def _faults(profile: DnProfile) -> Iterator[Fault]:
    if _SLUG.fullmatch(profile.name) is None:
        yield "name", "name", "the name is no slug", "use lower-case letters, digits and hyphens"
    if not 1 <= len(profile.attributes) <= _MAX_ATTRIBUTES:
        remedy = f"list 1 to {_MAX_ATTRIBUTES}"
        yield "attributes", "count", "no attributes, or too many", remedy
    members: set[tuple[int, str]] = set()
    for index, rule in enumerate(profile.attributes):
        field = f"attributes[{index}]"
        for part, broken, wrong, remedy in _attribute(rule):
            yield f"{field}.{part}", broken, wrong, remedy
        if rule.rdn is not None and (rule.rdn, rule.oid) in members:
            wrong = "one attribute twice in one RDN (X.501 §9.3)"
            yield f"{field}.rdn", "rdn", wrong, "put it into an RDN of its own"
        if rule.rdn is not None:
            members.add((rule.rdn, rule.oid))


def _attribute(rule: AttributeRule) -> Iterator[Fault]:
    if not name_syntax.is_oid(rule.oid):
        yield "oid", "oid", f"{rule.oid[:80]!r} is no OID", "use a dotted OID, like 2.5.4.3"
    known = SHORT_NAMES.get(rule.oid)
    if known is not None:
        own = ATTRIBUTES[known][1]
        fitting = _DIRECTORY_STRING if own is Syntax.UTF8 else {own}
        if rule.syntax not in fitting:
            wrong = f"{known} cannot be a {rule.syntax.value}"
            yield "syntax", "syntax", wrong, "use " + " or ".join(sorted(fitting))
    if not 0 < rule.min_length <= rule.max_length <= 32_768:
        yield "max_length", "length", "the lengths contradict each other", "use 1 <= min <= max"
    if rule.regex is not None and not is_regex(rule.regex):
        wrong = "the regex does not compile or is too long"
        yield "regex", "regex", wrong, f"use a regular expression of up to {MAX_REGEX} characters"
        return
    own_value = rule.source in (ValueSource.FIXED, ValueSource.DEFAULT)
    if own_value != (rule.value is not None):
        wrong = f"a value with source {rule.source.value}" if rule.value else "no value"
        yield "value", "value", wrong, "give a value with fixed and default, and only with them"
    elif rule.value is not None:
        try:
            subject.check_value(rule, rule.value)
        except BadName as error:
            yield "value", "value", str(error), error.remedy or "choose another value"
