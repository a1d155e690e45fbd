"""What each message type does: to enrol, to ask again, to fetch a certificate or a CRL."""

import hashlib
from dataclasses import dataclass

from chancery.domain.certificate import CertificateRecord
from chancery.domain.door import Door
from chancery.domain.enrolment import Credential
from chancery.domain.errors import (
    BadKey,
    BadRequest,
    CAError,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    Unavailable,
)
from chancery.ports_enrolment import DeviceManager, ManagedRequest
from chancery.protocols.scep import transactions
from chancery.protocols.scep.errors import unopened
from chancery.protocols.scep.opening import Opened
from chancery.protocols.scep.settings import ScepSettings
from chancery.services.enrolment import CredentialService, EnrolmentDesk, Standing
from chancery.services.enrolment.transactions import Enrolment
from chancery.services.issuers import decode
from chancery.wire import cms, cms_writing, pkcs10, scep
from chancery.wire.names import decode_name
from chancery.wire.pkcs10 import CertificationRequest

_SIGNER = "signer"
"""Under which a transaction keeps the hash of the key that signed its first message."""
_MANAGER = "manager"
"""Under which it keeps who validated its challenge, and is told what came of it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """*content* is a degenerate SignedData, None while people decide; *who* for the record."""

    content: bytes | None
    who: str


class Requests:
    """Does what a message asks.  Raises CAError."""

    def __init__(
        self, desk: EnrolmentDesk, credentials: CredentialService, manager: DeviceManager
    ) -> None:
        self._desk = desk
        self._credentials = credentials
        self._manager = manager

    def perform(self, door: Door, settings: ScepSettings, opened: Opened, origin: str) -> Outcome:
        match opened.kind:
            case scep.Kind.CERT_POLL:
                return self._poll(door, opened)
            case scep.Kind.GET_CERT:
                return self._certificate(door, opened)
            case scep.Kind.GET_CRL:
                return self._crl(door, opened)
            case _:
                return self._enrol(door, settings, opened, origin)

    def _enrol(self, door: Door, settings: ScepSettings, opened: Opened, origin: str) -> Outcome:
        csr = _request(opened.payload)
        renewed = self._renewed(door, settings, opened, csr)
        asked = ManagedRequest(opened.transaction, csr.der)
        managed = settings.mdm if renewed is None else ""
        credential = None
        if managed:
            self._manager.validate(managed, asked)
        elif renewed is None:
            credential = self._credential(door, settings, csr, origin)
        enrolment = Enrolment(
            who=csr.subject.text or csr.key_sha256[:16],
            origin=origin,
            transaction=transactions.begin(self._desk, door, opened.transaction, csr, renewed),
            csr=csr.der,
            credential=credential,
            renews=renewed,
            data={_SIGNER: _hash(opened.signer.spki), _MANAGER: managed},
        )
        try:
            standing = self._desk.submit(door, enrolment)
        except Unavailable:
            raise
        except CAError as error:
            if managed:
                self._manager.failed(managed, asked, str(error))
            raise
        if managed and standing.certificate is not None:
            self._manager.succeeded(managed, asked, standing.certificate)
        return _outcome(standing, enrolment.who)

    def _renewed(
        self, door: Door, settings: ScepSettings, opened: Opened, csr: CertificationRequest
    ) -> CertificateRecord | None:
        """The certificate to renew: whoever signs with one of ours renews it, whatever the type.

        Else the signer's key must be the one to be certified (RFC 8894 §2.3):
        so nobody sends another's encrypted request as their own.
        """
        try:
            record = self._desk.holder(door, opened.signer.der)
        except NotAuthenticated:
            if opened.kind is scep.Kind.RENEWAL_REQ or opened.signer.spki != csr.spki:
                raise
            return None
        if not settings.renewal:
            raise NotPermitted(
                "certificates are not renewed at this door",
                field="messageType",
                rule="scep.renewal",
                remedy="enrol anew with a one-time password",
            )
        return record

    def _credential(
        self, door: Door, settings: ScepSettings, csr: CertificationRequest, origin: str
    ) -> Credential | None:
        if not csr.challenge_password:
            if settings.without_challenge and door.approvals != 0:
                return None
            raise NotAuthenticated(
                "the request has no challenge password",
                field="challengePassword",
                rule="scep.challenge",
                remedy="have a one-time password made for this device, and give it to the client",
            )
        found = self._credentials.by_secret(door, csr.challenge_password, origin)
        if _shared(found) and not settings.shared_challenge:
            raise NotPermitted(
                "this password leaves the subject or its names open; this door takes no such ones",
                field="challengePassword",
                rule="scep.shared-challenge",
                remedy="make a one-time password for this device, with its subject and names",
            )
        return found

    def _poll(self, door: Door, opened: Opened) -> Outcome:
        """By transaction and key; what is in the envelope only repeats names (RFC 8894 §3.3.3)."""
        try:
            holds = self._desk.holder(door, opened.signer.der)
        except NotAuthenticated:  # it signs by itself until it has a certificate
            holds = None
        known = transactions.find(self._desk, door, opened.transaction, holds)
        signer = _hash(opened.signer.spki)
        if known is None or signer not in (known.key_sha256, known.data.get(_SIGNER)):
            raise NotFound("no such transaction", field="transactionID", rule="transaction.known")
        standing = self._desk.standing(door, known.id)
        manager, request = known.data.get(_MANAGER), standing.request
        if manager and standing.certificate is not None and request.csr is not None:
            asked = ManagedRequest(opened.transaction, request.csr)
            self._manager.succeeded(str(manager), asked, standing.certificate)
        return _outcome(standing, request.subject)

    def _certificate(self, door: Door, opened: Opened) -> Outcome:
        """For whoever holds one of ours: strangers do not look through what was issued."""
        holder = self._desk.holder(door, opened.signer.der)
        issuer, serial = _identified(opened.payload)
        self._demand_ours(door, issuer)
        record = self._desk.certificate(door, f"{int.from_bytes(serial, signed=True):x}")
        return Outcome(cms_writing.degenerate([record.der]), holder.subject)

    def _crl(self, door: Door, opened: Opened) -> Outcome:
        issuer, _ = _identified(opened.payload)
        self._demand_ours(door, issuer)
        crl = self._desk.crl(door)
        return Outcome(cms_writing.degenerate(crls=[crl]), _name(opened.signer))

    def _demand_ours(self, door: Door, issuer: bytes) -> None:
        if issuer != decode(self._desk.issuers(door)[0]).subject_der:
            raise NotFound("that issuer is not this door's CA", field="issuer", rule="scep.issuer")


def _request(payload: bytes) -> CertificationRequest:
    try:
        csr = pkcs10.decode(payload)
        pkcs10.check_signature(csr)
    except BadKey:
        raise
    except BadRequest as error:
        if error.rule == "pop.signature-algorithm":
            raise
        raise unopened() from None
    return csr


def _identified(payload: bytes) -> tuple[bytes, bytes]:
    try:
        return cms.read_issuer_and_serial(payload)
    except BadRequest:
        raise unopened() from None


def _shared(credential: Credential) -> bool:
    """Whether it may be used any number of times, or leaves the subject or its names open."""
    bound = credential.binding
    subject = bound.subject is not None or bound.subject_pattern is not None
    names = bound.names is not None or bool(bound.name_patterns)
    return credential.uses_left is None or not (subject and names)


def _outcome(standing: Standing, who: str) -> Outcome:
    if standing.certificate is not None:
        # The leaf alone: a client takes the first of a SET, which DER sorts.
        return Outcome(cms_writing.degenerate([standing.certificate.der]), who)
    if standing.pending:
        return Outcome(None, who)
    raise NotPermitted(
        f"the request was {standing.request.state.value}",
        field="transactionID",
        rule="request.refused",
        remedy="ask the registration authority why, and begin a new transaction",
    )


def _name(signer: cms.Certificate) -> str:
    try:
        return decode_name(signer.subject).text
    except BadRequest:
        return ""


def _hash(spki: bytes) -> str:
    return hashlib.sha256(spki).hexdigest()
