"""Renewal and cross-certification: more certificates for authorities that exist.

Renewal keeps the subject.  With the same key the key identifier stays, and so
do CRLs and the certificates below.  With a new key the authority signs with
the new one from then on, under a label of its own (``services.issuers``); the
old key goes on signing CRLs and vouching for OCSP answers about what it
signed, until its certificate expires.
"""

from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.authority import Authority, AuthorityCertificateKind
from chancery.domain.certificate import CertificateRecord
from chancery.domain.errors import BadRequest, Conflict, WrongState
from chancery.domain.identity import Permission, Principal
from chancery.domain.key_quality import check
from chancery.domain.keys import KeyInfo
from chancery.domain.names import DistinguishedName
from chancery.domain.profile import DAY_S
from chancery.ports import Session
from chancery.services.access import demand
from chancery.services.audit.events import event
from chancery.services.authority import templates
from chancery.services.authority.plan import Plan
from chancery.services.authority.rollover import Rollover, beginning, not_ours
from chancery.services.authority.specification import (
    CROSS_DAYS,
    ROOT_DAYS,
    Extensions,
    check_foreign_key,
    check_level,
    child_path_length,
    signature_for,
)
from chancery.services.issuers import decode, find
from chancery.wire import pem, pkcs10
from chancery.wire.algorithms import load_key
from chancery.wire.ca_certificate import check_asks_for_ca, requested_identifier

_CSR_LABELS = ("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")


class Succession(Rollover):
    """Renew, cross-sign."""

    def renew(
        self,
        principal: Principal,
        name: str,
        *,
        new_key: bool = False,
        key_algorithm: KeyAlgorithm | None = None,
        vault: str | None = None,
        extensions: Extensions | None = None,
        takes_over: int | None = None,
    ) -> Authority:
        """Give an authority a new certificate, from the same issuer as before.

        With *takes_over* (Unix seconds) it begins then, and the present key signs till then.

        What *extensions* leave open stays as its certificate had it, though
        never longer than the issuer.  *key_algorithm* and *vault* take effect
        with *new_key*; else both stay.  An authority certified elsewhere gets a new CSR, and keeps
        signing until ``upload_certificate``.
        """
        authority = self._managed(principal, name)
        if authority.offline or authority.key_id is None:
            raise WrongState(
                f"{name} is renewed where its key is",
                field="authority",
                rule="authority.offline",
                remedy="renew it in its ceremony directory, and upload the certificate",
            )
        if authority.certificate is None and authority.csr is None:
            raise WrongState(
                f"{name} has no certificate yet",
                field="authority",
                rule="authority.certificate",
                remedy="approve or reject the one that is pending",
            )
        self._check_coming(authority, takes_over, new_key=new_key)
        key_id = authority.key_id
        wanted, usual_days = _as_before(authority, extensions or Extensions())
        with self._store.read() as session:
            external = not _self_signed(authority) and not _signed_here(session, authority)
            parent = None
            if authority.parent is not None and not external:
                parent = self._parent(session, principal, authority.parent)
        self._check(wanted, parent)
        if takes_over is not None and external:
            raise not_ours(name)
        if new_key:
            where = vault or self._vault.key(key_id).vault
            authority = self._rekeyed(authority, key_algorithm, where)
            key = self._generate(authority, where)
        else:
            key = self._vault.key(key_id)
        if external:
            return self._request_again(principal, authority, key, wanted.path_length)
        plan = self._plan(principal, authority, key, wanted, parent, usual_days=usual_days)
        if takes_over is not None:
            plan = beginning(plan, takes_over)
        record = self._certification.propose(principal, plan, lambda _session: None)
        if record is not None:
            self._status.activated(principal, name)
        return self._fresh(name)

    def _rekeyed(
        self, authority: Authority, algorithm: KeyAlgorithm | None, vault: str
    ) -> Authority:
        wanted = algorithm or authority.key_algorithm
        check_level(authority.security_level, wanted, self.vaults.kind(vault))
        if algorithm is None or algorithm is authority.key_algorithm:
            return authority
        return replace(
            authority, key_algorithm=algorithm, signature_algorithm=signature_for(algorithm, None)
        )

    def _request_again(
        self, principal: Principal, authority: Authority, key: KeyInfo, path_length: int | None
    ) -> Authority:
        """A CSR for an external renewal; the key on record changes with the upload only."""
        csr = self._csr(authority, key, path_length)

        def unit(session: Session) -> Authority:
            latest = replace(find(session, authority.name), csr=csr)
            session.authorities.update(latest)
            leaf = event(principal, "authority.requested", authority.name, key=key.key_id)
            session.audit.append([leaf], self._clock.ms())
            return latest

        return self._store.write(unit)

    def cross_sign(
        self,
        principal: Principal,
        issuer: str,
        subject: bytes,
        extensions: Extensions | None = None,
    ) -> CertificateRecord | None:
        """Certify another CA's key under one of ours.

        *subject* is that CA's certificate or CSR (PEM or DER), or the name of
        a sibling of ours in UTF-8.  None: more people must approve first.
        """
        demand(principal, Permission.AUTHORITY_MANAGE)
        with self._store.read() as session:
            parent = self._parent(session, principal, issuer)
            ours = _sibling(session, subject)
        other = self._foreign_subject(subject, ours)
        check_foreign_key(parent.authority.security_level, _checked(other.spki))
        if other.name == parent.authority.subject:
            raise BadRequest(
                "an authority does not cross-sign itself",
                field="subject",
                rule="cross.self",
                remedy="renew it instead",
            )
        wanted = extensions or Extensions()
        if wanted.path_length is None:
            wanted = replace(wanted, path_length=other.path_length)
        self._check(wanted, parent)
        length = child_path_length(parent.key.certificate.path_length, wanted.path_length)
        assert parent.key.key_id is not None
        plan = Plan(
            issuer=parent.authority,
            issuer_key_id=parent.key.key_id,
            context=parent.context,
            kind=AuthorityCertificateKind.CROSS,
            subject=other.name,
            spki=other.spki,
            version=templates.subordinate(
                wanted,
                length,
                self._clock.s(),
                principal.name,
                online=True,
                usual_days=CROSS_DAYS,
            ),
            authority="" if ours is None else ours.name,
            key_id="" if ours is None else ours.key_id or "",
            identifier=other.identifier,
        )
        return self._certification.propose(principal, plan, lambda _session: None)

    def _foreign_subject(self, subject: bytes, ours: Authority | None) -> "_Other":
        """The CA to certify, after proof of what it claims."""
        if ours is not None:
            subject = ours.certificate or b""
        if (csr := _as_csr(subject)) is not None:
            pkcs10.check_signature(csr)
            check_asks_for_ca(csr.extensions)
            return _Other(csr.subject, csr.spki, 0, requested_identifier(csr.extensions))
        _, der = _unwrap(subject)
        certificate = decode(der)
        if not certificate.is_ca or not certificate.signs_certificates:
            raise BadRequest(
                "this is no CA certificate",
                field="subject",
                rule="cross.ca",
                remedy="send the certificate or CSR of the CA itself",
            )
        if certificate.not_after <= self._clock.s():
            raise Conflict("this CA certificate has expired", field="subject", rule="cross.expired")
        return _Other(
            certificate.subject,
            certificate.spki,
            certificate.path_length,
            certificate.key_identifier,
        )


