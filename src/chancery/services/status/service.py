"""Certificate status for relying parties: CRLs and OCSP, for every authority in the house."""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress

from chancery.domain.authority import Authority, AuthorityState, CrlRecord
from chancery.domain.crl import CrlList, Due
from chancery.domain.errors import CAError, NotFound
from chancery.domain.identity import SYSTEM, Permission, Principal
from chancery.domain.profile import ProfileVersion
from chancery.domain.vaults import SOFTWARE
from chancery.ports import Clock, Entropy, KeyVault, Publisher, Store
from chancery.services.access import demand
from chancery.services.issuers import ca_keys, find, is_label
from chancery.services.status.composing import Answer, Spans
from chancery.services.status.crl_files import is_list_name
from chancery.services.status.crl_schedule import due, living, next_at
from chancery.services.status.crls import CrlIssuer
from chancery.services.status.desk import Desk
from chancery.services.status.issuer_index import IssuerIndex
from chancery.services.status.ocsp import OcspResponder
from chancery.services.status.ocsp_policy import OcspPolicies
from chancery.services.status.responder import ResponderStanding
from chancery.services.status.responders import Lint, Responders
from chancery.services.status.status_watch import never_moved

_log = logging.getLogger(__name__)

_AGAIN_S = 5
"""Seconds until a CRL that could not be issued or published is tried again."""


def certificate_name(label: str) -> str:
    """The published file of a CA certificate."""
    return f"ca/{label}.cer"


