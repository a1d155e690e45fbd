"""Certificates after issuance: find, fetch, revoke, hold, release."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from chancery.domain.authority import Authority
from chancery.domain.certificate import CertificateRecord, CertificateStatus, RevocationReason
from chancery.domain.errors import BadRequest, Conflict, NotFound, NotPermitted
from chancery.domain.identity import AuthMethod, Permission, Principal
from chancery.ports import CertificateFilter, Clock, Page, Session, Store
from chancery.services.access import demand
from chancery.services.audit import event
from chancery.services.downloads import Download, render

CRL_DELAY_S = 1
"""A revocation's CRL waits this long for company, so that a thousand make one CRL."""

_SERIAL = re.compile(r"(?:0x)?([0-9a-fA-F]{1,40})")


def normal_serial(text: str) -> str:
    """A serial as people write it (any case, colons, 0x) in the form on record."""
    found = _SERIAL.fullmatch(text.replace(":", "").strip())
    if found is None:
        raise BadRequest(
            "a serial number is hexadecimal, at most 20 octets",
            field="serial",
            rule="serial.syntax",
            remedy="copy it from `chancery certificate list`",
        )
    return found[1].lower().lstrip("0") or "0"


class CertificateService:
    """See the module."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def find(
        self, principal: Principal, where: CertificateFilter, page: Page
    ) -> list[CertificateRecord]:
        """Newest first."""
        demand(principal, Permission.CERTIFICATE_READ)
        if where.serial is not None and not where.serial.endswith("*"):
            where = replace(where, serial=normal_serial(where.serial))
        with self._store.read() as session:
            return session.certificates.find(where, page)

    def show(
        self, principal: Principal, serial: str, authority: str | None = None
    ) -> CertificateRecord:
        demand(principal, Permission.CERTIFICATE_READ)
        with self._store.read() as session:
            return one(session, serial, authority)

    def lint(
        self, principal: Principal, serial: str, authority: str | None = None
    ) -> list[tuple[str, str]]:
        """(linter, finding) pairs for one certificate."""
        record = self.show(principal, serial, authority)
        with self._store.read() as session:
            return session.lint.for_certificate(record.id)

    def download(
        self, principal: Principal, serial: str, form: str, authority: str | None = None
    ) -> Download:
        record = self.show(principal, serial, authority)
        with self._store.read() as session:
            issuer = session.authorities.get(record.authority)
        return render(record.der, chain_of(issuer), form, record.subject or record.serial)

    def revoke(
        self,
        principal: Principal,
        serial: str,
        reason: RevocationReason,
        authority: str | None = None,
        invalidity_date: int | None = None,
    ) -> CertificateRecord:
        """Revoke for good (RFC 5280 §5.3.1); a key compromise also blocks the key."""
        if reason is RevocationReason.certificateHold:
            return self.hold(principal, serial, authority)
        return self._change(
            principal,
            serial,
            authority,
            action="certificate.revoked",
            expected=(CertificateStatus.VALID, CertificateStatus.HELD),
            status=CertificateStatus.REVOKED,
            reason=reason,
            invalidity_date=invalidity_date,
        )

    def hold(
        self, principal: Principal, serial: str, authority: str | None = None
    ) -> CertificateRecord:
        """Suspend; only this can be taken back."""
        return self._change(
            principal,
            serial,
            authority,
            action="certificate.held",
            expected=(CertificateStatus.VALID,),
            status=CertificateStatus.HELD,
            reason=RevocationReason.certificateHold,
        )

    def release(
        self, principal: Principal, serial: str, authority: str | None = None
    ) -> CertificateRecord:
        """Lift a hold."""
        return self._change(
            principal,
            serial,
            authority,
            action="certificate.released",
            expected=(CertificateStatus.HELD,),
            status=CertificateStatus.VALID,
            reason=None,
        )

    def _change(
        self,
        principal: Principal,
        serial: str,
        authority: str | None,
        *,
        action: str,
        expected: Sequence[CertificateStatus],
        status: CertificateStatus,
        reason: RevocationReason | None,
        invalidity_date: int | None = None,
    ) -> CertificateRecord:
        """One unit: the new status, the audit leaf, and the wish for a CRL."""
        now = self._clock.ms()

        def unit(session: Session) -> CertificateRecord:
            record = one(session, serial, authority)
            _may_revoke(principal, record)
            revoked_at = None if reason is None else now // 1000
            if record.status is CertificateStatus.HELD and reason is not None:
                revoked_at = record.revoked_at  # it has not been good since the hold began
            session.certificates.set_status(
                record.id,
                expected,
                status,
                revoked_at=revoked_at,
                reason=reason,
                invalidity_date=invalidity_date,
            )
            if reason is RevocationReason.keyCompromise:
                session.certificates.block_key(
                    record.key_sha256, f"compromised (serial {record.serial})", now // 1000
                )
            session.crls.mark_due(record.authority, now // 1000 + CRL_DELAY_S)
            details: dict[str, Any] = {"authority": record.authority, "serial": record.serial}
            if reason is not None:
                details["reason"] = reason.name
            subject_id = f"{record.authority}/{record.serial}"
            session.audit.append([event(principal, action, subject_id, **details)], now)
            return replace(
                record,
                status=status,
                revoked_at=revoked_at,
                reason=reason,
                invalidity_date=invalidity_date,
            )

        return self._store.write(unit)


def one(session: Session, serial: str, authority: str | None) -> CertificateRecord:
    """The certificate of that serial; two issuers may have chosen the same one."""
    found = session.certificates.by_serial(normal_serial(serial), authority)
    if not found:
        raise NotFound(f"no certificate with serial {serial}", field="serial")
    if len(found) > 1:
        raise Conflict(
            "more than one authority issued this serial",
            field="authority",
            rule="serial.ambiguous",
            remedy="name the authority: " + ", ".join(record.authority for record in found),
        )
    return found[0]


def chain_of(authority: Authority | None) -> tuple[bytes, ...]:
    """The certificates above one that *authority* issued, nearest first."""
    if authority is None or authority.certificate is None:
        return ()
    return (authority.certificate, *authority.chain)


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
    demand(principal, Permission.CERTIFICATE_REVOKE)
