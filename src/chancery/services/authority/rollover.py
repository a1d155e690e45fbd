"""Certificates made for a day to come: when it is there, their key takes over."""

from dataclasses import replace

from chancery.domain.authority import Authority, AuthorityCertificate
from chancery.domain.certificate import CertificateStatus, RevocationReason
from chancery.domain.errors import BadRequest, NotFound, WrongState
from chancery.domain.identity import SYSTEM, Permission, Principal
from chancery.ports import Session
from chancery.services import status_changes
from chancery.services.access import demand
from chancery.services.audit.events import event
from chancery.services.authority.base import AuthorityBase
from chancery.services.authority.pending import pending
from chancery.services.authority.plan import Plan
from chancery.services.authority.records import install
from chancery.services.chains import chain_of
from chancery.services.issuers import decode


class Rollover(AuthorityBase):
    """See the module."""

    def coming(self, principal: Principal, name: str) -> AuthorityCertificate | None:
        """The certificate that will take over, if one was made."""
        demand(principal, Permission.AUTHORITY_READ)
        with self._store.read() as session:
            return _coming(session, name)

    def cancel_takeover(self, principal: Principal, name: str) -> Authority:
        """Give the coming certificate up, revoked; its key never signs."""
        self._managed(principal, name)

        def unit(session: Session) -> None:
            found = _coming(session, name)
            if found is None:
                raise NotFound(
                    f"no certificate is coming for {name}",
                    field="authority",
                    rule="authority.coming",
                    remedy="`chancery ca certificates` shows those there are",
                )
            session.authorities.remove_certificate(found)
            now = self._clock.ms()
            leaf = event(principal, "authority.takeover-cancelled", name, serial=found.serial)
            session.audit.append([leaf], now)
            change = status_changes.revocation(RevocationReason.cessationOfOperation)
            for record in session.certificates.by_serial(found.serial):
                if record.der == found.der and record.status is CertificateStatus.VALID:
                    status_changes.apply(session, principal, record, change, now)

        self._store.write(unit)
        return self._fresh(name)

    def take_over_due(self) -> int:
        """Let every certificate whose day has come take over; how many.  Any node may do it."""
        now = self._clock.s()
        with self._store.read() as session:
            due = [
                one
                for authority in session.authorities.all()
                if (one := _coming(session, authority.name)) and one.not_before <= now
            ]
        return sum(self._take_over(one) for one in due)

    def _take_over(self, one: AuthorityCertificate) -> bool:
        assert one.key_id is not None
        key_id, decoded = one.key_id, decode(one.der)

        def unit(session: Session) -> bool:
            authority = session.authorities.get(one.authority)
            if authority is None or one not in session.authorities.certificates(one.authority):
                return False  # another node was first, or it was cancelled
            session.authorities.remove_certificate(one)
            chain: tuple[bytes, ...] = ()
            if authority.parent is not None and not decoded.self_issued:
                chain = tuple(link.der for link in chain_of(session, authority.parent, one.der))
            now = self._clock.ms()
            install(session, one.authority, one.kind, key_id, decoded, chain, now // 1000)
            session.crls.mark_due(one.authority, now // 1000)
            leaf = event(
                SYSTEM, "authority.taken-over", one.authority, serial=one.serial, key=key_id
            )
            session.audit.append([leaf], now)
            return True

        self._vault.bind(key_id, one.der)
        if not self._store.write(unit):
            return False
        self._status.activated(SYSTEM, one.authority)
        return True

    def _check_coming(self, authority: Authority, takes_over: int | None, *, new_key: bool) -> None:
        """Raise unless a renewal fits what is planned already, and *takes_over* can be kept."""
        with self._store.read() as session:
            planned = _coming(session, authority.name) is not None or (
                takes_over is not None
                and any(item.authority == authority.name for item in pending(session))
            )
        if planned:
            raise WrongState(
                f"another certificate of {authority.name} is on its way",
                field="takes_over",
                rule="authority.coming",
                remedy="wait for it, or give it up: `chancery ca cancel-takeover`, `ca reject`",
            )
        if takes_over is None:
            return
        ends = decode(authority.certificate).not_after if authority.certificate else 0
        if not new_key or not self._clock.s() < takes_over <= ends:
            raise BadRequest(
                "a takeover takes a new key, and a day while the present certificate is valid",
                field="takes_over",
                rule="takeover.day",
                remedy="ask for a new key and a day to come, before the present certificate ends",
            )


def beginning(plan: Plan, begins: int) -> Plan:
    """The same, beginning at *begins*; a root's end moves along."""
    context = plan.context
    if not plan.version.profile.authority_key_identifier:  # its own issuer
        context = replace(context, not_after=begins + plan.version.profile.validity_s)
    return replace(plan, begins=begins, context=context)


def not_ours(name: str) -> WrongState:
    return WrongState(
        f"{name} is certified elsewhere: that CA says from when",
        field="takes_over",
        rule="takeover.external",
        remedy="renew it without a day, and upload the certificate when that has begun",
    )


def _coming(session: Session, name: str) -> AuthorityCertificate | None:
    return next((one for one in session.authorities.certificates(name) if one.coming), None)
