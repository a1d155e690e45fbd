"""What people type, read once and in one way: serials, names, subjects, reasons, instants."""

import ipaddress
import re
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from chancery.domain.errors import BadRequest

ReasonName = Literal[
    "unspecified",
    "keyCompromise",
    "cACompromise",
    "affiliationChanged",
    "superseded",
    "cessationOfOperation",
    "certificateHold",
    "privilegeWithdrawn",
    "aACompromise",
    "hold",
]
"""CRLReason of RFC 5280 §5.3.1; ``hold`` is short for ``certificateHold``."""

Id = Annotated[str, Parameter(help="Request id, as `request submit` prints it.")]
Serial = Annotated[str, Parameter(help="Serial number in hex: any case, 0x and colons allowed.")]
AT_LEAST_ONE: Final = Number(gte=1)
NOT_NEGATIVE: Final = Number(gte=0)
Limit = Annotated[
    int, Parameter(validator=AT_LEAST_ONE, help="Show at most this many, newest first.")
]
Time = Annotated[
    str | None,
    Parameter(
        allow_leading_hyphen=True,  # -7d is a time and not an option
        help="7 days ago: -7d; ahead: 7d; 2026-05-01 or 2026-05-01T12:00:00Z.",
    ),
]
All = Annotated[bool, Parameter(name="--all", help="Show all, however many pages it takes.")]
Days = Annotated[
    int | None, Parameter(validator=AT_LEAST_ONE, help="Shorten the validity to so many days.")
]
Texts = tuple[str, ...]
Permitted = Annotated[Texts, Parameter(help="Name it may use: dns:example.org; repeatable.")]
Excluded = Annotated[Texts, Parameter(help="Name it may not use; repeatable.")]

_MAX_SERIAL_OCTETS: Final = 20  # RFC 5280 §4.1.2.2
_SERIAL: Final = re.compile(r"(?:0[xX])?([0-9A-Fa-f]+)")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_DAYS_AHEAD: Final = re.compile(r"([+-]?\d{1,6})d")
_KINDS: Final = ("dns", "email", "ip", "uri", "upn", "directory", "registered-id", "other")


def serial(text: str) -> str:
    """``0x00:AB:cd`` -> ``abcd``: lower-case hex without leading zeros."""
    match = _SERIAL.fullmatch(re.sub(r"[:\s]", "", text))
    digits = (match[1].lower().lstrip("0") or "0") if match else ""
    if not digits or len(digits) > 2 * _MAX_SERIAL_OCTETS:
        raise BadRequest(
            f"{text!r} is not a serial number",
            field="serial",
            remedy="give at most 40 hex digits, as `certificate list` shows them",
        )
    return digits


def sha256(text: str, field: str) -> str:
    """Return a SHA-256 value in lower-case hex without colons, as the server compares it."""
    digits = re.sub(r"[:\s]", "", text).lower()
    if not _SHA256.fullmatch(digits):
        raise BadRequest(
            f"{text!r} is not a SHA-256 value",
            field=field,
            rule="sha256",
            remedy="give all 64 hex digits, as `show` prints them",
        )
    return digits


def names(given: Texts) -> list[str]:
    """Split ``a,b`` and say of each what kind of name it is, where the caller did not."""
    return [_kinded(one.strip()) for text in given for one in text.split(",") if one.strip()]


def _kinded(name: str) -> str:
    kind, colon, _ = name.partition(":")
    if colon and kind in _KINDS:
        return name
    if "://" in name:
        return f"uri:{name}"
    if "@" in name:
        return f"email:{name}"
    try:
        return f"ip:{ipaddress.ip_address(name)}"
    except ValueError:
        pass
    if colon:  # no host name has one: a kind that is not known, or a port
        raise BadRequest(
            f"{name!r} is no kind of name",
            field="--names",
            rule="name.kind",
            remedy=f"write KIND:VALUE, KIND being one of {', '.join(_KINDS)}",
        )
    return f"dns:{name}"


def subject(given: Texts) -> dict[str, str | list[str]]:
    """``("CN=a,OU=b", "OU=c")`` -> attributes, a list where one is repeated.

    A backslash keeps the comma after it.
    """
    found: dict[str, str | list[str]] = {}
    for text in given:
        for part in re.split(r"(?<!\\),", text):
            attribute, equals, value = (piece.strip() for piece in part.partition("="))
            if not equals or not attribute:
                raise BadRequest(
                    f"{part.strip()!r} is not ATTRIBUTE=VALUE",
                    field="--subject",
                    remedy="write CN=www.example.org,O=Example; a comma in a value as \\,",
                )
            plain = re.sub(r"\\(.)", r"\1", value)
            match found.get(attribute):
                case None:
                    found[attribute] = plain
                case str() as first:
                    found[attribute] = [first, plain]
                case several:
                    several.append(plain)
    return found


def extensions(given: Texts) -> dict[str, str]:
    """``("1.2.3=0500",)`` -> OID to hex of the DER value."""
    found: dict[str, str] = {}
    for text in given:
        oid, equals, value = text.partition("=")
        if not equals or not re.fullmatch(r"\d+(\.\d+)+", oid) or not _is_hex(value):
            raise BadRequest(
                f"{text!r} is not OID=HEX", field="--extension", remedy="write 1.2.3.4=0403616263"
            )
        found[oid] = value.lower()
    return found


def _is_hex(text: str) -> bool:
    return len(text) % 2 == 0 and re.fullmatch(r"[0-9A-Fa-f]+", text) is not None


def when(text: str | None, now: float, field: str) -> int | None:
    """``30d``, ``-7d``, ``2026-05-01``, ``2026-05-01T12:00:00Z``, Unix seconds: all as the last."""
    if text is None:
        return None
    if match := _DAYS_AHEAD.fullmatch(text):
        return int(now) + int(match[1]) * 86_400
    if text.isdecimal() and len(text) > len("20260501"):
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadRequest(
            f"{text!r} is not a time",
            field=field,
            remedy="write -7d (7 days ago), 30d (ahead), 2026-05-01, or 2026-05-01T12:00:00Z",
        ) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
