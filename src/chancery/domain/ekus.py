"""Which extended key usages go with which key usages, and with one another."""

from collections.abc import Iterator
from typing import Final

from chancery.domain.profile import EKU_NAMES, KeyUsage

Fault = tuple[str, str, str]
"""(rule, what is wrong, remedy)."""

_SIGN, _COMMIT = KeyUsage.DIGITAL_SIGNATURE, KeyUsage.CONTENT_COMMITMENT
_ENCIPHER, _AGREE = KeyUsage.KEY_ENCIPHERMENT, KeyUsage.KEY_AGREEMENT

_CONSISTENT: Final[dict[str, frozenset[KeyUsage]]] = {
    # RFC 5280 §4.2.1.12; smart card logon after [MS-PKCA] and RFC 4556 §3.2.4.
    "serverAuth": frozenset({_SIGN, _ENCIPHER, _AGREE}),
    "clientAuth": frozenset({_SIGN, _AGREE}),
    "codeSigning": frozenset({_SIGN}),
    "emailProtection": frozenset({_SIGN, _COMMIT, _ENCIPHER, _AGREE}),
    "timeStamping": frozenset({_SIGN, _COMMIT}),
    "OCSPSigning": frozenset({_SIGN, _COMMIT}),
    "smartcardLogon": frozenset({_SIGN, _ENCIPHER, _AGREE}),
}
_NAMES: Final = {oid: name for name, oid in EKU_NAMES.items()}
_DIRECTIONS: Final = frozenset({KeyUsage.ENCIPHER_ONLY, KeyUsage.DECIPHER_ONLY})

_ALONE: Final = {
    "timeStamping": "RFC 3161 §2.3 allows no other purpose beside it",
    "OCSPSigning": "whoever speaks for the CA on revocation should do nothing else",
}
_FAMILIES: Final = (
    # Purposes whose mixture under one CA lets a flaw in one be used against another.
    frozenset({"serverAuth"}),
    frozenset({"codeSigning"}),
    frozenset({"emailProtection"}),
    frozenset({"timeStamping"}),
)


def leaf_faults(
    usages: tuple[KeyUsage, ...], oids: tuple[str, ...], *, critical: bool
) -> Iterator[Fault]:
    """Faults of an end-entity profile."""
    names = [_NAMES.get(oid, oid) for oid in oids]
    if "anyExtendedKeyUsage" in names:
        wrong = "anyExtendedKeyUsage turns a certificate for one purpose into one for all"
        yield "eku-any", wrong, "list the purposes"
    for name, why in _ALONE.items():
        if name in names and len(names) > 1:
            yield "eku-alone", f"{name} with other purposes: {why}", f"give {name} its own profile"
    if "timeStamping" in names and not critical:
        wrong = "timeStamping that is not critical (RFC 3161 §2.3)"
        yield "eku-critical", wrong, "set extended_key_usage_critical"
    if {"serverAuth", "codeSigning"} <= set(names):
        wrong = "a web server's key that signs code"
        yield "eku-mixed", wrong, "give codeSigning its own profile"
    yield from _inconsistent(usages, names)


def _inconsistent(usages: tuple[KeyUsage, ...], names: list[str]) -> Iterator[Fault]:
    """RFC 5280 §4.2.1.12: a certificate serves only purposes consistent with both extensions."""
    known = [name for name in names if name in _CONSISTENT]
    if not usages or not known:
        return
    for name in known:
        if not _CONSISTENT[name] & set(usages):
            wrong = f"no key usage is consistent with {name}"
            yield "eku-usage", wrong, "add one of " + ", ".join(sorted(_CONSISTENT[name]))
    if len(known) < len(names):
        return  # what a private purpose needs, we cannot know
    supported = frozenset[KeyUsage]().union(*(_CONSISTENT[name] for name in known)) | _DIRECTIONS
    for usage in usages:
        if usage not in supported:
            wrong = f"no extended key usage is consistent with {usage.value}"
            yield "eku-usage", wrong, f"remove {usage.value}, or add the purpose that needs it"


def authority_faults(
    usages: tuple[KeyUsage, ...],  # noqa: ARG001 - one signature for leaves and authorities
    oids: tuple[str, ...],
    *,
    critical: bool,  # noqa: ARG001
) -> Iterator[Fault]:
    """Faults of a CA profile, whose list bounds what is below it.

    A CA without a list is unbounded; anyExtendedKeyUsage says the same aloud.
    """
    names = {_NAMES.get(oid, oid) for oid in oids}
    if "anyExtendedKeyUsage" in names and len(names) > 1:
        wrong = "anyExtendedKeyUsage makes the rest of the list meaningless"
        yield "eku-any", wrong, "remove it, or the rest"
    mixed = [family for family in _FAMILIES if family & names]
    if len(mixed) > 1:
        listed = ", ".join(sorted(name for family in mixed for name in family))
        wrong = f"one CA for {listed}"
        yield "eku-mixed", wrong, "make a CA for each, or leave the list empty"
