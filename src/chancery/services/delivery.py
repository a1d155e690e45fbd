"""Handing over what was issued, and renewing it."""

from dataclasses import replace
from typing import Final

from chancery.domain.certificate import CertificateRecord, CertificateStatus
from chancery.domain.errors import BadRequest, Conflict, NotPermitted, WrongState
from chancery.domain.identity import AuthMethod, Permission, Principal
from chancery.domain.request import CertificateRequest, RequestKind, RequestState, Submission
from chancery.ports import (
    CertificateFilter,
    Clock,
    KeyVault,
    Page,
    RequestFilter,
    Session,
    Store,
)
from chancery.services.access import demand_within
from chancery.services.audit import event
from chancery.services.catalogue import Catalogue
from chancery.services.certificates import one
from chancery.services.chains import chain_of
from chancery.services.downloads import Download, render, stem
from chancery.services.portal import pickup
from chancery.services.portal.admission import Admission
from chancery.services.preparation import submission_of
from chancery.services.registration import RegistrationService
from chancery.services.rehearsal import Submitted
from chancery.services.request_access import visible
from chancery.wire import pkcs10
from chancery.wire.pkcs10 import CertificationRequest

_MIN_PASSPHRASE: Final = 12
"""docs/divergences/rfc7292.md tells why not fewer."""
_SUCCESSORS: Final = 1000
"""How many of a subject's certificates are looked through for a successor, newest first."""