@dataclass(frozen=True, slots=True)
class _Other:
    """A CA that is to be certified across.  *path_length* is the usual one."""

    name: DistinguishedName
    spki: bytes
    path_length: int | None
    identifier: bytes | None


def _self_signed(authority: Authority) -> bool:
    return authority.certificate is not None and decode(authority.certificate).self_issued


def _signed_here(session: Session, authority: Authority) -> bool:
    """Whether the authority above it, if it is one of ours, signs through this server."""
    parent = None if authority.parent is None else session.authorities.get(authority.parent)
    return parent is not None and not parent.offline


def _as_before(authority: Authority, wanted: Extensions) -> tuple[Extensions, int]:
    """(*wanted* with the path length that its certificate has, usual days: those it has)."""
    if authority.certificate is None:
        return wanted, ROOT_DAYS
    former = decode(authority.certificate)
    # Rounded up: one that was cut short by its issuer's end has no whole number of days.
    days = -(-(former.not_after - former.not_before + 1) // DAY_S)
    if wanted.path_length is None:
        wanted = replace(wanted, path_length=former.path_length)
    return wanted, days


def _checked(spki: bytes) -> PublicKeyTypes:
    key = load_key(spki)
    check(key)
    return key


def _sibling(session: Session, subject: bytes) -> Authority | None:
    """The authority of ours that *subject* names or certifies."""
    if len(subject) <= 63 and subject.isascii() and b"-----" not in subject[:5]:
        found = find(session, subject.decode())
        if found.certificate is None:
            raise WrongState(f"{found.name} has no certificate yet", field="subject")
        return found
    if _as_csr(subject) is not None:
        return None
    _, der = _unwrap(subject)
    spki = decode(der).spki
    for authority in session.authorities.all():
        if authority.certificate is not None and decode(authority.certificate).spki == spki:
            return authority
    return None


def _unwrap(data: bytes) -> tuple[str, bytes]:
    if pem.is_der(data):
        return "CERTIFICATE", data
    return pem.decode(data, ("CERTIFICATE",), 64 * 1024)


def _as_csr(data: bytes) -> pkcs10.CertificationRequest | None:
    """The CSR, if it is one; a DER one is told from a certificate by trying."""
    if pem.is_der(data):
        try:
            return pkcs10.decode(data)
        except BadRequest:
            return None
    if any(f"BEGIN {label}-".encode() in data for label in _CSR_LABELS):
        return pkcs10.decode(data)
    return None
