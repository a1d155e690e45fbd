"""CRLs: signed on schedule and on revocation, checked, and only then put in place of the last.

One CRL answers every revocation that was on record before it was begun.  How
none gets lost, although signing happens outside any transaction:

1. In one unit of work, every wish for a CRL is struck out, the number is
   taken, and one wish is left in case we die (*RETRY_S* seconds from now).
2. The entries are read after that commit: whatever was wished for is visible.
3. The CRL is signed and checked.
4. In another unit it is recorded, and then it is published.
5. Only now, unless somebody wished again meanwhile, the wish left in step 1
   gives way to the regular next date.
"""

import hashlib
import logging
import threading
from dataclasses import dataclass

from chancery.domain.audit import AuditEvent
from chancery.domain.authority import Authority, CrlRecord
from chancery.domain.errors import BadCSR, BadRequest, Conflict
from chancery.domain.identity import Principal
from chancery.ports import Clock, KeyVault, Publisher, Session, Store
from chancery.services.audit import event
from chancery.services.issuers import CaKey, algorithm_of, ca_keys, find
from chancery.services.status.crl_files import CrlFiles
from chancery.services.status.crl_scope import is_for, scope_of, urls_of
from chancery.wire import algorithms, crl

_log = logging.getLogger(__name__)

RETRY_S = 45
"""Seconds after which a CRL that was begun and not finished is tried again."""

_TRIES = 4
"""How often another process may overtake us before that is an error."""

_EVER_S = 100 * 365 * 86_400

_AHEAD_S = 300
"""How far thisUpdate may lie ahead of our clock, in seconds."""


@dataclass(frozen=True, slots=True)
class _Begun:
    authority: Authority
    number: int
    began_at: int
    since: int


