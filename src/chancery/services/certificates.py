"""Certificates after issuance: find, fetch, revoke, hold, release."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from chancery.domain.certificate import CertificateRecord, CertificateStatus, RevocationReason
from chancery.domain.errors import (
    AlreadyRevoked,
    BadRequest,
    CAError,
    Conflict,
    NotFound,
    NotPermitted,
    WrongState,
)
from chancery.domain.identity import AuthMethod, Permission, Principal
from chancery.ports import CertificateFilter, Clock, LintResult, Page, Session, Sorting, Store
from chancery.services.access import demand_within
from chancery.services.chains import ChainLink, chain_of
from chancery.services.confinement import (
    certificate_within,
    certificates_within,
    refuse_beyond,
)
from chancery.services.downloads import Download, render
from chancery.services.request_access import bounded
from chancery.services.searching import Meaning, checked, normal_serial, resolved
from chancery.services.status_changes import StatusChange, apply, check_ours, revocation

LINTERS: Final = ("pkilint",)
"""Who looks at every certificate after its issuance."""

_FROM: Final[Mapping[str, Sequence[CertificateStatus]]] = {
    "revoke": (CertificateStatus.VALID, CertificateStatus.HELD),
    "hold": (CertificateStatus.VALID,),
    "release": (CertificateStatus.HELD,),
}


@dataclass(frozen=True, slots=True)
class LintState:
    """*waiting* names those that have not seen the certificate yet."""

    linters: list[LintResult]
    waiting: list[str]


class CertificateService:
    """See the module."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def find(
        self, principal: Principal, where: CertificateFilter, page: Page
    ) -> list[CertificateRecord]:
        """Newest first; by expiry where that is asked about, unless *where* has its own order.

        A condition that nothing can meet is an error, not an empty answer.
        """
        demand_within(principal, Permission.CERTIFICATE_READ)
        if where.order is None and (where.expires_after, where.expires_before) != (None, None):
            where = replace(where, order=Sorting.EXPIRY)
        with self._store.read() as session:
            within = certificates_within(principal, checked(session, where))
            return session.certificates.find(within, page)

    def meant(self, principal: Principal, word: str, where: CertificateFilter) -> Meaning:
        """What *word* means beside *where*: the first meaning that finds something.

        A fingerprint, the hash of a key, a serial number, a subject, a name, or
        the beginning of one of these.
        """
        demand_within(principal, Permission.CERTIFICATE_READ)
        with self._store.read() as session:
            return resolved(session, word, certificates_within(principal, where))

    def show(
        self, principal: Principal, serial: str, authority: str | None = None
    ) -> CertificateRecord:
        demand_within(principal, Permission.CERTIFICATE_READ)
        with self._store.read() as session:
            return one(session, serial, authority, principal)

    def lint(self, principal: Principal, serial: str, authority: str | None = None) -> LintState:
        """What the linters said of one certificate, and which have not seen it yet."""
        record = self.show(principal, serial, authority)
        with self._store.read() as session:
            results = session.lint.for_certificate(record.id)
        seen = {result.linter for result in results}
        return LintState(results, [linter for linter in LINTERS if linter not in seen])

    def download(
        self, principal: Principal, serial: str, form: str, authority: str | None = None
    ) -> Download:
        record = self.show(principal, serial, authority)
        if not record.der:
            raise NotFound(
                "only an entry in a list is known of it, and not the certificate itself",
                field="serial",
                rule="certificate.entry",
                remedy="ask its CA for it",
            )
        with self._store.read() as session:
            above = [link.der for link in chain_of(session, record.authority, record.der)]
        return render(record.der, above, form, record.subject or record.serial)

    def chain(self, principal: Principal, record: CertificateRecord) -> tuple[ChainLink, ...]:
        """The certificates above it, nearest first."""
        demand_within(principal, Permission.CERTIFICATE_READ)
        with self._store.read() as session:
            refuse_beyond(session, principal, record)
            return chain_of(session, record.authority, record.der)

    def revoke(
        self,
        principal: Principal,
        serial: str,
        reason: RevocationReason,
        authority: str | None = None,
        invalidity_date: int | None = None,
        *,
        comment: str = "",
    ) -> CertificateRecord:
        """Revoke for good (RFC 5280 §5.3.1); a key compromise also blocks the key.

        *invalidity_date* is in the past: a CRL that has named it cannot be taken back.
        *comment* goes into the audit log.
        """
        bounded(comment, "comment")
        if invalidity_date is not None and invalidity_date > self._clock.s():
            raise BadRequest(
                "the invalidity date lies in the future",
                field="invalidity_date",
                rule="invalidity-date.past",
                remedy="say since when the key is known or suspected to be bad (RFC 5280 §5.3.2)",
            )
        if reason is RevocationReason.certificateHold:
            return self.hold(principal, serial, authority, comment=comment)
        said = {"comment": comment} if comment else {}
        change = revocation(reason, invalidity_date, **said)
        return self._change(principal, serial, authority, change)

    def hold(
        self,
        principal: Principal,
        serial: str,
        authority: str | None = None,
        *,
        comment: str = "",
    ) -> CertificateRecord:
        """Suspend; only this can be taken back."""
        bounded(comment, "comment")
        held = StatusChange(
            "certificate.held",
            (CertificateStatus.VALID,),
            CertificateStatus.HELD,
            RevocationReason.certificateHold,
            details={"comment": comment} if comment else {},
        )
        return self._change(principal, serial, authority, held)

    def release(
        self, principal: Principal, serial: str, authority: str | None = None
    ) -> CertificateRecord:
        """Lift a hold."""
        released = StatusChange(
            "certificate.released", (CertificateStatus.HELD,), CertificateStatus.VALID, None
        )
        return self._change(principal, serial, authority, released)

    def refusals(self, principal: Principal, record: CertificateRecord) -> dict[str, CAError]:
        """Which of ``revoke``, ``hold`` and ``release`` this principal may not do now, and why."""
        found: dict[str, CAError] = {}
        for what, expected in _FROM.items():
            try:
                _may_revoke(principal, record)
                with self._store.read() as session:
                    check_ours(session, record)
                _expect(record, expected)
            except CAError as error:
                found[what] = error
        return found

    def _change(
        self, principal: Principal, serial: str, authority: str | None, change: StatusChange
    ) -> CertificateRecord:
        now = self._clock.ms()

        def unit(session: Session) -> CertificateRecord:
            record = one(session, serial, authority, principal)
            _may_revoke(principal, record)
            return apply(session, principal, record, change, now)

        return self._store.write(unit)


