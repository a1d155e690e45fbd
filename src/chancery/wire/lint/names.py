"""Names in certificates: the SAN, and the subject's CN beside it."""

import ipaddress
import re
from collections.abc import Callable
from typing import Final

from chancery.domain.names import NameKind
from chancery.domain.profile import ExtensionProfile
from chancery.wire import der

_MAX_DNS: Final = 253  # RFC 1035 §2.3.4
_MAX_SUBJECT: Final = 8_192
_LABEL: Final = rb"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DNS: Final = re.compile(rb"(?:\*\.)?(?:" + _LABEL + rb"\.)*" + _LABEL)
_EMAIL: Final = re.compile(rb"[\x21-\x3f\x41-\x7e]{1,64}@([a-z0-9.-]{1,253})", re.IGNORECASE)
_URI: Final = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*:[\x21-\x7e]+")
_KINDS: Final = {
    0x81: NameKind.EMAIL,
    0x82: NameKind.DNS,
    0xA4: NameKind.DIRECTORY,
    0x86: NameKind.URI,
    0x87: NameKind.IP,
    0x88: NameKind.REGISTERED_ID,
}
_UPN: Final = der.oid("1.3.6.1.4.1.311.20.2.3")
_CN: Final = b"\x06\x03\x55\x04\x03"  # 2.5.4.3


class SanJudge:
    """The kinds of names a profile lets into the SAN."""

    __slots__ = ("_kinds", "_wildcards")

    def __init__(self, profile: ExtensionProfile) -> None:
        kinds = {rule.kind for rule in profile.san}
        if profile.cn_into_san:
            kinds |= {NameKind.DNS, NameKind.EMAIL}
        self._kinds = frozenset(kinds)
        self._wildcards = any(rule.wildcards for rule in profile.san if rule.kind is NameKind.DNS)

    def check(self, value: bytes) -> tuple[frozenset[str], list[str]]:
        """Return DNS names and IP addresses as text, and findings, for a SAN's DER value."""
        tag, at, end = der.header(value, 0, len(value))
        if tag != der.SEQUENCE or end != len(value):
            return frozenset(), ["ERROR san.malformed: not GeneralNames"]
        if at == end:
            return frozenset(), ["ERROR san.empty: a SAN without a name"]
        texts: list[str] = []
        found: list[str] = []
        while at < end:
            tag, start, at = der.header(value, at, end)
            content = value[start:at]
            kind = _KINDS.get(tag) or _other(tag, content)
            if kind not in self._kinds:
                found.append(f"ERROR san.kind: the profile has no rule for {kind or hex(tag)}")
            fault = self._fault(kind, content)
            if fault:
                found.append(f"ERROR san.name: {content[:80]!r}: {fault}")
            elif kind is NameKind.DNS:
                texts.append(content.decode("ascii"))
            elif kind is NameKind.IP:
                texts.append(str(ipaddress.ip_address(content)))
        return frozenset(texts), found

    def _fault(self, kind: NameKind | None, content: bytes) -> str | None:
        if kind is NameKind.DNS and content[:2] == b"*." and not self._wildcards:
            return "a wildcard, which the profile does not allow"
        fault = _FAULTS.get(kind)
        return None if fault is None else fault(content)


def _dns_fault(content: bytes) -> str | None:
    if _DNS.fullmatch(content) is None or len(content) > _MAX_DNS:
        return "not a host name in lower case (RFC 5280 §4.2.1.6)"
    return None


def _ip_fault(content: bytes) -> str | None:
    return None if len(content) in (4, 16) else "not 4 or 16 octets"


def _email_fault(content: bytes) -> str | None:
    mailbox = _EMAIL.fullmatch(content)
    if mailbox is None or _DNS.fullmatch(mailbox[1].lower()) is None:
        return "not a mailbox (RFC 5280 §4.2.1.6)"
    return None


def _uri_fault(content: bytes) -> str | None:
    return None if _URI.fullmatch(content) else "not an absolute URI"


def _directory_fault(content: bytes) -> str | None:
    return "an empty directory name" if content[:2] == b"\x30\x00" else None


def _other_fault(content: bytes) -> str | None:
    """OtherName: an OID and [0] EXPLICIT one value (RFC 5280 §4.2.1.6)."""
    oid, _, at = der.header(content, 0, len(content))
    wrapper, start, end = der.header(content, at, len(content))
    _, _, stop = der.header(content, start, end)
    if (oid, wrapper) != (der.OID, 0xA0) or not stop == end == len(content):
        return "not an OID and one value"
    return None


def _oid_fault(content: bytes) -> str | None:
    der.decode_oid(content)
    return None


_FAULTS: Final[dict[NameKind | None, Callable[[bytes], str | None]]] = {
    NameKind.DNS: _dns_fault,
    NameKind.IP: _ip_fault,
    NameKind.EMAIL: _email_fault,
    NameKind.URI: _uri_fault,
    NameKind.DIRECTORY: _directory_fault,
    NameKind.REGISTERED_ID: _oid_fault,
    NameKind.UPN: _other_fault,
    NameKind.OTHER: _other_fault,
}


def _other(tag: int, content: bytes) -> NameKind | None:
    if tag != 0xA0:
        return None
    return NameKind.UPN if content.startswith(_UPN) else NameKind.OTHER


def check_subject(subject: bytes, dns: frozenset[str] | None) -> list[str]:
    """Walk a DER Name; where *dns* is given (TLS servers), each CN must be one of these names.

    The last is Baseline Requirements §7.1.4.3; browsers read the SAN alone, and a
    CN outside it was validated by nobody.
    """
    if len(subject) > _MAX_SUBJECT:
        return [f"ERROR subject.long: a subject of {len(subject)} octets"]
    found: list[str] = []
    _, at, end = der.header(subject, 0, len(subject))
    while at < end:
        tag, member, at = der.header(subject, at, end)
        if tag != der.SET or member == at:
            return ["ERROR subject.malformed: not a sequence of sets of attributes"]
        while member < at:
            _, oid_at, member = der.header(subject, member, at)
            value_at = der.header(subject, oid_at, member)[2]
            value_tag, start, stop = der.header(subject, value_at, member)
            if start == stop:
                found.append("ERROR subject.empty-attribute: an attribute without a value")
            if dns is not None and subject[oid_at:value_at] == _CN:
                text = _text(value_tag, subject[start:stop])
                if text is None or _canonical(text) not in dns:
                    found.append(f"ERROR subject.cn: CN {text!r} is not in the SAN")
    return found


def _canonical(text: str) -> str:
    """An address as ``ipaddress`` writes it, a host name in lower case."""
    if ":" in text or text[-1:].isdigit():
        try:
            return str(ipaddress.ip_address(text))
        except ValueError:
            pass
    return text.lower()


def _text(tag: int, content: bytes) -> str | None:
    try:
        return content.decode("utf-16-be" if tag == 0x1E else "utf-8")
    except UnicodeDecodeError:
        return None
