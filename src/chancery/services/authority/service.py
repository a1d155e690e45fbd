"""The CA tree, whole: everything that can be done with an authority."""

from collections.abc import Sequence
from dataclasses import replace

from chancery.domain.authority import (
    Authority,
    AuthorityCertificate,
    AuthorityState,
)
from chancery.domain.certificate import CertificateRecord
from chancery.domain.errors import NotFound, WrongState
from chancery.domain.identity import SYSTEM, Permission, Principal
from chancery.ports import Session
from chancery.services.access import demand
from chancery.services.audit.events import event
from chancery.services.authority.choices import Choices
from chancery.services.authority.creation import Creation
from chancery.services.authority.exports import Exported, export
from chancery.services.authority.foreign import Foreign
from chancery.services.authority.pending import PendingCertificate, pending
from chancery.services.authority.succession import Succession
from chancery.services.issuers import find


class AuthorityService(Creation, Choices, Succession, Foreign):
    """Authorities and their containers.  Safe for concurrent use."""

    def list(self, principal: Principal) -> Sequence[Authority]:
        demand(principal, Permission.AUTHORITY_READ)
        with self._store.read() as session:
            return session.authorities.all()

    def show(self, principal: Principal, name: str) -> Authority:
        demand(principal, Permission.AUTHORITY_READ)
        with self._store.read() as session:
            return find(session, name)

    def certificates(self, principal: Principal, name: str) -> Sequence[AuthorityCertificate]:
        """Every certificate the authority ever had, oldest first."""
        demand(principal, Permission.AUTHORITY_READ)
        with self._store.read() as session:
            find(session, name)
            return session.authorities.certificates(name)

    def export(self, name: str, form: str) -> Exported:
        """The current certificate or chain, for everyone.

        *form*: ``pem``, ``der``, ``p7`` (certificate and chain) or ``chain``
        (PEM, from the CA up to the root).
        """
        with self._store.read() as session:
            authority = find(session, name)
        return export(authority, form)

    def pending(self, principal: Principal) -> Sequence[PendingCertificate]:
        """CA certificates that wait for approvals."""
        demand(principal, Permission.AUTHORITY_READ)
        with self._store.read() as session:
            return pending(session)

    def approve(
        self, principal: Principal, pending_id: str, tbs_sha256: str
    ) -> CertificateRecord | None:
        """Approve a pending CA certificate; the last approval that was missing signs it."""
        demand(principal, Permission.AUTHORITY_MANAGE)
        item = self._waiting(principal, pending_id)
        record = self._certification.approve(principal, pending_id, tbs_sha256)
        if record is not None and item.authority:
            self._status.activated(principal, item.authority)
        return record

    def reject(self, principal: Principal, pending_id: str, reason: str) -> None:
        """Give a pending CA certificate up."""
        demand(principal, Permission.AUTHORITY_MANAGE)
        self._waiting(principal, pending_id)
        self._certification.reject(principal, pending_id, reason)

    def _waiting(self, principal: Principal, pending_id: str) -> PendingCertificate:
        """The pending certificate, if *principal* may decide on it."""
        with self._store.read() as session:
            for item in pending(session):
                if item.id == pending_id:
                    self._owned(session, principal, find(session, item.issuer).container)
                    return item
        raise NotFound(
            f"no CA certificate waits under {pending_id!r}",
            field="id",
            rule="pending.known",
            remedy="list the pending CA certificates",
        )

    def remove(self, principal: Principal, name: str) -> None:
        """Forget an authority that was made by mistake and never had a certificate."""
        self._managed(principal, name)

        def unit(session: Session) -> None:
            authority = find(session, name)
            if session.authorities.certificates(name):
                raise WrongState(
                    f"{name} has had a certificate: it stays on record",
                    field="authority",
                    rule="authority.certified",
                    remedy="disable it",
                )
            if any(item.authority == name for item in pending(session)):
                raise WrongState(
                    f"the certificate of {name} waits for approvals",
                    field="authority",
                    rule="authority.pending",
                    remedy="reject that: the name is free then",
                )
            session.authorities.remove(name)
            leaf = event(principal, "authority.removed", name, key=authority.key_id)
            session.audit.append([leaf], self._clock.ms())

        self._store.write(unit)

    def disable(self, principal: Principal, name: str) -> Authority:
        """Stop issuance; CRL and OCSP go on for what was issued."""
        return self._switch(principal, name, AuthorityState.ACTIVE, AuthorityState.DISABLED)

    def enable(self, principal: Principal, name: str) -> Authority:
        return self._switch(principal, name, AuthorityState.DISABLED, AuthorityState.ACTIVE)

    def _switch(
        self, principal: Principal, name: str, before: AuthorityState, after: AuthorityState
    ) -> Authority:
        self._managed(principal, name)
        verb = "disabled" if after is AuthorityState.DISABLED else "enabled"

        def unit(session: Session) -> Authority:
            authority = find(session, name)
            if authority.state is not before:
                raise WrongState(
                    f"{name} is {authority.state}, not {before}",
                    field="authority",
                    rule="authority.state",
                    remedy="look at its state again",
                )
            changed = replace(authority, state=after)
            session.authorities.update(changed)
            session.audit.append([event(principal, f"authority.{verb}", name)], self._clock.ms())
            return changed

        return self._store.write(unit)

    def recover(self) -> int:
        """At start-up: complete CA certificates that a crash left half done; how many."""
        completed = self._certification.recover(SYSTEM)
        self._status.restore()
        return completed
