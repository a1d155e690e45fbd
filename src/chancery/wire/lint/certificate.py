"""Compile a profile into a judge of its certificates (RFC 5280, and the profile's own promises)."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from chancery.domain.errors import BadRequest
from chancery.domain.profile import EKU_NAMES, ExtensionProfile, ProfileVersion
from chancery.wire import der
from chancery.wire.algorithms import signature_algorithm_of
from chancery.wire.lint import keys, names, values
from chancery.wire.lint.structure import Parts, extension, split

Lint = Callable[[bytes], tuple[str, ...]]

_EMPTY_NAME: Final = b"\x30\x00"
_MAX_SERIAL_OCTETS: Final = 20
_MIN_SERIAL_OCTETS: Final = 8
"""64 bits.  A random serial of 128 bits or more falls below once in 2^64 certificates."""

_MEMO: Final = 256
"""Distinct extensions remembered per profile: far more than a profile has, yet bounded."""

_SAN: Final = der.oid("2.5.29.17")[2:]
_SKI: Final = der.oid("2.5.29.14")[2:]
_KEY_USAGE: Final = der.oid("2.5.29.15")[2:]
_PER_CERTIFICATE: Final = (_SAN, _SKI)

Judged = tuple[bytes, bool, bytes, tuple[str, ...]]
"""(content of the OID, critical, value, findings) of one extension."""


def compile_lint(version: ProfileVersion) -> Lint:
    """Return a function from a DER certificate to findings, ``ERROR code: text``; none when clean.

    The function never raises and is safe for concurrent use.  The signature
    is not verified: what is linted is a twin that the real key never signed.
    """
    return _Judge(version.profile)


class _Judge:
    """One profile's expectations, and what is known of extensions seen before."""

    __slots__ = ("_expected", "_keys", "_memo", "_profile", "_required", "_san", "_tls")

    def __init__(self, profile: ExtensionProfile) -> None:
        self._profile = profile
        self._expected = values.expectations(profile)
        self._required = frozenset(oid for oid, e in self._expected.items() if e.required)
        self._keys = keys.Kinds(profile.key_algorithms, profile.key_usage)
        self._san = names.SanJudge(profile)
        self._tls = EKU_NAMES["serverAuth"] in profile.extended_key_usage
        self._memo: dict[bytes, Judged] = {}

    def __call__(self, certificate: bytes) -> tuple[str, ...]:
        try:
            return tuple(self._findings(split(certificate)))
        except BadRequest as error:
            return (f"ERROR {error.rule or 'lint.der'}: {error}",)

    def _findings(self, parts: Parts) -> list[str]:
        found: list[str] = []
        _check_frame(parts, found)
        found += _check_validity(parts.not_before, parts.not_after, self._profile.max_validity_s)
        self._check_extensions(parts, found)
        return found

    def _check_extensions(self, parts: Parts, found: list[str]) -> None:
        seen: dict[bytes, Judged] = {}
        for encoded in parts.extensions:
            judged = self._memo.get(encoded) or self._judge(encoded)
            oid = judged[0]
            if oid in seen:
                found.append(_error("extension.duplicate", f"{der.decode_oid(oid)} stands twice"))
            seen[oid] = judged
            found += judged[3]
        missing = self._required - seen.keys()
        key = self._keys.examine(parts.spki)
        found += key.findings
        if _KEY_USAGE in seen:
            found += self._keys.check_usage(key.family, seen[_KEY_USAGE][2])
        elif self._keys.demands_usage:
            found.append(_error("extension.missing", "there is no keyUsage"))
        found += [_error("extension.missing", der.decode_oid(oid)) for oid in sorted(missing)]
        if _SKI in seen:
            found += values.check_ski(seen[_SKI][2], parts.spki)
        self._check_names(parts, seen.get(_SAN), found)

    def _check_names(self, parts: Parts, san: Judged | None, found: list[str]) -> None:
        subject_is_empty = parts.subject == _EMPTY_NAME
        if san is None:
            if subject_is_empty:
                found.append(_error("subject.empty", "neither a subject nor a SAN"))
            dns: frozenset[str] = frozenset()
        else:
            if san[1] != subject_is_empty:
                found.append(
                    _error("san.critical", "a SAN is critical exactly if the subject is empty")
                )
            dns, findings = self._san.check(san[2])
            found += findings
        found += names.check_subject(parts.subject, dns if self._tls else None)

    def _judge(self, encoded: bytes) -> Judged:
        """Judge an extension that was not seen before, and remember what cannot change."""
        oid, critical, value = extension(encoded)
        expected = self._expected.get(oid)
        findings: tuple[str, ...]
        if expected is None:
            text = f"{der.decode_oid(oid)} is no part of the profile"
            findings = (_error("extension.unexpected", text),)
        else:
            findings = tuple(_judge_value(oid, expected, critical, value))
        judged = (oid, critical, value, findings)
        if oid not in _PER_CERTIFICATE and len(self._memo) < _MEMO:
            self._memo[encoded] = judged
        return judged


