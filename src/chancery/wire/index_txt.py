"""The database of ``openssl ca``: ``index.txt`` (openssl-ca(1), crypto/txt_db).

One line a certificate, six fields between tabs: V, R or E; the end of
validity; revocation date and reason; serial in hex; file name; subject as
``/C=DE/O=Example/CN=www``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from chancery.domain.certificate import RevocationReason
from chancery.domain.errors import BadName, BadRequest
from chancery.wire import names

_LINE = re.compile(rb"[VRE]\t\d{12,14}Z\t[^\t]*\t(?:[0-9A-Fa-f]{2})+\t")
_TAB = re.compile(r"(?<!\\)\t")
_SERIAL = re.compile(r"[0-9A-Fa-f]{1,40}")
_PART = re.compile(r"(?<!\\)/(?=[A-Za-z][A-Za-z0-9]*=|[0-9.]+=)")
_ESCAPED = re.compile(r"(?:\\x[0-9A-Fa-f]{2})+")
_REASONS = {reason.name.lower(): reason for reason in RevocationReason}
_NAMED = {
    "holdinstruction": RevocationReason.certificateHold,
    "keytime": RevocationReason.keyCompromise,
    "cakeytime": RevocationReason.cACompromise,
}
"""What ``openssl ca -crl_hold`` and its like write: a reason with something after it."""
_LIFTED = "removefromcrl"


@dataclass(frozen=True, slots=True)
class IndexLine:
    """One certificate of the list.  *reason* None: it stands, or has expired."""

    line: int
    serial: str
    subject: str
    not_after: int
    revoked_at: int | None
    reason: RevocationReason | None
    invalidity_date: int | None = None


@dataclass(frozen=True, slots=True)
class Unread:
    """A line that is none, and why."""

    line: int
    error: BadRequest


def is_index(data: bytes) -> bool:
    """Whether a file begins like an index."""
    return _LINE.match(data.lstrip()) is not None


def read(data: bytes) -> Iterator[IndexLine | Unread]:
    """Every line that is not empty, in order."""
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            yield _read(number, line)
        except BadRequest as error:
            yield Unread(number, error)


def _read(number: int, line: str) -> IndexLine:
    fields = _TAB.split(line)
    if len(fields) != 6:
        raise _bad(f"{len(fields)} fields, and not six between tabs", "index.fields")
    state, ends, revoked, serial, _, subject = fields
    if state not in {"V", "R", "E"}:
        raise _bad(f"a state {state[:10]!r} that is none of V, R, E", "index.state")
    if _SERIAL.fullmatch(serial) is None:
        raise _bad(f"a serial {serial[:50]!r} that is not hexadecimal", "index.serial")
    when, reason, since = _revocation(revoked) if state == "R" else (None, None, None)
    return IndexLine(
        line=number,
        serial=serial.lower().lstrip("0") or "0",
        subject=_subject(subject),
        not_after=_time(ends),
        revoked_at=when,
        reason=reason,
        invalidity_date=since,
    )


def _revocation(field: str) -> tuple[int | None, RevocationReason | None, int | None]:
    date, _, rest = field.partition(",")
    name, _, extra = rest.partition(",")
    if name.lower() == _LIFTED:
        return None, None, None
    when = _time(date)
    if not name:
        return when, RevocationReason.unspecified, None
    reason = _REASONS.get(name.lower()) or _NAMED.get(name.lower())
    if reason is None:
        raise _bad(f"a reason {name[:40]!r} that RFC 5280 does not know", "index.reason")
    since = _time(extra) if name.lower().endswith("keytime") and extra else None
    return when, reason, since


def _time(text: str) -> int:
    """UTCTime or GeneralizedTime, as OpenSSL prints them."""
    digits = text.removesuffix("Z")
    if len(digits) == 12:  # RFC 5280 §4.1.2.5.1
        digits = ("19" if int(digits[:2] if digits.isdigit() else 0) >= 50 else "20") + digits
    try:
        if not (text.endswith("Z") and digits.isascii() and digits.isdigit() and len(digits) == 14):
            raise ValueError
        return int(datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise _bad(f"a time {text[:30]!r} that is none", "index.time") from None


def _subject(text: str) -> str:
    """RFC 4514 text where the slashes tell the parts apart, else the text as it stands."""
    plain = _ESCAPED.sub(_octets, text)
    if not plain.startswith("/"):
        return plain
    parts = _PART.split(plain)[1:]
    turned = ",".join(_escaped(part) for part in reversed(parts))
    try:
        return names.parse_text(turned).text
    except BadName:
        return plain


def _octets(match: re.Match[str]) -> str:
    return bytes.fromhex(match[0].replace("\\x", "")).decode("utf-8", "replace")


def _escaped(part: str) -> str:
    kind, _, value = part.partition("=")
    value = re.sub(r"\\([/+])", r"\1", value)  # as X509_NAME_oneline protects them
    kept = re.sub(r'([\\",+<>;#])', r"\\\1", value)
    return f"{kind}={kept}"


def _bad(what: str, rule: str) -> BadRequest:
    return BadRequest(
        f"this line has {what}",
        field="line",
        rule=rule,
        remedy="send the index.txt of `openssl ca` as it is",
    )
