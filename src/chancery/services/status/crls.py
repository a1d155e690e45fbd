"""CRLs: signed on schedule and on revocation, checked, and only then put in place of the last.

One CRL answers every revocation that was on record before it was begun.  How
none gets lost, although signing happens outside any transaction:

1. In one unit of work, every wish for a CRL is struck out, the number is
   taken, and one wish is left in case we die (*RETRY_S* seconds from now).
2. The entries are read after that commit: whatever was wished for is visible.
3. The CRLs of this number (full, delta, shards ...) are signed and checked.
4. In another unit they are recorded, and then they are published.
5. Only now, unless somebody wished again meanwhile, the wish left in step 1
   gives way to the regular next date.
"""

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from chancery.domain.audit import AuditEvent
from chancery.domain.authority import Authority, CrlRecord
from chancery.domain.crl import (
    DELTA,
    CrlList,
    Due,
    list_name,
    partitions,
    shard_part,
)
from chancery.domain.errors import Conflict
from chancery.domain.identity import Principal
from chancery.ports import Clock, Entropy, KeyVault, Publisher, Session, Store
from chancery.services.audit import event
from chancery.services.issuers import CaKey, algorithm_of, ca_keys, find
from chancery.services.status.crl_checks import Wanted, adds_up, from_key, made_here, refused
from chancery.services.status.crl_content import Content, Span, contents
from chancery.services.status.crl_files import CrlFiles
from chancery.services.status.crl_schedule import living, parts_due
from chancery.services.status.crl_scope import is_for, parts_of, scope_of, urls_of
from chancery.wire import crl

RETRY_S: Final = 45
"""Seconds after which a CRL that was begun and not finished is tried again."""

DELTA_LIVES: Final = 3
"""A delta lives this many times as long as it takes until the next."""

_TRIES: Final = 4
"""How often another process may overtake us before that is an error."""

_EVER_S: Final = 100 * 365 * 86_400


@dataclass(frozen=True, slots=True)
class _Begun:
    authority: Authority
    number: int
    began_at: int
    base: CrlRecord | None
    since: int


@dataclass(frozen=True, slots=True)
class _Made:
    item: CrlList
    der: bytes