def _judge_value(
    oid: bytes, expected: values.Expectation, critical: bool, value: bytes
) -> Iterator[str]:
    if expected.critical is not None and critical != expected.critical:
        wanted = "critical" if expected.critical else "not critical"
        yield _error("extension.criticality", f"{der.decode_oid(oid)} must be {wanted}")
    try:
        yield from expected.check(value)
    except BadRequest as error:
        yield _error("extension.malformed", f"{der.decode_oid(oid)}: {error}")


def _check_frame(parts: Parts, found: list[str]) -> None:
    """Serial number, algorithms and issuer (RFC 5280 §4.1.2.2 to §4.1.2.4)."""
    serial = parts.serial
    if not serial or serial[0] & 0x80 or serial == b"\x00":
        found.append(_error("serial.positive", "the serial number is not positive"))
    elif len(serial) > 1 and serial[0] == 0 and serial[1] < 0x80:
        found.append(_error("serial.der", "the serial number has a superfluous zero octet"))
    if len(serial) > _MAX_SERIAL_OCTETS:
        found.append(_error("serial.long", f"the serial number has {len(serial)} octets"))
    if len(serial.lstrip(b"\x00")) < _MIN_SERIAL_OCTETS:
        found.append(_error("serial.short", "the serial number has less than 64 bits"))
    if parts.inner_algorithm != parts.outer_algorithm:
        found.append(_error("signature.algorithm", "the inner and outer algorithms differ"))
    try:
        signature_algorithm_of(parts.inner_algorithm)
    except BadRequest as error:
        found.append(_error("signature.algorithm", str(error)))
    if parts.issuer == _EMPTY_NAME:
        found.append(_error("issuer.empty", "the issuer has no name"))


@lru_cache(maxsize=64)  # what is issued in one second shares its validity
def _check_validity(
    first: tuple[int, bytes], last: tuple[int, bytes], most_s: int
) -> tuple[str, ...]:
    """RFC 5280 §4.1.2.5: form, order; and the profile's longest validity, both ends included."""
    not_before, not_after = _time(*first), _time(*last)
    if not_before is None or not_after is None:
        return (_error("validity.time", "a time is not in the form that RFC 5280 demands"),)
    lasting = int((not_after - not_before).total_seconds()) + 1
    if lasting <= 0:
        return (_error("validity.order", "the validity ends before it begins"),)
    if lasting > most_s:
        text = f"valid for {lasting} s; the profile allows {most_s} s"
        return (_error("validity.long", text),)
    return ()


def _time(tag: int, content: bytes) -> datetime | None:
    """A moment; None unless it is YYMMDDHHMMSSZ up to 2049 and YYYYMMDDHHMMSSZ from 2050 on."""
    digits = content[:-1]
    if content[-1:] != b"Z" or not digits.isdigit():
        return None
    if tag == der.UTC_TIME and len(digits) == 12:
        digits = (b"20" if digits < b"50" else b"19") + digits
    elif tag != der.GENERALIZED_TIME or len(digits) != 14 or digits < b"2050":
        return None
    n = int(digits)
    try:
        return datetime(
            n // 10**10,
            n // 10**8 % 100,
            n // 10**6 % 100,
            n // 10**4 % 100,
            n // 100 % 100,
            n % 100,
            tzinfo=UTC,
        )
    except ValueError:
        return None


def _error(code: str, text: str) -> str:
    return f"ERROR {code}: {text}"
