"""The watchdog: looks at CRLs where relying parties look, and calls before it is late.

It trusts nothing that made them: it fetches each published URL, reads what
comes, and holds it against the certificate of the CA.  A CRL that is past
half of its life has missed its replacement at least once.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from chancery.domain.authority import Authority, AuthorityState
from chancery.domain.crl import list_name
from chancery.domain.errors import BadRequest, Unavailable
from chancery.domain.notification import Event
from chancery.domain.publication import Sight, Sighting
from chancery.ports import Clock, Session, Store
from chancery.ports_crl import Fetch
from chancery.services.issuers import CaKey, ca_keys
from chancery.services.notifications import Announcer
from chancery.services.status.crl_checks import from_key
from chancery.services.status.crl_scope import parts_of, urls_of

_log = logging.getLogger(__name__)

AWAY_S: Final = 120
"""A URL that does not answer may be a restart; after this long it is told."""

_GRACE_S: Final = 60


@dataclass(frozen=True, slots=True)
class Target:
    """One published URL, and whose CRL must be there."""

    url: str
    authority: str
    name: str
    key: CaKey


class Watchdog:
    """``run`` belongs to the jobs process, in a thread that no CRL is made in."""

    def __init__(
        self, store: Store, clock: Clock, fetch: Fetch, announcer: Announcer, *, http: str
    ) -> None:
        self._store = store
        self._clock = clock
        self._fetch = fetch
        self._announcer = announcer
        self._http = http
        self._tags: dict[str, str | None] = {}

    def run(self) -> int:
        """Look at every URL once; how many are not as they should be."""
        with self._store.read() as session:
            targets = list(self._targets(session))
            before = {one.url: one for one in session.publications.sightings()}
        seen = [self._look(target, before.get(target.url)) for target in targets]
        gone = sorted(before.keys() - {target.url for target in targets})
        now = self._clock.s()

        def unit(session: Session) -> None:
            session.publications.forget(gone)
            for one in seen:
                session.publications.saw(one)
                if alarming(one, now):
                    self._tell(session, one)

        if seen or gone:
            self._store.write(unit)
        return sum(one.state is not Sight.GOOD for one in seen)

    def _targets(self, session: Session) -> Iterator[Target]:
        now = self._clock.s()
        for authority in session.authorities.all():
            if authority.state is AuthorityState.AWAITING_CERTIFICATE:
                continue
            keys = ca_keys(session.authorities.certificates(authority.name))
            made = {one.name for one in session.crl_lists.of(authority.name)}
            for key in keys:
                if key.certificate.not_after >= now:
                    yield from self._of_key(authority, key, made)

    def _of_key(self, authority: Authority, key: CaKey, made: set[str]) -> Iterator[Target]:
        for part in parts_of(authority):
            name = list_name(key.label, part)
            if name not in made:
                continue
            for url in urls_of(authority, key, self._http, part):
                if url.startswith(("http://", "https://")):
                    yield Target(url, authority.name, name, key)

    def _look(self, target: Target, before: Sighting | None) -> Sighting:
        now = self._clock.s()
        known = before is not None and before.state in (Sight.GOOD, Sight.LATE)
        tag = self._tags.get(target.url) if known else None
        empty = Sighting(
            target.url, target.authority, target.name, Sight.AWAY, "", None, None, None, now, now
        )
        try:
            fetched = self._fetch(target.url, tag)
            if fetched is None:
                assert before is not None  # there was a tag
                found = _judged(before, now)
            else:
                found = self._read(target, fetched.data, empty, before)
                self._tags[target.url] = fetched.tag
        except Unavailable as error:
            last = before or empty
            found = replace(
                empty,
                said=str(error)[:400],
                number=last.number,
                this_update=last.this_update,
                next_update=last.next_update,
            )
        same = before is not None and before.state is found.state
        since = before.since if same and before is not None else now
        return replace(found, seen_at=now, since=since)

    def _read(
        self, target: Target, data: bytes, empty: Sighting, before: Sighting | None
    ) -> Sighting:
        now = self._clock.s()
        try:
            decoded = from_key(target.key, data, now)
        except BadRequest as error:
            if error.rule != "crl.dates":
                return replace(empty, state=Sight.WRONG, said=str(error)[:400])
            return replace(empty, state=Sight.EXPIRED, said="it has expired, or is not yet valid")
        found = replace(
            empty,
            number=decoded.number,
            this_update=decoded.this_update,
            next_update=decoded.next_update,
        )
        if before is not None and before.number is not None and decoded.number < before.number:
            said = f"its number fell from {before.number} to {decoded.number}"
            return replace(found, state=Sight.WRONG, said=said)
        return _judged(found, now)

    def _tell(self, session: Session, one: Sighting) -> None:
        data = {
            "authority": one.authority,
            "number": one.number or 0,
            "this_update": one.this_update or one.since,
            "next_update": one.next_update or one.since,
            "expired": one.state is Sight.EXPIRED,
            "found": f"{one.url}: {one.said}",
        }
        mark = f"crl-seen/{one.url}/{one.state}/{one.since}"
        if not session.notifications.marked([mark]):
            _log.warning("%s is %s: %s", one.url, one.state, one.said)
            self._announcer.tell(session, Event.CRL_LATE, one.authority, data, mark=mark)


def _judged(found: Sighting, now: int) -> Sighting:
    """*found* by its age alone."""
    assert found.this_update is not None
    assert found.next_update is not None
    life = found.next_update - found.this_update
    if now >= found.next_update:
        return replace(found, state=Sight.EXPIRED, said="it has expired")
    if now > found.this_update + life // 2 + min(_GRACE_S, life // 20):
        return replace(found, state=Sight.LATE, said="it is past half of its life")
    return replace(found, state=Sight.GOOD, said="")


def alarming(one: Sighting, now: int) -> bool:
    """Whether somebody is to be called."""
    if one.state is Sight.AWAY:
        return now - one.since >= AWAY_S
    return one.state is not Sight.GOOD
