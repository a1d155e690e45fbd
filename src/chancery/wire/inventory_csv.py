"""Lists of certificates as CSV: whatever the columns are called, as far as they can be guessed.

Rows hold a certificate (PEM, or base64 of DER), or a serial with what else is
known of it.
"""

import base64
import binascii
import csv
import io
import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from chancery.domain.certificate import CertificateStatus, RevocationReason
from chancery.domain.errors import BadName, BadRequest
from chancery.domain.names import GeneralName, NameKind
from chancery.wire import general_names, names, pem

COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "certificate": ("certificate", "pem", "cert", "x509", "certificate pem", "der"),
    "serial": ("serial", "serial number", "serialnumber", "serial no", "seriennummer"),
    "subject": ("subject", "subject dn", "dn", "distinguished name", "subject name"),
    "common_name": ("common name", "cn", "commonname", "domain", "host"),
    "issuer": ("issuer", "issuer dn", "issuer name", "issued by", "ca"),
    "names": ("names", "san", "sans", "dns names", "subject alternative name", "dns"),
    "not_before": ("not before", "notbefore", "valid from", "issued", "issued at", "start"),
    "not_after": (
        "not after", "notafter", "valid to", "valid until", "expires", "expiry", "expires at",
        "expiry date", "expiration", "expiration date", "end",
    ),
    "status": ("status", "state"),
    "revoked_at": ("revoked at", "revocation date", "revoked", "revoked on"),
    "reason": ("reason", "revocation reason"),
}  # fmt: skip
"""What a column may hold, and what people call it."""

_SERIAL = re.compile(r"(?:0[xX])?([0-9A-Fa-f]{1,40})")
_REASONS = {reason.name.lower(): reason for reason in RevocationReason}
_STATUS = {
    CertificateStatus.VALID: {"valid", "v", "active", "issued", "good", "expired", "e", ""},
    CertificateStatus.REVOKED: {"revoked", "r"},
    CertificateStatus.HELD: {"held", "hold", "suspended", "on hold"},
}
_FORMATS: Final = (
    "%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%b %d %H:%M:%S %Y", "%d.%m.%Y",
    "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%Y%m%d%H%M%S", "%d %b %Y", "%Y/%m/%d",
)  # fmt: skip
_FIELD_LIMIT: Final = 128 * 1024  # characters of one cell


@dataclass(frozen=True, slots=True)
class InventoryRow:
    """One row.  *certificate* is DER where there is one; the rest is what the list says."""

    line: int
    certificate: bytes = b""
    serial: str = ""
    subject: str = ""
    issuer: str = ""
    names: tuple[GeneralName, ...] = ()
    not_before: int | None = None
    not_after: int | None = None
    status: CertificateStatus = CertificateStatus.VALID
    revoked_at: int | None = None
    reason: RevocationReason | None = None
    error: BadRequest | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Layout:
    """Which column of the file (counted from 0) holds what, and how serials are written."""

    columns: Mapping[str, int]
    delimiter: str
    decimal: bool = False


def layout(data: bytes, wanted: Mapping[str, str], *, decimal: bool = False) -> Layout:
    """Read the header.  *wanted* maps what a column holds to its heading, where it is no guess."""
    head = _decode(data).partition("\n")[0]
    delimiter = max(",;\t|", key=head.count)
    try:
        cells = next(csv.reader([head], delimiter=delimiter), [])
    except csv.Error as error:
        raise _bad(f"is no heading of a CSV: {error}", "csv.syntax") from error
    headings = [cell.strip() for cell in cells]
    lowered = [re.sub(r"[\s_]+", " ", heading.lower()) for heading in headings]
    found = {
        kind: lowered.index(alias)
        for kind, aliases in reversed(COLUMNS.items())
        for alias in reversed(aliases)
        if alias in lowered
    }
    for kind, heading in wanted.items():
        if kind not in COLUMNS or heading not in headings:
            what = f"a column {heading!r}" if kind in COLUMNS else f"anything called {kind!r}"
            raise BadRequest(
                f"the file has not {what[:120]}",
                field="columns",
                rule="csv.column",
                remedy="columns of the file: " + ", ".join(headings)[:300]
                if kind in COLUMNS
                else "a column holds one of: " + ", ".join(COLUMNS),
            )
        found[kind] = headings.index(heading)
    if "certificate" not in found and not {"serial", "not_after"} <= found.keys():
        raise BadRequest(
            "no column holds certificates, or serial numbers and ends of validity",
            field="columns",
            rule="csv.columns",
            remedy="say which do: serial=HEADING and not_after=HEADING, or certificate=HEADING",
        )
    return Layout(found, delimiter, decimal)


def read(data: bytes, how: Layout) -> Iterator[InventoryRow]:
    """Every row below the header; one that cannot be read carries its error."""
    csv.field_size_limit(_FIELD_LIMIT)
    reader = csv.reader(io.StringIO(_decode(data), newline=""), delimiter=how.delimiter)
    line = 1
    try:
        next(reader, None)
        line = reader.line_num + 1
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield _row(line, cells, how)
            line = reader.line_num + 1
    except csv.Error as error:
        yield InventoryRow(line, error=_bad(f"is no CSV: {error}", "csv.syntax"))


