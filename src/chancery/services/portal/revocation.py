"""Revocation by who holds the key: it takes effect at once.

The key is proof enough: whoever can sign with it may end its certificate, and
where it was stolen nobody should have to wait (Baseline Requirements §4.9.1.1
gives the CA 24 hours; this takes seconds).
"""

import hashlib
from base64 import b32encode
from datetime import UTC, datetime
from typing import Final

from chancery.domain.certificate import CertificateRecord, CertificateStatus, RevocationReason
from chancery.domain.errors import AlreadyRevoked, BadRequest, NotFound, WrongState
from chancery.domain.identity import Principal
from chancery.domain.portal import HOLDER_REASONS, RevocationChallenge
from chancery.ports import Clock, Entropy, Session, Store
from chancery.services.certificates import one
from chancery.services.confinement import certificate_within
from chancery.services.portal.admission import Admission
from chancery.services.status_changes import apply, revocation
from chancery.wire import pem, statement

_MAX_CERTIFICATE: Final = 65_536
_MAX_LINE: Final = 400  # characters


class HolderRevocationService:
    """See the module."""

    def __init__(self, store: Store, clock: Clock, entropy: Entropy, admission: Admission) -> None:
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._admission = admission

    def challenge(
        self,
        principal: Principal,
        reason: RevocationReason,
        *,
        certificate: bytes | None = None,
        serial: str | None = None,
        authority: str | None = None,
    ) -> RevocationChallenge:
        """Return the line to sign for revoking one certificate: given itself, or by its serial."""
        self._admission.looks(principal)
        check_reason(reason)
        now = self._clock.s()
        nonce = b32encode(self._entropy(15)).decode().lower()

        def unit(session: Session) -> RevocationChallenge:
            session.portal.drop_challenges(now)
            record = _named(session, principal, certificate, serial, authority)
            refuse_over(record, now)
            expires_at = now + self._admission.policy.challenge_s
            until = datetime.fromtimestamp(expires_at, UTC)
            line = (
                f"revoke {record.authority}/{record.serial} for {reason.name}"
                f" until {until:%Y-%m-%dT%H:%M:%SZ} {nonce}"
            )
            made = RevocationChallenge(line, record.id, reason, expires_at)
            session.portal.add_challenge(made)
            return made

        return self._store.write(unit)

    def prove(self, principal: Principal, line: str, signature: bytes) -> CertificateRecord:
        """Revoke at once, if *signature* is by the certificate's key over a challenge's *line*.

        A line counts once; after a wrong signature it can be tried again.
        """
        self._admission.looks(principal)
        if len(line) > _MAX_LINE:
            raise _no_challenge()
        now = self._clock.ms()

        def unit(session: Session) -> CertificateRecord:
            challenge = session.portal.take_challenge(line.strip())
            if challenge is None or challenge.expires_at <= now // 1000:
                raise _no_challenge()
            record = session.certificates.get(challenge.certificate_id)
            assert record is not None  # the challenge goes with its certificate
            if not certificate_within(session, principal, record):
                raise _no_challenge()
            if not statement.signed(record.der, challenge.text, signature):
                raise BadRequest(
                    "the signature is not by the key of this certificate, or over another text",
                    field="signature",
                    rule="revocation.signature",
                    remedy="copy the command as it stands, and name the file of the private key",
                )
            change = revocation(challenge.reason, proof="key", statement=challenge.text)
            return apply(session, principal, record, change, now)

        return self._store.write(unit)


def _named(
    session: Session,
    principal: Principal,
    certificate: bytes | None,
    serial: str | None,
    authority: str | None,
) -> CertificateRecord:
    if (certificate is None) == (serial is None):
        raise BadRequest(
            "give the certificate, or its serial number",
            field="certificate",
            rule="revocation.one-certificate",
        )
    if serial is not None:
        return one(session, serial, authority, principal)
    assert certificate is not None
    record = session.certificates.by_hash(_sha256(certificate))
    if record is None or not certificate_within(session, principal, record):
        raise NotFound(
            "this certificate was not issued here",
            field="certificate",
            rule="certificate.known",
            remedy="look at its issuer: that is who can revoke it",
        )
    return record


def _sha256(certificate: bytes) -> str:
    if pem.is_der(certificate):
        return hashlib.sha256(certificate).hexdigest()
    _, first = pem.decode_all(certificate, ("CERTIFICATE",), _MAX_CERTIFICATE)[0]
    return hashlib.sha256(first).hexdigest()


def check_reason(reason: RevocationReason) -> None:
    if reason not in HOLDER_REASONS:
        raise BadRequest(
            f"{reason.name} is not a holder's reason",
            field="reason",
            rule="revocation.reason",
            remedy="one of: " + ", ".join(one.name for one in HOLDER_REASONS),
        )


def refuse_over(record: CertificateRecord, now: int) -> None:
    if record.status is CertificateStatus.REVOKED:
        raise AlreadyRevoked(
            "this certificate is revoked already", field="certificate", rule="certificate.valid"
        )
    if record.not_after < now:
        raise WrongState(
            "this certificate has expired: nobody accepts it any more",
            field="certificate",
            rule="certificate.valid",
        )


def _no_challenge() -> NotFound:
    return NotFound(
        "this text was not given out here, is too old, or was used before",
        field="line",
        rule="revocation.challenge",
        remedy="begin again: a new text takes a moment",
    )
