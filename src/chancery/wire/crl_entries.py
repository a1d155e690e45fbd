"""Entries of CRLs (RFC 5280 §5.3), encoded one by one and kept so: a list joins them as they are.

A builder that models every entry takes 12 s for a million of them; joining
their encodings takes a fraction of one.
"""

import time as clock
from functools import lru_cache
from typing import Final

from chancery.domain.certificate import RevocationReason, RevokedEntry
from chancery.wire import der

_REASON_CODE: Final = der.oid("2.5.29.21")
_INVALIDITY_DATE: Final = der.oid("2.5.29.24")
_CERTIFICATE_ISSUER: Final = der.oid("2.5.29.29")
_CRITICAL: Final = der.boolean(value=True)
_REMOVE: Final = 8  # removeFromCRL: only deltas say it, and no record has it


@lru_cache(maxsize=4096)
def generalized_time(unix_seconds: int) -> bytes:
    """GeneralizedTime without fraction, also before 2050: what status formats want."""
    text = clock.strftime("%Y%m%d%H%M%SZ", clock.gmtime(unix_seconds))
    return der.tlv(der.GENERALIZED_TIME, text.encode())


def _reason_extension(code: int) -> bytes:
    """reasonCode (§5.3.1), an ENUMERATED.  ``unspecified`` is said by leaving it out."""
    return der.sequence(_REASON_CODE, der.octet_string(der.tlv(der.ENUMERATED, bytes([code]))))


_REASONS: Final[dict[RevocationReason, bytes]] = {
    reason: b"" if reason is RevocationReason.unspecified else _reason_extension(reason.value)
    for reason in RevocationReason
}
_REASON_ONLY: Final[dict[RevocationReason, bytes]] = {
    reason: der.sequence(extension) if extension else b"" for reason, extension in _REASONS.items()
}
_REMOVE_ONLY: Final = der.sequence(_reason_extension(_REMOVE))


def _serial(text: str) -> bytes:
    """A serial number in hex as a DER INTEGER, without going through a Python integer."""
    content = bytes.fromhex(text if len(text) % 2 == 0 else "0" + text)
    if content[0] & 0x80:
        content = b"\x00" + content
    return b"\x02" + bytes([len(content)]) + content


def entry(revoked: RevokedEntry) -> bytes:
    """Encode one revokedCertificates element.

    reasonCode is omitted for ``unspecified``; invalidityDate is always a
    GeneralizedTime (§5.3.2).
    """
    serial_and_date = _serial(revoked.serial) + der.time(revoked.revoked_at)
    if revoked.invalidity_date is None:
        return der.tlv(0x30, serial_and_date + _REASON_ONLY[revoked.reason])
    date = der.octet_string(generalized_time(revoked.invalidity_date))
    extensions = _REASONS[revoked.reason] + der.sequence(_INVALIDITY_DATE, date)
    return der.tlv(0x30, serial_and_date + der.tlv(0x30, extensions))


def removal(serial: str, held_at: int) -> bytes:
    """An entry of a delta that takes a hold back (removeFromCRL, §5.3.1)."""
    return der.tlv(0x30, _serial(serial) + der.time(held_at) + _REMOVE_ONLY)


def issued_by(encoded: bytes, issuer: bytes) -> bytes:
    """*encoded* with a certificateIssuer (§5.3.3): what follows it in the list inherits that.

    *issuer* is a DER Name.  Critical: who does not know it must not guess.
    """
    reader = der.Reader(encoded).enter(der.SEQUENCE)
    serial, date = reader.read(der.INTEGER)[2], reader.read()[2]
    extensions = reader.optional(der.SEQUENCE) or b""
    names = der.sequence(der.tlv(0xA4, issuer))
    extensions += der.sequence(_CERTIFICATE_ISSUER, _CRITICAL, der.octet_string(names))
    return der.sequence(serial, date, der.sequence(extensions))