def _row(line: int, cells: list[str], how: Layout) -> InventoryRow:
    given = {kind: cells[at].strip() if at < len(cells) else "" for kind, at in how.columns.items()}
    try:
        status = _status(given.get("status", ""), given.get("revoked_at", ""))
        stands = status is CertificateStatus.VALID
        return InventoryRow(
            line=line,
            certificate=_certificate(given.get("certificate", "")),
            serial=_serial(given.get("serial", ""), decimal=how.decimal),
            subject=_subject(given),
            issuer=_name(given.get("issuer", "")),
            names=_names(given.get("names", "")),
            not_before=_time(given.get("not_before", "")),
            not_after=_time(given.get("not_after", "")),
            status=status,
            revoked_at=None if stands else _when(given.get("revoked_at", "")),
            reason=None if stands else _reason(given.get("reason", ""), status),
        )
    except BadRequest as error:
        serial, subject = given.get("serial", "")[:64], _subject(given)
        return InventoryRow(line, serial=serial, subject=subject, error=error)


def _certificate(text: str) -> bytes:
    if not text:
        return b""
    if "-----BEGIN" in text:
        return pem.decode(text.encode(), ("CERTIFICATE", "X509 CERTIFICATE"), _FIELD_LIMIT)[1]
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise _bad("has a certificate that is neither PEM nor base64", "csv.certificate") from None


def _serial(text: str, *, decimal: bool) -> str:
    if not text:
        return ""
    if decimal and text.isdecimal() and text.isascii() and len(text) <= 49:
        return f"{int(text):x}"
    found = _SERIAL.fullmatch(re.sub(r"[:\s]", "", text))
    if found is None or decimal:
        kind = "decimal" if decimal else "hexadecimal"
        raise _bad(f"has a serial {text[:50]!r} that is not {kind}", "csv.serial")
    return found[1].lower().lstrip("0") or "0"


def _subject(given: Mapping[str, str]) -> str:
    if given.get("subject"):
        return _name(given["subject"])
    common = given.get("common_name", "")
    return _name("CN=" + re.sub(r'([\\",+<>;#])', r"\\\1", common)) if common else ""


def _name(text: str) -> str:
    """RFC 4514 text in our spelling, or the text as it stands where it is none."""
    try:
        return names.parse_text(re.sub(r",\s+", ",", text)).text
    except BadName:
        return "".join(c for c in text if c.isprintable())[:1024]


def _names(text: str) -> tuple[GeneralName, ...]:
    return tuple(_general_name(part) for part in re.split(r"[,;\s]+", text) if part)


def _general_name(text: str) -> GeneralName:
    """``email:a@b``, or what it looks like; a list may hold names that we would never issue."""
    kind, colon, _ = text.partition(":")
    if not colon or kind.lower() not in set(NameKind):
        text = f"{_kind(text)}:{text}"
    try:
        return general_names.parse(text)
    except BadName:
        kind, _, value = text.partition(":")
        return GeneralName(NameKind(kind.lower()), value[:1024])


def _kind(text: str) -> NameKind:
    if "@" in text:
        return NameKind.EMAIL
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return NameKind.DNS
    return NameKind.IP


def _status(text: str, revoked_at: str) -> CertificateStatus:
    word = text.lower()
    for status, words in _STATUS.items():
        if word in words:
            return CertificateStatus.REVOKED if not word and revoked_at else status
    raise _bad(f"has a status {text[:40]!r} that is none of valid, revoked, held", "csv.status")


def _reason(text: str, status: CertificateStatus) -> RevocationReason:
    if status is CertificateStatus.HELD:
        return RevocationReason.certificateHold
    word = re.sub(r"[\s_-]", "", text.lower())
    if not word:
        return RevocationReason.unspecified
    try:
        return _REASONS[word] if not word.isdecimal() else RevocationReason(int(word))
    except (KeyError, ValueError):
        raise _bad(f"has a reason {text[:40]!r} that is no CRLReason", "csv.reason") from None


def _when(text: str) -> int | None:
    """Some lists say yes where others say when."""
    return None if text.lower() in {"", "yes", "true", "no", "false"} else _time(text)


def _time(text: str) -> int | None:
    if not text:
        return None
    if re.fullmatch(r"\d{9,11}", text):
        return int(text)
    plain = re.sub(r"\s*(?:GMT|UTC|Z)\Z", "", " ".join(text.split()))
    found: datetime | None
    try:
        found = datetime.fromisoformat(plain)
    except ValueError:
        found = next((one for one in (_parsed(plain, f) for f in _FORMATS) if one), None)
    if found is None or found.year < 1970:
        raise BadRequest(
            f"this row has a date {text[:40]!r} that cannot be read",
            field="line",
            rule="csv.date",
            remedy="write 2027-05-01, 2027-05-01T12:00:00Z, 01.05.2027 or Unix seconds",
        )
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())


def _parsed(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form).replace(tzinfo=UTC)
    except ValueError:
        return None


def _decode(data: bytes) -> str:
    """UTF-8, with or without the mark that spreadsheets write."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _bad(what: str, rule: str) -> BadRequest:
    return BadRequest(
        f"this row {what}", field="line", rule=rule, remedy="correct it, and import it again"
    )
