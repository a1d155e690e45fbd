"""Revocation through ACME (RFC 8555 §7.6): by an account, or by the certificate's own key."""

import hashlib

from chancery.domain.acme import Account, Identifier
from chancery.domain.certificate import CertificateRecord, RevocationReason
from chancery.domain.door import Door
from chancery.domain.errors import BadRequest, NotFound, NotPermitted
from chancery.domain.portal import HOLDER_REASONS
from chancery.ports import Clock, Session, Store
from chancery.services.enrolment import EnrolmentDesk
from chancery.wire.jwk import SigningKey


class AcmeRevocation:
    """See the module."""

    def __init__(self, store: Store, desk: EnrolmentDesk, clock: Clock) -> None:
        self._store = store
        self._desk = desk
        self._clock = clock

    def revoke(
        self,
        door: Door,
        certificate: bytes,
        reason: object,
        origin: str,
        *,
        account: Account | None = None,
        key: SigningKey | None = None,
    ) -> CertificateRecord:
        """Revoke for *account*, or for whoever signed with *key*; AlreadyRevoked if it is."""
        why = _reason(reason)
        with self._store.read() as session:
            record = session.certificates.by_hash(hashlib.sha256(certificate).hexdigest())
            if record is None:
                raise NotFound(
                    "this certificate was not issued here",
                    field="certificate",
                    rule="certificate.known",
                )
            if key is not None:
                allowed, who = key.key_sha256 == record.key_sha256, f"key {record.key_sha256[:16]}"
            else:
                assert account is not None  # one of both signed
                allowed, who = self._holds(session, account, record), account.who
        if not allowed:
            raise NotPermitted(
                "neither the account that ordered it nor its key signed this",
                field="certificate",
                rule="acme.revocation",
                remedy="sign with the account, or with the key of the certificate",
            )
        return self._desk.revoke(door, record, why, who, origin)

    def _holds(self, session: Session, account: Account, record: CertificateRecord) -> bool:
        """Who ordered it, or is authorized for each of its names."""
        order = session.acme.order_of_certificate(record.id)
        if order is not None and order.account == account.id:
            return True
        names = {Identifier(name.kind, name.value) for name in record.names}
        found = session.acme.valid_authorizations(account.id, tuple(names), self._clock.s())
        return bool(names) and {one.identifier for one in found} == names


def _reason(given: object) -> RevocationReason:
    if given is None:
        return RevocationReason.unspecified
    if type(given) is int:
        for reason in HOLDER_REASONS:
            if reason.value == given:
                return reason
    listed = ", ".join(f"{one.value} ({one.name})" for one in HOLDER_REASONS)
    raise BadRequest(
        f"the reason {str(given)[:40]!r} is not one that a holder may give",
        field="reason",
        rule="acme.reason",
        remedy=f"one of: {listed}",
    )
