"""Certificates that the service makes for itself: how they are ordered, and put on record."""

import hashlib

from chancery.domain.algorithms import SignatureAlgorithm
from chancery.domain.certificate import CertificateRecord, Intent
from chancery.domain.identity import SYSTEM
from chancery.domain.keys import CertificateOrder
from chancery.services.issuers import decode


def order_of(intent: Intent, algorithm: SignatureAlgorithm) -> CertificateOrder:
    """What the signer is asked for *intent*, once that is on record."""
    return CertificateOrder(
        key_id=intent.key_id,
        algorithm=algorithm,
        tbs=intent.tbs,
        intent_id=intent.id,
        serial=intent.serial,
        tbs_sha256=intent.content_sha256,
    )


def own_record(intent: Intent, der: bytes, profile: str) -> CertificateRecord:
    """The row for a certificate of that profile just signed; nobody requested it."""
    decoded = decode(der)
    return CertificateRecord(
        id=intent.id,
        authority=intent.authority,
        serial=intent.serial,
        subject=decoded.subject.text,
        names=(),
        not_before=decoded.not_before,
        not_after=decoded.not_after,
        key_sha256=hashlib.sha256(decoded.spki).hexdigest(),
        sha256=decoded.sha256,
        profile=profile,
        profile_sha256=intent.profile_sha256,
        request_id=intent.request_id,
        requester=SYSTEM.name,
        der=der,
        issued_at=intent.created_at,
    )
