"""Certification authority authorization (RFC 8659), with account and method (RFC 8657).

Each name is looked up by itself and judged by a pure function: what one
answer says can never count for another.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from chancery.domain.acme import Fault, Identifier
from chancery.domain.acme_settings import AcmeSettings
from chancery.domain.errors import Unavailable
from chancery.domain.names import NameKind
from chancery.ports_acme import CaaLookup, CaaRecord

_KNOWN: Final = frozenset({"issue", "issuewild", "iodef", "issuemail", "issuevmc"})
_PARAMETER: Final = re.compile(
    r"\s*(?P<tag>[a-z0-9]+(?:-[a-z0-9]+)*)\s*=\s*(?P<value>[\x21-\x3a\x3c-\x7e]*)\s*",
    re.IGNORECASE,
)


def check(
    lookup: CaaLookup, identifier: Identifier, settings: AcmeSettings, account: str, method: str
) -> Fault | None:
    """Why *identifier* must not be certified, or nobody knows; None: it may.

    *account* is its URL, *method* the validation method's name.
    """
    if identifier.kind is not NameKind.DNS:
        return None  # RFC 8738 §7: CAA says nothing about addresses
    labels = identifier.base.split(".")
    try:
        for at in range(len(labels)):
            records = lookup.caa(".".join(labels[at:]), settings)
            if records:
                return judge(records, identifier, settings.caa_identities, account, method)
    except Unavailable as error:
        return Fault("caa", f"CAA of {identifier.base}: {error}")
    return None


def judge(
    records: Sequence[CaaRecord],
    identifier: Identifier,
    ours: Sequence[str],
    account: str,
    method: str,
) -> Fault | None:
    """Judge the relevant record set of one name (RFC 8659 §4)."""
    for record in records:
        if record.critical and record.tag not in _KNOWN:
            return Fault("caa", f"{identifier.base}: a critical property {record.tag[:40]!r}")
    wild = [record for record in records if record.tag == "issuewild"]
    plain = [record for record in records if record.tag == "issue"]
    relevant = wild if identifier.wildcard and wild else plain
    if not relevant:
        return None  # RFC 8659 §4.2: without such a property there is no restriction
    if any(_allows(record.value, ours, account, method) for record in relevant):
        return None
    return Fault("caa", f"the CAA records of {identifier.base} do not allow it")


def _allows(value: str, ours: Sequence[str], account: str, method: str) -> bool:
    issuer, _, rest = value.partition(";")
    if issuer.strip().lower() not in {one.lower() for one in ours}:
        return False
    parameters = _parameters(rest)
    if parameters is None:
        return False
    if parameters.get("accounturi", account) != account:
        return False
    methods = parameters.get("validationmethods")
    return methods is None or method in methods.split(",")


def _parameters(text: str) -> Mapping[str, str] | None:
    """The parameters; None if they are malformed or one is doubled: then nothing is allowed."""
    found: dict[str, str] = {}
    for part in text.split(";"):
        if not part.strip():
            continue
        match = _PARAMETER.fullmatch(part)
        if match is None or match["tag"].lower() in found:
            return None
        found[match["tag"].lower()] = match["value"]
    return found