class CrlIssuer:
    """Issues, accepts and publishes CRLs.  Safe for concurrent use."""

    def __init__(
        self,
        store: Store,
        vault: KeyVault,
        clock: Clock,
        entropy: Entropy,
        publisher: Publisher,
        *,
        http: str,
    ) -> None:
        self._http = http
        self._store = store
        self._vault = vault
        self._clock = clock
        self._entropy = entropy
        self.files = CrlFiles(publisher)
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}

    def issue(self, principal: Principal, name: str, why: Due = Due.ALL) -> CrlRecord:
        """Issue the CRLs of each living key of the authority, the current key's last.

        Return the current key's full CRL, or its delta where only that was made.
        """
        with self._lock(name):
            with self._store.read() as session:
                authority = find(session, name)
                keys = living(session, authority, self._clock.s())
            if not keys:
                raise Conflict(
                    f"{name} signs no CRL here: its key is not in this vault",
                    field="authority",
                    rule="authority.offline",
                    remedy="sign the CRL in its ceremony directory and upload it",
                )
            for key in keys:
                record = self._insist(principal, authority, key, why)
            return record

    def _lock(self, name: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(name, threading.Lock())

    def _insist(
        self, principal: Principal, authority: Authority, key: CaKey, why: Due
    ) -> CrlRecord:
        """Issue; again with a new number if another process took and recorded a higher one."""
        for _ in range(_TRIES - 1):
            try:
                return self._issue(principal, authority, key, why)
            except Conflict as conflict:
                if conflict.rule != "crl.number":
                    raise
        return self._issue(principal, authority, key, why)

    def _issue(self, principal: Principal, authority: Authority, key: CaKey, why: Due) -> CrlRecord:
        begun = self._begin(authority, key)
        span = Span(begun.since, begun.number, begun.base)
        with self._store.read() as session:
            seq = session.audit.size()
            parts = parts_due(session, authority, key, Due.ALL if begun.base is None else why)
            found = list(contents(session, authority, span, parts))
        # The full one last: it is the one that is looked at.
        made = [self._make(begun, key, found.pop(), seq) for _ in range(len(found))]
        self._add_up(authority, key, made)
        self._record(principal, key, begun, made)
        for one in made:
            self._publish_newest(one)
        self._withdraw(authority, key, parts_of(authority))
        self._finish(begun)
        last = made[-1]
        return _record_of(last.item, last.der)

    def _add_up(self, authority: Authority, key: CaKey, made: Sequence[_Made]) -> None:
        """Hold the shards against the full CRL, those that were left alone among them."""
        now = {one.item.part: one.item.entries for one in made}
        if "" not in now or not authority.crl_shards:
            return
        with self._store.read() as session:
            lists = session.crl_lists.of(authority.name)
        before = {one.part: one.entries for one in lists if one.label == key.label}
        for generation, count in partitions(authority.crl_shards):
            parts = [shard_part(generation, index) for index in range(count)]
            entries = [now.get(part, before.get(part, 0)) for part in parts]
            adds_up(now[""], entries, whole=all(part in now for part in parts))

    def _make(self, begun: _Begun, key: CaKey, content: Content, seq: int) -> _Made:
        """Sign one, and look at it as a stranger would."""
        authority, part, base = begun.authority, content.part, content.base
        count = content.entries.count
        name = list_name(key.label, part)
        now = self._clock.s()
        wanted = Wanted(
            number=begun.number,
            above=self.files.number(name),
            this_update=now,
            next_update=now + self._lifetime(authority, part),
            entries=count,
            scope=scope_of(authority, key, self._http, part),
            base=base,
            freshest=urls_of(authority, key, self._http, DELTA)
            if authority.crl_delta_every_s and part == ""
            else (),
            expired_since=key.certificate.not_before if authority.crl_keep_expired else None,
        )
        algorithm = algorithm_of(authority, key)
        tbs = crl.tbs(
            issuer=key.certificate.subject_der,
            key_identifier=key.certificate.key_identifier,
            algorithm=algorithm,
            number=wanted.number,
            this_update=wanted.this_update,
            next_update=wanted.next_update,
            entries=content.entries.parts,
            scope=wanted.scope,
            base=wanted.base,
            freshest=wanted.freshest,
            expired_since=wanted.expired_since,
        )
        del content  # of a million entries there are enough copies at any time
        assert key.key_id is not None
        signature = self._vault.sign_crl(key.key_id, algorithm, tbs)
        der = crl.join(tbs, algorithm, signature)
        del tbs
        made_here(key, der, wanted, self._clock.s())
        item = CrlList(
            name=name,
            authority=authority.name,
            number=wanted.number,
            this_update=wanted.this_update,
            next_update=wanted.next_update,
            entries=count,
            sha256=hashlib.sha256(der).hexdigest(),
            size=len(der),
            base=wanted.base,
            seq=seq,
        )
        return _Made(item, der)

    def _lifetime(self, authority: Authority, part: str) -> int:
        """Seconds until nextUpdate, each CRL's a little different where that is wished.

        So that not everybody comes for the next one in the same second.
        """
        lifetime = authority.crl_lifetime_s
        if part == DELTA:
            lifetime = min(lifetime, DELTA_LIVES * authority.crl_delta_every_s)
        most = min(authority.crl_jitter_s, lifetime // 4)
        return lifetime - int.from_bytes(self._entropy(4)) % (most + 1)

    def _begin(self, authority: Authority, key: CaKey) -> _Begun:
        """Strike out wishes and take a number above every number ever seen outside too (I23)."""
        floor = self.files.high_water(key.label, ("", DELTA))
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
            lists = session.crl_lists.of(authority.name)
            since = min([since, *(one.this_update for one in lists if one.label == key.label)])
            if authority.crl_keep_expired:
                since = 0
            base = session.crl_lists.issued_before(
                key.label, authority.name, now - authority.crl_every_s
            )
            return _Begun(authority, number, now, base, since)

        return self._store.write(unit)

    def _record(
        self, principal: Principal, key: CaKey, begun: _Begun, made: Sequence[_Made]
    ) -> None:
        def unit(session: Session) -> None:
            for one in made:
                if not one.item.part:
                    session.crls.add(_record_of(one.item))
                session.crl_lists.put(one.item, one.der)
            if begun.base is not None:
                session.crl_lists.forget_lifted(begun.authority.name, begun.base.seq)
            session.audit.append(
                [_issued(principal, key, one.item) for one in made], self._clock.ms()
            )

        self._store.write(unit)

    def _withdraw(self, authority: Authority, key: CaKey, parts: Sequence[str]) -> None:
        """Take away what is no longer made, before it goes stale where it is found."""
        wanted = {list_name(key.label, part) for part in parts}
        with self._store.read() as session:
            have = session.crl_lists.of(authority.name)
        gone = [one.name for one in have if one.label == key.label and one.name not in wanted]
        if not gone:
            return
        for name in gone:
            self.files.withdraw(name)

        def unit(session: Session) -> None:
            for name in gone:
                session.crl_lists.drop(name)

        self._store.write(unit)

    def _finish(self, begun: _Begun) -> None:
        authority = begun.authority

        def unit(session: Session) -> None:
            if authority.name not in session.crls.due(begun.began_at + RETRY_S - 1):
                session.crls.clear_due(authority.name, begun.began_at + RETRY_S)

        self._store.write(unit)

    def _publish_newest(self, made: _Made) -> None:
        """Publish a CRL just recorded, unless another process has a newer one.

        Looking at the file and replacing it are two steps; a newer CRL that
        was published in between is on record by then, and is put back.
        """
        item = made.item
        if item.number > self.files.number(item.name):
            self.files.publish(item.name, made.der, item.number)
        with self._store.read() as session:
            latest = session.crl_lists.get(item.name)
            if latest is None or latest.number <= item.number:
                return
            self.files.catch_up([latest], session.crl_lists.der)

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
            raise refused(f"no key of {name} signed it", "crl.authority-key")
        if key.key_id is not None:
            raise Conflict(
                f"{name} signs its CRLs here: one from elsewhere would lack what was revoked here",
                field="authority",
                rule="crl.online",
                remedy="`chancery crl issue` makes a new one",
            )
        from_key(key, der, self._clock.s())
        if not decoded.complete:
            raise refused("it does not speak of all certificates of this CA", "crl.partial")
        if not is_for(decoded, authority, key, self._http):
            where = urls_of(authority, key, self._http)[0]
            raise refused(f"it says it is found elsewhere, and not at {where}", "crl.scope")
        if decoded.number <= (before := self.files.number(key.label)):
            raise refused(f"number {decoded.number} is not above {before}", "crl.number")
        item = CrlList(
            name=key.label,
            authority=name,
            number=decoded.number,
            this_update=decoded.this_update,
            next_update=decoded.next_update,
            entries=decoded.entries,
            sha256=hashlib.sha256(der).hexdigest(),
            size=len(der),
        )

        def unit(session: Session) -> None:
            latest = session.crl_lists.get(item.name)
            if latest is not None and latest.sha256 == item.sha256:
                return  # on record, but it could not be published then
            session.crls.add(_record_of(item))
            session.crl_lists.put(item, der)
            session.audit.append(
                [_issued(principal, key, item, action="crl.accepted")], self._clock.ms()
            )

        self._store.write(unit)
        self.files.publish(item.name, der, item.number)
        return _record_of(item, der)


def _record_of(item: CrlList, der: bytes = b"") -> CrlRecord:
    return CrlRecord(
        authority=item.authority,
        number=item.number,
        this_update=item.this_update,
        next_update=item.next_update,
        entries=item.entries,
        der=der,
        name=item.label,
        seq=item.seq,
    )


def _issued(
    principal: Principal, key: CaKey, item: CrlList, *, action: str = "crl.issued"
) -> AuditEvent:
    more: dict[str, Any] = {}
    if item.part:
        more["list"] = item.name
    if item.base is not None:
        more["base"] = item.base
    return event(
        principal,
        action,
        f"{item.authority}/crl/{item.number}",
        authority=item.authority,
        key=key.label,
        number=item.number,
        sha256=item.sha256,
        entries=item.entries,
        next_update=item.next_update,
        **more,
    )