class CrlIssuer:
    """Issues, accepts and publishes CRLs.  Safe for concurrent use."""

    def __init__(
        self, store: Store, vault: KeyVault, clock: Clock, publisher: Publisher, *, http: str
    ) -> None:
        self._http = http
        self._store = store
        self._vault = vault
        self._clock = clock
        self.files = CrlFiles(publisher)
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}

    def issue(self, principal: Principal, name: str) -> CrlRecord:
        """Issue one CRL per living key of the authority, the current key's last; return that."""
        with self._lock(name):
            with self._store.read() as session:
                authority = find(session, name)
                keys = _living(session, authority, self._clock.s())
            if not keys:
                raise Conflict(
                    f"{name} signs no CRL here: its key is not in this vault",
                    field="authority",
                    rule="authority.offline",
                    remedy="sign the CRL in its ceremony directory and upload it",
                )
            for key in keys:
                record = self._insist(principal, authority, key)
            return record

    def _lock(self, name: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(name, threading.Lock())

    def _insist(self, principal: Principal, authority: Authority, key: CaKey) -> CrlRecord:
        """Issue; again with a new number if another process took and recorded a higher one."""
        for _ in range(_TRIES - 1):
            try:
                return self._issue(principal, authority, key)
            except Conflict as conflict:
                if conflict.rule != "crl.number":
                    raise
        return self._issue(principal, authority, key)

    def _issue(self, principal: Principal, authority: Authority, key: CaKey) -> CrlRecord:
        begun = self._begin(authority, key)
        with self._store.read() as session:
            entries = [
                crl.entry(item)
                for item in session.certificates.revoked(authority.name, begun.since)
            ]
        this_update = self._clock.s()
        algorithm = algorithm_of(authority, key)
        tbs = crl.tbs(
            issuer=key.certificate.subject_der,
            key_identifier=key.certificate.key_identifier,
            algorithm=algorithm,
            number=begun.number,
            this_update=this_update,
            next_update=this_update + authority.crl_lifetime_s,
            entries=entries,
            scope=scope_of(authority, key, self._http),
        )
        assert key.key_id is not None
        signature = self._vault.sign_crl(key.key_id, algorithm, tbs)
        record = CrlRecord(
            authority=authority.name,
            number=begun.number,
            this_update=this_update,
            next_update=this_update + authority.crl_lifetime_s,
            entries=len(entries),
            der=crl.join(tbs, algorithm, signature),
        )
        if self._check(key, record.der).scope != scope_of(authority, key, self._http):
            raise _refused("its scope is not the one its authority chose", "crl.scope")
        self._record(principal, key, record)
        self._publish_newest(key, record)
        self._finish(begun, record)
        return record

    def _begin(self, authority: Authority, key: CaKey) -> _Begun:
        """Strike out wishes and take a number above every number ever seen outside too (I23)."""
        floor = self.files.high_water(key.label)
        now = self._clock.s()

        def unit(session: Session) -> _Begun:
            session.crls.clear_due(authority.name, now + _EVER_S)
            session.crls.mark_due(authority.name, now + RETRY_S)
            number = session.crls.next_number(authority.name)
            while number <= floor:
                number = session.crls.next_number(authority.name)
            latest = session.crls.latest(authority.name)
            # RFC 5280 §3.3: an entry stays for one regular CRL beyond the
            # certificate's validity.
            since = now - authority.crl_every_s
            if latest is not None:
                since = min(since, latest.this_update)
            return _Begun(authority, number, now, since)

        return self._store.write(unit)

    def _record(self, principal: Principal, key: CaKey, record: CrlRecord) -> None:
        def unit(session: Session) -> None:
            session.crls.add(record)
            session.audit.append([_issued(principal, key, record)], self._clock.ms())

        self._store.write(unit)

    def _finish(self, begun: _Begun, record: CrlRecord) -> None:
        authority = begun.authority

        def unit(session: Session) -> None:
            if authority.name not in session.crls.due(begun.began_at + RETRY_S - 1):
                session.crls.clear_due(authority.name, begun.began_at + RETRY_S)
            session.crls.mark_due(authority.name, record.this_update + authority.crl_every_s)

        self._store.write(unit)

    def _check(self, key: CaKey, der: bytes) -> crl.Crl:
        """Issuer, key, signature and dates; whoever made it (I7)."""
        decoded = crl.decode(der)
        if decoded.issuer != key.certificate.subject_der:
            raise _refused("it was issued by another CA", "crl.issuer")
        if decoded.key_identifier != key.certificate.key_identifier:
            raise _refused("it was signed by another key of this CA", "crl.authority-key")
        try:
            algorithms.verify(
                key.certificate.spki, decoded.algorithm, decoded.signature, decoded.tbs
            )
        except BadCSR:
            raise _refused("its signature does not verify", "crl.signature") from None
        now = self._clock.s()
        if not decoded.this_update <= now + _AHEAD_S or decoded.next_update <= now:
            raise _refused("it is not yet, or no longer, in force", "crl.dates")
        return decoded

    def _publish_newest(self, key: CaKey, record: CrlRecord) -> None:
        """Publish a CRL just recorded, unless another process has a newer one.

        Looking at the file and replacing it are two steps; a newer CRL that
        was published in between is on record by then, and is put back.
        """
        if record.number > self.files.high_water(key.label):
            self.files.publish(key.label, record.der, record.number)
        with self._store.read() as session:
            latest = session.crls.latest(record.authority)
        if latest is None or latest.number <= max(record.number, self.files.high_water(key.label)):
            return
        if crl.decode(latest.der).key_identifier == key.certificate.key_identifier:
            self.files.publish(key.label, latest.der, latest.number)

    def accept(self, principal: Principal, name: str, der: bytes) -> CrlRecord:
        """Take in a CRL that an offline authority signed elsewhere."""
        with self._lock(name):
            return self._accept(principal, name, der)

    def _accept(self, principal: Principal, name: str, der: bytes) -> CrlRecord:
        with self._store.read() as session:
            authority = find(session, name)
            keys = ca_keys(session.authorities.certificates(name))
        decoded = crl.decode(der)
        key = next(
            (k for k in keys if k.certificate.key_identifier == decoded.key_identifier), None
        )
        if key is None:
            raise _refused(f"no key of {name} signed it", "crl.authority-key")
        if key.key_id is not None:
            raise Conflict(
                f"{name} signs its CRLs here: one from elsewhere would lack what was revoked here",
                field="authority",
                rule="crl.online",
                remedy="`chancery crl issue` makes a new one",
            )
        self._check(key, der)
        if not decoded.complete:
            raise _refused("it does not speak of all certificates of this CA", "crl.partial")
        if not is_for(decoded, authority, key, self._http):
            where = urls_of(authority, key, self._http)[0]
            raise _refused(f"it says it is found elsewhere, and not at {where}", "crl.scope")
        if decoded.number <= (before := self.files.number_in_force(key.label)):
            raise _refused(f"number {decoded.number} is not above {before}", "crl.number")
        record = CrlRecord(
            name, decoded.number, decoded.this_update, decoded.next_update, decoded.entries, der
        )

        def unit(session: Session) -> None:
            latest = session.crls.latest(name)
            if latest is not None and latest.der == der:
                return  # on record, but it could not be published then
            session.crls.add(record)
            session.audit.append(
                [_issued(principal, key, record, action="crl.accepted")], self._clock.ms()
            )

        self._store.write(unit)
        self.files.publish(key.label, der, decoded.number)
        return record


def _living(session: Session, authority: Authority, now: int) -> list[CaKey]:
    """Keys of ours whose certificates have not expired, the current one last."""
    if authority.certificate is None or authority.offline:
        return []
    keys = ca_keys(session.authorities.certificates(authority.name))
    return [key for key in keys if key.key_id is not None and key.certificate.not_after >= now]


def _refused(why: str, rule: str) -> BadRequest:
    return BadRequest(
        f"this CRL is not published: {why}",
        field="crl",
        rule=rule,
        remedy="the CRL in force stays in place; issue a new one",
    )


def _issued(
    principal: Principal, key: CaKey, record: CrlRecord, *, action: str = "crl.issued"
) -> AuditEvent:
    return event(
        principal,
        action,
        f"{record.authority}/crl/{record.number}",
        authority=record.authority,
        key=key.label,
        number=record.number,
        sha256=hashlib.sha256(record.der).hexdigest(),
        entries=record.entries,
        next_update=record.next_update,
    )