def one(
    session: Session, serial: str, authority: str | None, principal: Principal
) -> CertificateRecord:
    """The certificate of that serial; two issuers may have chosen the same one."""
    found = [
        record
        for record in session.certificates.by_serial(normal_serial(serial), authority)
        if certificate_within(session, principal, record)
    ]
    if not found:
        raise NotFound(
            f"no certificate with serial {serial}" + (f" from {authority}" if authority else ""),
            field="serial",
            rule="certificate.known",
            remedy="`chancery certificate list` finds it by name, subject or key",
        )
    if len(found) > 1:
        raise Conflict(
            "more than one authority issued this serial",
            field="authority",
            rule="serial.ambiguous",
            remedy="name the authority: " + ", ".join(record.authority for record in found),
        )
    return found[0]


def _expect(record: CertificateRecord, expected: Sequence[CertificateStatus]) -> None:
    if record.status in expected:
        return
    if record.status is CertificateStatus.REVOKED:
        raise AlreadyRevoked("the certificate is revoked already", rule="certificate.status")
    raise WrongState(
        f"the certificate is {record.status.value}", field="status", rule="certificate.status"
    )


def _may_revoke(principal: Principal, record: CertificateRecord) -> None:
    """Officers and operators may; so may the person it was issued to."""
    own = principal.method is not AuthMethod.NONE and record.requester == principal.name
    if own and Permission.REQUEST_SUBMIT in principal.permissions:
        return
    if Permission.CERTIFICATE_REVOKE not in principal.permissions and (
        principal.method is not AuthMethod.NONE
    ):
        raise NotPermitted(
            "this certificate is not yours to revoke",
            field="serial",
            rule=Permission.CERTIFICATE_REVOKE.value,
            remedy="ask an RA officer or a CA operator",
        )
    demand_within(principal, Permission.CERTIFICATE_REVOKE)
