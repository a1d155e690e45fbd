"""Outputs, read back before they are let out: what was planned is what was signed."""

from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_der_public_key

from chancery.domain.errors import LintFailed
from chancery.wire import pem
from chancery.wire.ca_certificate import CaCertificate


def verify(
    made: CaCertificate, issuer: CaCertificate, subject: str, path_length: int | None
) -> list[str]:
    """Read back, what was asked for is what was signed; LintFailed otherwise."""
    if not made.signed_by(issuer):
        raise wrong(f"the signature of {issuer.subject.text} does not verify")
    if made.subject.text != subject:
        raise wrong(f"its subject is {made.subject.text}")
    if not made.is_ca or made.path_length != path_length:
        raise wrong(f"its path length is {made.path_length}, not {path_length}")
    if made.not_after > issuer.not_after:
        raise wrong("it outlives its issuer")
    return [f"signed by {issuer.subject.text}", "subject, path length and validity as planned"]


def wrong(why: str) -> LintFailed:
    return LintFailed(why, rule="ceremony.verify", remedy="nothing was let out")


def told(made: CaCertificate) -> dict[str, Any]:
    return {
        "subject": made.subject.text,
        "serial": made.serial,
        "sha256": made.sha256,
        "not_after": made.not_after,
    }


def as_pem(der: bytes) -> bytes:
    return pem.encode("CERTIFICATE", der).encode()


def verify_crl(der: bytes, issuer: CaCertificate, revoked: Sequence[str]) -> None:
    """Judged by another reader than the one that wrote it.  LintFailed."""
    read = x509.load_der_x509_crl(der)
    key = load_der_public_key(issuer.spki)
    if not read.is_signature_valid(key):  # type: ignore[arg-type]
        raise wrong("the CRL's signature does not verify")
    for serial in revoked:
        if read.get_revoked_certificate_by_serial_number(int(serial, 16)) is None:
            raise wrong(f"the CRL does not list {serial}")