class DeliveryService:
    """See the module."""

    def __init__(
        self,
        store: Store,
        vault: KeyVault,
        catalogue: Catalogue,
        registration: RegistrationService,
        clock: Clock,
        admission: Admission,
    ) -> None:
        self._store = store
        self._admission = admission
        self._vault = vault
        self._catalogue = catalogue
        self._registration = registration
        self._clock = clock

    def download(
        self,
        principal: Principal,
        request_id: str,
        form: str,
        code: str | None = None,
        passphrase: str | None = None,
    ) -> Download:
        """The certificate of an issued request; ``p12`` too, for a key that was made here.

        Each PKCS#12 that leaves is on record.  With a code alone it leaves for
        a while after the first time (``portal.pickup``), and then no more.
        """
        with self._admission.guess(principal, code), self._store.read() as session:
            request = visible(session, principal, request_id, code)
            record = _issued(session, request)
            links = chain_of(session, record.authority, record.der)
        chain = tuple(link.der for link in links)
        name = request.subject or request.serial
        if form != "p12":
            return render(record.der, chain, form, name)
        return self._pkcs12(principal, request, record, chain, code, passphrase)

    def _pkcs12(
        self,
        principal: Principal,
        request: CertificateRequest,
        record: CertificateRecord,
        chain: tuple[bytes, ...],
        code: str | None,
        passphrase: str | None,
    ) -> Download:
        """Only the requester gets a private key: reading all requests is not enough."""
        if code is None and (
            principal.method is AuthMethod.NONE or principal.name != request.requester
        ):
            raise NotPermitted(
                "only the requester gets the private key", field="format", rule="request.owner"
            )
        if request.server_key_id is None:
            raise BadRequest(
                "the key of this request was not made here, so there is no PKCS#12",
                field="format",
                rule="download.server-key",
                remedy="download pem or chain and pair it with your own key",
            )
        if passphrase is None or len(passphrase) < _MIN_PASSPHRASE:
            raise BadRequest(
                f"a passphrase of at least {_MIN_PASSPHRASE} characters protects the file",
                field="passphrase",
                rule="pkcs12.passphrase",
                remedy="use several random words: whoever has the file may try any number",
            )
        now, window_s = self._clock.ms(), self._admission.policy.key_window_s
        by_code = principal.method is AuthMethod.NONE
        if by_code:
            with self._store.read() as session:
                pickup.refuse_late(session, request, now // 1000, window_s)
        data = self._vault.export_pkcs12(request.server_key_id, record.der, chain, passphrase)
        exported = event(principal, "key.exported", request.id, key=request.key_sha256)

        def unit(session: Session) -> None:
            if by_code:
                pickup.refuse_late(session, request, now // 1000, window_s)
                session.portal.picked_up(request.id, now // 1000)
            session.audit.append([exported], now)

        self._store.write(unit)
        base = stem(request.subject or request.serial)
        return Download(data, "application/x-pkcs12", f"{base}.p12")

    def has_key(self, principal: Principal, record: CertificateRecord) -> bool:
        """Whether the key was made here, so that *principal* can fetch a PKCS#12."""
        if principal.method is AuthMethod.NONE or record.requester != principal.name:
            return False
        with self._store.read() as session:
            request = session.requests.get(record.request_id)
        return request is not None and request.server_key_id is not None

    def renew(
        self,
        principal: Principal,
        serial: str,
        authority: str | None = None,
        csr: bytes | None = None,
        *,
        server_key: bool = False,
    ) -> Submitted:
        """Ask for the successor of a certificate: the same key, or that of a new *csr*.

        Of a key that was made here, with *server_key*, another of its kind.

        The renewal is a request like any other: the whole policy applies
        again, as it stands today (incident I13).
        """
        record, original = self.renewable(principal, serial, authority)
        if csr is not None:
            same_names(pkcs10.decode(csr), original, record)
        return self._registration.submit(
            principal, _renewal(original, record, csr, server_key=server_key)
        )

    def renewable(
        self, principal: Principal, serial: str, authority: str | None = None
    ) -> tuple[CertificateRecord, CertificateRequest]:
        """The certificate, and the request it came from; raises why it is not renewed now."""
        demand_within(principal, Permission.REQUEST_SUBMIT)
        with self._store.read() as session:
            record = one(session, serial, authority, principal)
        if record.requester != principal.name:
            raise NotPermitted(
                "only its requester renews a certificate", field="serial", rule="request.owner"
            )
        if record.status is not CertificateStatus.VALID:
            raise WrongState(
                f"the certificate is {record.status.value}", field="serial", rule="renewal.valid"
            )
        self._in_window(record)
        with self._store.read() as session:
            original = session.requests.get(record.request_id)
            successor = _successor_of(session, record)
        if successor is not None:
            raise Conflict(
                f"it has been renewed already: {successor}",
                field="serial",
                rule="renewal.once",
                remedy="renew that one, or submit a new request",
            )
        if original is None:
            raise WrongState(
                "its request is not on record here", field="serial", rule="renewal.request"
            )
        return record, original

    def _in_window(self, record: CertificateRecord) -> None:
        window = self._catalogue.profile(record.profile).profile.renewal_window_s
        opens = record.not_after - window
        if self._clock.s() < opens:
            days = (opens - self._clock.s()) // 86_400 + 1
            raise WrongState(
                f"renewal opens in {days} days",
                field="serial",
                rule="renewal.window",
                remedy="submit a new request if you need another certificate now",
            )


def _successor_of(session: Session, record: CertificateRecord) -> str | None:
    """Serial of the valid certificate, or id of the undecided request, that renews *record*.

    Two renewals at the same moment do not see each other; the audit log has both.
    """
    where = CertificateFilter(authority=record.authority, subject=record.subject)
    if record.names:
        where = CertificateFilter(authority=record.authority, name=record.names[0].text)
    for other in session.certificates.find(where, Page(limit=_SUCCESSORS)):
        if other.renewed_from == record.id and other.status is CertificateStatus.VALID:
            return f"serial {other.serial}"
    waiting = RequestFilter(RequestState.PENDING, requester=record.requester)
    for request in session.requests.find(waiting, Page(limit=_SUCCESSORS)):
        if request.renews == record.id:
            return f"request {request.id}"
    return None


def same_names(
    csr: CertificationRequest, original: CertificateRequest, record: CertificateRecord
) -> None:
    """Refuse a CSR that asks for more or less than the certificate that it renews holds."""
    before = pkcs10.decode(original.csr) if original.csr is not None else None
    asked = set(csr.names)
    changed = asked - set(record.names)
    if before is not None:
        changed |= (set(before.names) & set(record.names)) - asked
    if changed:
        raise BadRequest(
            "the CSR and the certificate differ in: "
            + ", ".join(sorted(name.text for name in changed))[:200],
            field="csr",
            rule="renewal.names",
            remedy="put the names of the certificate into the CSR, or submit a new request",
        )
    subjects = {record.subject, before.subject.text if before is not None else ""}
    if csr.subject.text not in subjects:
        raise BadRequest(
            f"the CSR is for {csr.subject.text[:200]!r}, the certificate for {record.subject!r}",
            field="csr",
            rule="renewal.subject",
            remedy="put the subject of the certificate into the CSR, or submit a new request",
        )


def _renewal(
    original: CertificateRequest,
    record: CertificateRecord,
    csr: bytes | None,
    *,
    server_key: bool,
) -> Submission:
    first = submission_of(original)
    if server_key and (csr is not None or first.server_key is None):
        raise BadRequest(
            "only a key that was made here is followed by another one made here",
            field="server_key",
            rule="renewal.key",
            remedy="send a CSR with a new key",
        )
    if csr is None and first.csr is None and not server_key:
        raise BadRequest(
            "the key was made here and is not used twice",
            field="csr",
            rule="renewal.key",
            remedy="send a CSR with a new key, or ask for a new server-side key",
        )
    same = csr is None and not server_key
    kind = RequestKind.RENEW_SAME_KEY if same else RequestKind.RENEW_NEW_KEY
    return replace(
        first,
        ra=original.ra,
        authority=original.authority,
        csr=first.csr if csr is None else csr,
        server_key=first.server_key if server_key else None,
        kind=kind,
        renews=record.id,
        door=None,  # whoever renews here did not come in by it
    )


def _issued(session: Session, request: CertificateRequest) -> CertificateRecord:
    record = session.certificates.get(request.certificate_id) if request.certificate_id else None
    if request.state is not RequestState.ISSUED or record is None:
        raise WrongState(
            f"nothing to download: the request is {request.state.value}",
            field="id",
            rule="request.issued",
            remedy="wait for its approval" if request.state is RequestState.PENDING else None,
        )
    return record
