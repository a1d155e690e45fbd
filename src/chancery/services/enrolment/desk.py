"""The one desk behind every enrolment protocol: take a request in, tell how it stands, renew."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from chancery.domain.authority import Authority
from chancery.domain.certificate import CertificateRecord, CertificateStatus, RevocationReason
from chancery.domain.door import Door, DoorProtocol
from chancery.domain.enrolment import Transaction
from chancery.domain.errors import (
    AlreadyExists,
    BadRequest,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    WrongState,
)
from chancery.domain.request import CertificateRequest, RequestKind, RequestState, Submission
from chancery.ports import Clock, Session, Store
from chancery.services import status_changes
from chancery.services.catalogue import Catalogue
from chancery.services.chains import chain_of
from chancery.services.delivery import same_names
from chancery.services.enrolment.release import KeyRelease
from chancery.services.enrolment.traffic import Traffic
from chancery.services.enrolment.transactions import Enrolment, Transactions
from chancery.services.registration import RegistrationService
from chancery.wire import pkcs10
from chancery.wire.pkcs10 import CertificationRequest

_UNDER_WAY_S: Final = 20.0
_LOOK_S: Final = 0.05
_LATE: Final = frozenset({RequestState.APPROVED})


@dataclass(frozen=True, slots=True)
class Standing:
    """How an enrolment stands.  *chain* is DER, issuer first, root last."""

    request: CertificateRequest
    certificate: CertificateRecord | None
    chain: tuple[bytes, ...]
    transaction: Transaction

    @property
    def pending(self) -> bool:
        return self.request.state in (RequestState.PENDING, RequestState.APPROVED)

    @property
    def issued(self) -> bool:
        return self.certificate is not None


class EnrolmentDesk:
    """See the module."""

    def __init__(
        self,
        store: Store,
        catalogue: Catalogue,
        registration: RegistrationService,
        transactions: Transactions,
        traffic: Traffic,
        crl: Callable[[str], bytes],
        release: KeyRelease,
        clock: Clock,
    ) -> None:
        """*crl* gives the current full CRL of an authority, DER."""
        self._store = store
        self._catalogue = catalogue
        self._registration = registration
        self._transactions = transactions
        self._traffic = traffic
        self._crl = crl
        self._release = release
        self._clock = clock

    # The door and its CA

    def door(self, protocol: DoorProtocol, label: str) -> Door:
        """The door, if it is there and open; NotFound else."""
        return self._catalogue.door(f"{protocol.value}/{label}")

    def authority(self, door: Door) -> Authority:
        """The CA that it issues from."""
        return self._catalogue.authority(
            door.authority or self._catalogue.ra(door.ra).authorities[0]
        )

    def issuers(self, door: Door) -> tuple[bytes, ...]:
        """The certificate of its CA and those above, DER, issuer first."""
        authority = self.authority(door)
        if authority.certificate is None:
            raise WrongState(
                f"{authority.name} has no certificate yet",
                field="authority",
                rule="authority.active",
            )
        if authority.parent is None:
            return (authority.certificate, *authority.chain)
        with self._store.read() as session:
            above = chain_of(session, authority.parent, authority.certificate)
        return (authority.certificate, *(link.der for link in above))

    def next_issuer(self, door: Door) -> bytes | None:
        """The certificate of its CA that will take over from the present one, if it is there."""
        authority = self.authority(door)
        now = self._clock.s()
        with self._store.read() as session:
            certificates = session.authorities.certificates(authority.name)
        coming = [one for one in certificates if one.coming and one.not_before > now]
        return max(coming, key=lambda one: one.created_at).der if coming else None

    def crl(self, door: Door) -> bytes:
        """The current full CRL of its CA, DER."""
        return self._crl(self.authority(door).name)

    def certificate(self, door: Door, serial: str) -> CertificateRecord:
        """The certificate of its CA with that serial (hex); NotFound else."""
        with self._store.read() as session:
            found = session.certificates.by_serial(serial.lower(), self.authority(door).name)
        if not found or not found[0].der:
            raise NotFound(
                f"no certificate with serial {serial[:64]}",
                field="serial",
                rule="certificate.known",
            )
        return found[0]

    # Enrolling

    def submit(self, door: Door, asked: Enrolment) -> Standing:
        """Take in what is asked, once: whoever repeats a transaction gets what came of it.

        NotPermitted if the credential is bound to another identity (it is lost
        then); any other refusal costs no use.
        """
        csr = pkcs10.decode(asked.csr) if asked.csr is not None else None
        submission = self._submission(door, asked, csr)
        transaction, known = self._transactions.find(door, asked, csr)
        if known:
            return self._certain(transaction)
        self._transactions.hold(door, asked, csr, submission.profile)
        principal = door.principal(asked.who, asked.origin)
        together = self._transactions.recording(door, asked, transaction)
        try:
            done = self._registration.take(principal, submission, transaction.request_id, together)
        except (AlreadyExists, NotAuthenticated):
            # The same came in a moment before, and has its request, and spent the credential.
            transaction, known = self._transactions.find(door, asked, csr)
            if known:
                return self._certain(transaction)
            raise
        with self._store.read() as session:
            return _standing(session, done.request, done.certificate, transaction)

    def transaction(self, door: Door, transaction_id: str) -> Transaction | None:
        """What is on record of one, without waiting for what comes of it."""
        with self._store.read() as session:
            return session.enrolments.transaction(door.name, transaction_id)

    def standing(
        self, door: Door, transaction_id: str, *, key_sha256: str | None = None
    ) -> Standing:
        """What came of a transaction; with *key_sha256* for the holder of that key alone."""
        with self._store.read() as session:
            transaction = session.enrolments.transaction(door.name, transaction_id)
        if transaction is None or key_sha256 not in (None, transaction.key_sha256):
            raise NotFound("no such transaction", field="transaction", rule="transaction.known")
        return self._certain(transaction)

    def _submission(
        self, door: Door, asked: Enrolment, csr: CertificationRequest | None
    ) -> Submission:
        if asked.renews is not None:
            return self._renewal(door, asked, asked.renews, csr)
        bound = asked.credential.binding.profile if asked.credential is not None else None
        profile = asked.profile or bound or door.profile
        if profile not in door.offered:
            raise NotPermitted(
                f"{door.name} does not offer profile {profile[:80]!r}",
                field="profile",
                rule="door.profiles",
                remedy="it offers: " + ", ".join(sorted(door.offered)),
            )
        return Submission(
            profile=profile,
            ra=door.ra,
            authority=self.authority(door).name,
            csr=asked.csr,
            server_key=asked.server_key,
            subject=asked.subject,
            names=asked.names,
            days=asked.days,
            door=door.name,
            vouched=_vouched(asked, csr),
        )

    def _renewal(
        self,
        door: Door,
        asked: Enrolment,
        record: CertificateRecord,
        csr: CertificationRequest | None,
    ) -> Submission:
        """The same subject, names and profile again, within the window where the door asks so."""
        version = self._catalogue.profile(record.profile)
        opens = record.not_after - version.profile.renewal_window_s
        if door.renew_in_window and self._clock.s() < opens:
            days = (opens - self._clock.s()) // 86_400 + 1
            raise WrongState(f"renewal opens in {days} days", field="serial", rule="renewal.window")
        with self._store.read() as session:
            original = session.requests.get(record.request_id)
        if original is None:
            raise WrongState(
                "its request is not on record here", field="serial", rule="renewal.request"
            )
        if csr is not None:
            same_names(csr, original, record)
        same_key = csr is not None and csr.key_sha256 == record.key_sha256
        ra = self._catalogue.ra(door.ra)
        kept = record.authority in ra.authorities
        return Submission(
            profile=record.profile,
            ra=door.ra,
            authority=record.authority if kept else self.authority(door).name,
            csr=asked.csr,
            server_key=asked.server_key,
            subject=asked.subject,
            names=asked.names,
            days=asked.days,
            kind=RequestKind.RENEW_SAME_KEY if same_key else RequestKind.RENEW_NEW_KEY,
            renews=record.id,
            door=door.name,
            vouched=_vouched(asked, csr),
        )

    def _found(self, transaction: Transaction) -> Standing | None:
        """How it stands; waits a while for what is being signed this moment."""
        patience = time.monotonic() + _UNDER_WAY_S
        while True:
            with self._store.read() as session:
                request = session.requests.get(transaction.request_id)
                if request is None:
                    return None
                if request.state not in _LATE or time.monotonic() > patience:
                    record = session.certificates.get(request.certificate_id or "")
                    return _standing(session, request, record, transaction)
            time.sleep(_LOOK_S)

    def _certain(self, transaction: Transaction) -> Standing:
        found = self._found(transaction)
        if found is None:
            raise NotFound(
                "the request of this transaction was deleted",
                field="transaction",
                rule="transaction.known",
                remedy="begin a new transaction",
            )
        return found

    # Whoever holds a certificate of ours

    def holder(self, door: Door, certificate: bytes) -> CertificateRecord:
        """The record of a certificate that this RA had issued and that is valid now.

        NotAuthenticated for any other; that its holder has the key is for the
        door to prove.
        """
        now = self._clock.s()
        with self._store.read() as session:
            record = session.certificates.by_hash(hashlib.sha256(certificate).hexdigest())
            request = session.requests.get(record.request_id) if record is not None else None
        if (
            record is None
            or request is None
            or request.ra != door.ra
            or record.status is not CertificateStatus.VALID
            or not record.not_before <= now <= record.not_after
        ):
            raise NotAuthenticated(
                "the certificate was not issued here, or is revoked or expired",
                field="certificate",
                rule="certificate.holder",
                remedy="enrol anew with a credential",
            )
        return record

    def revoke(
        self, door: Door, record: CertificateRecord, reason: RevocationReason, who: str, origin: str
    ) -> CertificateRecord:
        """Revoke for whoever proved, at the door, to hold the certificate or to be trusted."""
        if reason is RevocationReason.certificateHold:
            raise BadRequest(
                "a hold is not placed by this door", field="reason", rule="revocation.reason"
            )
        change = status_changes.revocation(reason, door=door.name)
        principal, now = door.principal(who, origin), self._clock.ms()

        def unit(session: Session) -> CertificateRecord:
            request = session.requests.get(record.request_id)
            if request is None or request.ra != door.ra:
                raise NotFound("no such certificate", field="serial", rule="certificate.known")
            current = session.certificates.get(record.id)
            assert current is not None
            return status_changes.apply(session, principal, current, change, now)

        return self._store.write(unit)

    def release_key(self, door: Door, standing: Standing, who: str, origin: str) -> bytes:
        """PKCS#8 (DER) of the key that was made for an enrolment, for whoever began it."""
        return self._release.run(
            door.principal(who, origin), standing.request, standing.certificate
        )

    def seen(
        self,
        door: Door,
        operation: str,
        outcome: str,
        *,
        who: str = "",
        origin: str = "",
        detail: str = "",
    ) -> None:
        """Note one message: *outcome* is ``ok``, ``pending``, or the rule that it broke."""
        self._traffic.note(door, operation, outcome, who=who, origin=origin, detail=detail)


def _vouched(asked: Enrolment, csr: CertificationRequest | None) -> str | None:
    """The CSR, as ``Submission.vouched`` names it, where somebody vouches for its key."""
    if not asked.vouched or csr is None:
        return None
    return hashlib.sha256(csr.der).hexdigest()


def _standing(
    session: Session,
    request: CertificateRequest,
    record: CertificateRecord | None,
    transaction: Transaction,
) -> Standing:
    chain: tuple[bytes, ...] = ()
    if record is not None:
        chain = tuple(link.der for link in chain_of(session, record.authority, record.der))
    return Standing(request, record, chain, transaction)
