"""How each kind of general name is written, and its one canonical form.

Text in, text out; only ASCII.  ``wire.general_names.normalise`` turns
internationalised host names into A-labels before it comes here.
"""

import ipaddress
import re
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from chancery.domain.errors import BadName
from chancery.domain.names import GeneralName, NameKind

MAX_DNS: Final = 253  # RFC 1035 §2.3.4: 255 octets on the wire
MAX_EMAIL: Final = 254  # RFC 5321 §4.5.3.1.3
MAX_TEXT: Final = 4096
UPN_OID: Final = "1.3.6.1.4.1.311.20.2.3"

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# The last label must not be a number: 10.0.0.1 is no host name (RFC 1123 §2.1).
_DNS = re.compile(rf"(?:\*\.)?(?:{_LABEL}\.)*(?![0-9]+\Z){_LABEL}")
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL_PART = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_URI = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+"
)
_OID = re.compile(r"(?:[01]\.(?:[0-9]|[1-3][0-9])|2\.(?:0|[1-9][0-9]*))(?:\.(?:0|[1-9][0-9]*))*")
_CONTROL = re.compile(r"[\x00-\x20\x7f]")
_HEX = re.compile(r"(?:[0-9a-f]{2})+")


def _bad(value: str, why: str, rule: str, remedy: str) -> BadName:
    return BadName(f"{value[:100]!r}: {why}", field="names", rule=rule, remedy=remedy)


def is_oid(dotted: str) -> bool:
    """Whether *dotted* is an object identifier in dotted decimal, of sane length."""
    return len(dotted) <= 300 and _OID.fullmatch(dotted) is not None


def dns(value: str) -> str:
    """A host name in preferred name syntax (RFC 5280 §4.2.1.6), perhaps ``*.`` in front."""
    name = value.lower().removesuffix(".")
    if len(name) <= MAX_DNS and _DNS.fullmatch(name) is not None and name.isascii():
        return name
    raise _bad(value, _dns_fault(name), "name.dns-syntax", "write it like www.example.org")


_DNS_FAULTS: Final[tuple[tuple[Callable[[str], bool], str], ...]] = (
    (lambda n: not n.isascii(), "a host name outside ASCII; it must be in A-labels (xn--...)"),
    (lambda n: _CONTROL.search(n) is not None, "a host name with a space, NUL or control"),
    (lambda n: len(n) > MAX_DNS, f"a host name of more than {MAX_DNS} characters"),
    (lambda n: "" in n.split("."), "a host name with an empty label"),
    (lambda n: max(map(len, n.split("."))) > 63, "a label of more than 63 characters"),
    (lambda n: n.rpartition(".")[2].isdigit(), "no host name ends in a number; use kind ip"),
    (lambda n: "*" in n, "a wildcard anywhere but as the whole first label"),
)


def _dns_fault(name: str) -> str:
    """Why a name that failed is wrong, in words."""
    for wrong, why in _DNS_FAULTS:
        if wrong(name):
            return why
    return "a host name may hold letters, digits and inner hyphens only"


def email(value: str) -> str:
    """``local@domain``, the local part a dot-atom (RFC 5280 §4.2.1.6); kept as written."""
    local, at, domain = value.rpartition("@")
    good = at and len(value) <= MAX_EMAIL and len(local) <= 64
    if not good or _LOCAL_PART.fullmatch(local) is None or domain.startswith("*"):
        why = "not an e-mail address that an rfc822Name can hold"
        raise _bad(value, why, "name.email-syntax", "write it like alice@example.org")
    dns(domain)
    return value


def ip(value: str) -> str:
    """An IPv4 or IPv6 address, as the standard library writes it."""
    try:
        address = ipaddress.ip_address(value)
        if "%" in value:
            raise ValueError(value)
    except ValueError:
        remedy = "write it like 192.0.2.1 or 2001:db8::1"
        raise _bad(value, "not an IP address", "name.ip-syntax", remedy) from None
    return str(address)


def uri(value: str) -> str:
    """An absolute URI; one with an authority names a host (RFC 5280 §4.2.1.6)."""
    if len(value) <= MAX_TEXT and _URI.fullmatch(value) is not None:
        scheme, _, rest = value.partition(":")
        if not rest.startswith("//") or _uri_host(value):
            return f"{scheme.lower()}:{rest}"
    raise _bad(
        value, "not an absolute URI", "name.uri-syntax", "write it like https://example.org/x"
    )


def _uri_host(value: str) -> str | None:
    """The host of a URI with a proper one, else None."""
    try:
        parts = urlsplit(value)
        host = parts.hostname
        _ = parts.port  # reading it checks it
        if not host or "*" in host:
            return None
        numeric = ":" in host or host.rpartition(".")[2].isdigit()
        return ip(host) if numeric else dns(host)
    except (ValueError, BadName):
        return None


def upn(value: str) -> str:
    """A Microsoft user principal name, ``user@realm``."""
    user, at, realm = value.rpartition("@")
    if not (user and at and realm and value.isprintable() and len(value) <= 1024):
        why = "not a user principal name"
        raise _bad(value, why, "name.upn-syntax", "write it like alice@corp.example.org")
    return value


def directory(value: str) -> str:
    """RFC 4514 text; only its length is checked here."""
    if not value.strip() or len(value) > MAX_TEXT:
        remedy = "write it like CN=Alice,O=Example"
        raise _bad(value, "not a directory name", "name.directory-syntax", remedy)
    return value


def registered_id(value: str) -> str:
    """An object identifier."""
    if not is_oid(value):
        remedy = "write it like 1.2.3.4"
        raise _bad(value, "not an object identifier", "name.oid-syntax", remedy)
    return value


def other(value: str) -> str:
    """``<oid>;<hex of one DER value>``, not for what has a kind of its own."""
    oid, _, content = value.partition(";")
    content = content.lower()
    if not is_oid(oid) or _HEX.fullmatch(content) is None or len(value) > MAX_TEXT:
        why = "not an otherName"
        raise _bad(value, why, "name.other-syntax", "write <oid>;<hex of the DER value>")
    if oid == UPN_OID:
        raise _bad(value, "this otherName has its own kind", "name.other-upn", "use kind upn")
    return f"{oid};{content}"


_CANONICAL: Final[dict[NameKind, Callable[[str], str]]] = {
    NameKind.DNS: dns,
    NameKind.EMAIL: email,
    NameKind.IP: ip,
    NameKind.URI: uri,
    NameKind.UPN: upn,
    NameKind.DIRECTORY: directory,
    NameKind.REGISTERED_ID: registered_id,
    NameKind.OTHER: other,
}


def canonical(name: GeneralName) -> GeneralName:
    """The same name in its canonical form; BadName if it has none."""
    value = _CANONICAL[name.kind](name.value)
    return name if value == name.value else GeneralName(name.kind, value)


def host_of(name: GeneralName) -> str | None:
    """The lower-case domain a name stands under, for suffix rules; None if it has none."""
    match name.kind:
        case NameKind.DNS:
            return name.value  # ``*.example.org`` lies below ``.example.org``
        case NameKind.EMAIL | NameKind.UPN:
            return name.value.rpartition("@")[2].lower()
        case NameKind.URI:
            return _uri_host(name.value)
        case _:
            return None
