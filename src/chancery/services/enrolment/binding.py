"""Whether a request is for whom its credential was made: all of it is compared (VU#971035)."""

import ipaddress
import re
from collections import Counter
from contextlib import suppress
from typing import Final

from chancery.domain import key_quality
from chancery.domain.enrolment import Binding
from chancery.domain.errors import BadKey, BadName, BadRequest, NotPermitted
from chancery.domain.names import Attribute, DistinguishedName, GeneralName, NameKind, Syntax
from chancery.domain.patterns import is_regex
from chancery.domain.subject import resolve
from chancery.wire.names import parse_text
from chancery.wire.pkcs10 import CertificationRequest

_HARMLESS: Final = frozenset(
    {
        "2.5.29.17",  # subjectAltName: compared
        "2.5.29.14",  # subjectKeyIdentifier, keyUsage, basicConstraints, extKeyUsage:
        "2.5.29.15",  # the profile decides, whatever is asked
        "2.5.29.19",
        "2.5.29.37",
        "1.3.6.1.4.1.311.20.2",  # a Microsoft template's name: the profile decides, too
        "1.3.6.1.4.1.311.21.7",
        "2.16.840.1.113730.1.1",  # netscape-cert-type, which old clients add by themselves
        "2.16.840.1.113730.1.13",
    }
)
"""Extensions that a CSR may ask for without getting anything by it."""


def check_binding(binding: Binding) -> None:
    """Raise BadRequest for the first fault that *binding* has by itself."""
    if binding.subject is not None:
        try:
            parse_text(binding.subject)
        except BadRequest as error:
            raise BadName(
                f"subject: {error}",
                field="subject",
                rule=error.rule or "name.syntax",
                remedy="write it like CN=device-1,O=Example",
            ) from error
    if binding.subject_pattern is not None and not is_regex(binding.subject_pattern):
        raise BadRequest(
            "the pattern is no regular expression, or too long",
            field="subject_pattern",
            rule="pattern.syntax",
            remedy="write it for the whole subject, like CN=[a-z0-9-]+,O=Example",
        )


def hold(
    binding: Binding,
    *,
    csr: CertificationRequest | None,
    subject: tuple[tuple[str, str], ...] = (),
    names: tuple[GeneralName, ...] = (),
    server_key: str | None = None,
    profile: str,
) -> None:
    """Raise NotPermitted unless what is asked for is what the credential allows, and no more.

    *subject* and *names* were given beside the CSR.  Without one, they are all
    that is asked for, and *server_key* is made here.
    """
    if binding.profile not in (None, profile):
        raise _beyond("profile", f"it is for profile {binding.profile}")
    asked = (*(csr.names if csr is not None else ()), *names)
    _hold_names(binding, asked)
    if csr is None:
        _hold_subject(binding, _given(subject))
        if binding.key_algorithms and not _made(server_key or "", binding.key_algorithms):
            raise _beyond("server_key", f"it is not for a key of kind {server_key}")
        return
    _hold_subject(binding, csr.subject)
    if binding.key_algorithms:
        try:
            key_quality.allowed(binding.key_algorithms, csr.public_key)
        except BadKey as error:
            raise _beyond("csr", str(error)) from error
    narrow = binding.subject is not None or binding.names is not None
    more = {oid for oid, _, _ in csr.extensions} - _HARMLESS
    if narrow and more:
        raise _beyond("csr", f"it asks for extension {min(more)} as well")


def _hold_subject(binding: Binding, subject: DistinguishedName) -> None:
    if binding.subject is not None and _parts(parse_text(binding.subject)) != _parts(subject):
        raise _beyond("subject", f"the request is for {subject.text[:200]!r}")
    pattern = binding.subject_pattern
    if pattern is not None and not re.fullmatch(pattern, subject.text[:1000]):
        raise _beyond("subject", f"the request is for {subject.text[:200]!r}")


def _hold_names(binding: Binding, asked: tuple[GeneralName, ...]) -> None:
    if binding.names is not None and frozenset(binding.names) != frozenset(asked):
        differing = frozenset(binding.names) ^ frozenset(asked)
        raise _beyond("names", f"it differs in {min(name.text for name in differing)[:200]}")
    if binding.name_patterns:
        for name in asked:
            if not any(_fits(name, pattern) for pattern in binding.name_patterns):
                raise _beyond("names", f"it does not cover {name.text[:200]}")


def _given(subject: tuple[tuple[str, str], ...]) -> DistinguishedName:
    """What is given beside a CSR, as if it stood in one; an unknown attribute fits nothing."""
    parts = ((resolve(name) or name, value) for name, value in subject)
    return DistinguishedName(tuple((Attribute(o, v, Syntax.UTF8),) for o, v in parts))


def _made(algorithm: str, allowed: tuple[str, ...]) -> bool:
    family = "rsa" if algorithm.startswith("rsa-") else algorithm
    return bool({algorithm, family} & set(allowed))


def _fits(name: GeneralName, pattern: str) -> bool:
    """Whether *pattern* is that name, a suffix of it that begins with a dot, or its network."""
    if name.kind is NameKind.DNS and pattern.startswith("."):
        return name.value.endswith(pattern.lower())
    if name.kind is NameKind.IP and "/" in pattern:
        with suppress(ValueError):
            return ipaddress.ip_address(name.value) in ipaddress.ip_network(pattern)
    return name.kind in (NameKind.DNS, NameKind.IP) and name.value == pattern.lower()


def _parts(name: DistinguishedName) -> Counter[tuple[str, str]]:
    """What a name says, whatever the order: the DN profile arranges it anyway."""
    return Counter((one.oid, one.value) for rdn in name.rdns for one in rdn)


def _beyond(field: str, why: str) -> NotPermitted:
    return NotPermitted(
        f"this credential is bound to another identity: {why}",
        field=field,
        rule="credential.binding",
        remedy="ask for exactly what the credential was made for, or have a new one made",
    )
