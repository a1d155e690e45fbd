"""Requests about the certificates of a ``House``, and changes of their status."""

import time
from collections.abc import Callable

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from chancery.domain.certificate import CertificateRecord, CertificateStatus, RevocationReason
from chancery.domain.identity import SYSTEM
from chancery.ports import Session
from chancery.services.audit import event
from chancery.wire import ca_certificate
from services.pki import House


def wait(true: Callable[[], bool], seconds: float = 5) -> float:
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds
        time.sleep(0.01)
    return time.monotonic() - began


def request(
    house: House, serial: str, *, ca: str = "issuing", nonce: bytes | None = None,
    digest: hashes.HashAlgorithm | None = None,
) -> bytes:  # fmt: skip
    issuer = x509.load_der_x509_certificate(house.status.authority_certificate(ca))
    digest = digest or hashes.SHA1()
    name, bits = hashes.Hash(digest), hashes.Hash(digest)
    name.update(issuer.subject.public_bytes())
    key = x509.SubjectKeyIdentifier.from_public_key(issuer.public_key()).digest
    if digest.name != "sha1":
        bits.update(ca_certificate.decode(issuer.public_bytes(Encoding.DER)).key_bits)
        key = bits.finalize()
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(
        name.finalize(), key, int(serial, 16), digest
    )
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


def change(house: House, leaf: CertificateRecord, status: CertificateStatus) -> None:
    """As the services do it: with an audit leaf in the same unit."""
    gone = status is not CertificateStatus.VALID

    def unit(session: Session) -> None:
        session.certificates.set_status(
            leaf.id, list(CertificateStatus), status,
            revoked_at=house.clock.s() if gone else None,
            reason=RevocationReason.certificateHold if gone else None,
        )  # fmt: skip
        session.audit.append([event(SYSTEM, "test", leaf.id)], house.clock.ms())

    house.store.write(unit)