class StatusService:
    """What is valid, and who says so.  Safe for concurrent use."""

    def __init__(
        self,
        store: Store,
        vault: KeyVault,
        clock: Clock,
        entropy: Entropy,
        publisher: Publisher,
        *,
        http: str,
        responder_profile: Callable[[], ProfileVersion],
        lint: Callable[[ProfileVersion], Lint],
        ocsp_lifetime_s: int = 43_200,
        ocsp_reuse_s: int = 3_600,
        ocsp_vault: str = SOFTWARE,
        moved: Callable[[], int] = never_moved,
    ) -> None:
        self._store = store
        self._clock = clock
        self._publisher = publisher
        self._crls = CrlIssuer(store, vault, clock, entropy, publisher, http=http)
        self._responders = Responders(
            store,
            vault,
            clock,
            entropy,
            profile=responder_profile,
            lint=lint,
            http=http,
            key_vault=ocsp_vault,
        )
        self.ocsp_policies = OcspPolicies(store, clock)
        self._index = IssuerIndex(store)
        spans = Spans(ocsp_lifetime_s, ocsp_reuse_s)
        self._ocsp = OcspResponder(store, vault, clock, self._responders, self._index, spans)
        self.desk = Desk(store, vault, clock, self._index, self._responders, spans, moved=moved)
        self._next: dict[str, int] = {}
        self._again: dict[str, int] = {}
        self._running = threading.Lock()

    def issue_crl(self, principal: Principal, name: str) -> CrlRecord:
        """Issue a CRL now."""
        demand(principal, Permission.CRL_ISSUE)
        return self._crls.issue(principal, name)

    def accept_crl(self, principal: Principal, name: str, der: bytes) -> CrlRecord:
        """Publish a CRL that an offline authority signed in its ceremony."""
        demand(principal, Permission.CRL_ISSUE)
        return self._crls.accept(principal, name, der)

    def crls(self, principal: Principal, name: str) -> list[CrlList]:
        """What an authority's CRLs in force say of themselves, by name."""
        demand(principal, Permission.AUTHORITY_READ)
        with self._store.read() as session:
            find(session, name)
            return session.crl_lists.of(name)

    def latest_crl(self, label: str) -> bytes:
        """The CRL in force (DER) for an authority's key; *label* is the name in its URL.

        ``label/delta``, ``label/ca``, ``label/3`` ... are the others of that key.
        """
        found = self._crls.files.latest(label) if is_list_name(label) else None
        if found is None:
            raise NotFound(f"no CRL for {label!r}", field="authority", rule="crl.known")
        return found

    def authority_certificate(self, label: str) -> bytes:
        """The current certificate (DER) of an authority's key: what AIA points to."""
        found = self._publisher.published(certificate_name(label)) if is_label(label) else None
        if found is None:
            raise NotFound(f"no authority {label!r}", field="authority", rule="authority.known")
        return found

    def ocsp(self, name: str, request: bytes) -> Answer:
        """Answer an OCSPRequest (DER); *name* may be empty.  Errors as OcspResponder.answer."""
        return self._ocsp.answer(name, request)

    def activated(self, principal: Principal, name: str) -> None:
        """An authority has a new certificate: publish it, with a CRL and a responder."""
        self._index.forget()
        with self._store.read() as session:
            authority = find(session, name)
            keys = ca_keys(session.authorities.certificates(name))
        for key in keys:
            self._publisher.publish(certificate_name(key.label), key.certificate.der)
        if authority.offline or authority.key_id is None:
            return
        self._crls.issue(principal, name)
        self._rotate(authority)

    def restore(self) -> None:
        """At start-up: settle responder certificates, put missing files back from the record."""
        self._responders.recover()
        with self._store.read() as session:
            for authority in session.authorities.all():
                keys = ca_keys(session.authorities.certificates(authority.name))
                for key in keys:
                    name, der = certificate_name(key.label), key.certificate.der
                    if self._publisher.published(name) != der:
                        self._publisher.publish(name, der)
                found = session.crl_lists.of(authority.name)
                self._crls.files.catch_up(found, session.crl_lists.der)

    def run_due(self) -> list[CrlRecord]:
        """Issue every CRL that was asked for or whose day has come.

        Called about once a second on some node; one CRL answers any number of
        revocations.  One authority's failure does not stop the others.
        """
        if not self._running.acquire(blocking=False):
            return []
        try:
            made = (self._attempt(name, why) for name, why in self._due())
            return [record for record in made if record is not None]
        finally:
            self._running.release()

    def catch_up(self) -> int:
        """Publish what is on record and newer: made by another machine, or its file is lost."""
        with self._store.read() as session:
            found = [
                one
                for authority in session.authorities.all()
                for one in session.crl_lists.of(authority.name)
            ]
            return self._crls.files.catch_up(found, session.crl_lists.der)

    def _due(self) -> list[tuple[str, Due]]:
        now = self._clock.s()
        found = []
        with self._store.read() as session:
            wished = set(session.crls.due(now))
            for authority in filter(_signs, session.authorities.all()):
                name = authority.name
                told = not wished.isdisjoint({name, *authority.crl_indirect})
                if not told and self._next.get(name, 0) > now:
                    continue
                # Another node may have been first: look before believing our own date.
                why = due(session, authority, now) or (Due.REVOKED if told else None)
                if why is not None and (told or self._again.get(name, 0) <= now):
                    found.append((name, why))
                self._next[name] = next_at(session, authority, now)
        return found

    def _attempt(self, name: str, why: Due) -> CrlRecord | None:
        try:
            record = self._crls.issue(SYSTEM, name, why)
        except CAError as error:
            _log.warning("no CRL for %s, it is tried again: %s", name, error)
            soon = self._clock.s() + _AGAIN_S
            self._next[name] = self._again[name] = soon
            # What is on record may not be published: the record's own date would be too late.
            with suppress(CAError):
                self._store.write(lambda session: session.crls.mark_due(name, soon))
            return None
        self._next.pop(name, None)
        self._again.pop(name, None)
        return record

    def responders(self, principal: Principal) -> list[ResponderStanding]:
        """Who answers for each living key of ours."""
        demand(principal, Permission.AUTHORITY_READ)
        now = self._clock.s()
        with self._store.read() as session:
            keys = [
                (authority, key)
                for authority in session.authorities.all()
                if _signs(authority)
                for key in living(session, authority, now)
            ]
        return [self._responders.standing(authority, key) for authority, key in keys]

    def rotate_responders(self) -> int:
        """Make or renew responders before they are needed; the number of authorities served."""
        with self._store.read() as session:
            signing = [a for a in session.authorities.all() if _signs(a)]
        return sum(self._rotate(authority) for authority in signing)

    def _rotate(self, authority: Authority) -> bool:
        with self._store.read() as session:
            keys = ca_keys(session.authorities.certificates(authority.name))
        now = self._clock.s()
        try:
            for key in keys:
                if key.key_id is not None and key.certificate.not_after > now:
                    self._responders.responder(authority, key)
        except CAError as error:
            _log.warning("no OCSP responder for %s, it is tried again: %s", authority.name, error)
            return False
        return True


def _signs(authority: Authority) -> bool:
    """A disabled authority issues nothing but status."""
    return (
        authority.state in (AuthorityState.ACTIVE, AuthorityState.DISABLED)
        and not authority.offline
        and authority.key_id is not None
    )
