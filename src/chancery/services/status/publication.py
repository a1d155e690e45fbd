"""Copies of what is published, at every other place that relying parties look at.

The record says what is in force; each destination is brought up to it, file
by file, and tried again for as long as it takes.
"""

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NoReturn

from chancery.domain.errors import CAError, Unavailable
from chancery.domain.identity import Permission, Principal
from chancery.domain.publication import Publication, Sighting
from chancery.ports import Clock, Publisher, Session, Store
from chancery.ports_crl import Destination
from chancery.services.access import demand
from chancery.services.audit import event
from chancery.services.issuers import ca_keys
from chancery.services.status.crl_files import file_name

_log = logging.getLogger(__name__)

_FIRST_S: Final = 5
_LONGEST_S: Final = 300
_MAX_AGE_S: Final = 300
DIRECTORY: Final = "http"
"""The name under which the directory of this machine is told of, which HTTP serves."""


class _Failed(Exception):
    """A place did not take a file; it is on record."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that should be everywhere.  *sha256* of its content, *since* Unix seconds."""

    file: str
    sha256: str
    since: int


@dataclass(frozen=True, slots=True)
class Standing:
    """One publisher: how many of its *files* are *behind*, and what stands in its way."""

    publisher: str
    files: int
    behind: int
    published_at: int | None
    error: str | None
    next_at: int | None
    attempts: int


class PublicationService:
    """See the module.  ``run`` belongs to one process of each machine."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        here: Publisher,
        destinations: Sequence[Destination] = (),
    ) -> None:
        self._store = store
        self._clock = clock
        self._here = here
        self._destinations = destinations

    def run(self) -> int:
        """Put everywhere what is newer than there; how many files got where they belong.

        A place that fails is left alone until the next run: others wait for
        this thread, and each of its files would wait as long again.
        """
        with self._store.read() as session:
            wanted = list(_wanted(session))
            known = {(one.publisher, one.file): one for one in session.publications.all()}
        names = {one.name for one in self._destinations}
        if any(publisher not in names for publisher, _ in known):  # no longer in the settings
            self._store.write(lambda session: session.publications.keep(sorted(names)))
        return sum(self._bring_all(one, wanted, known) for one in self._destinations)

    def _bring_all(
        self,
        destination: Destination,
        wanted: Sequence[Wanted],
        known: Mapping[tuple[str, str], Publication],
    ) -> int:
        done = 0
        files = {one.file for one in wanted}
        mine = [one for (name, _), one in known.items() if name == destination.name]
        try:
            for one in wanted:
                if destination.takes(one.file):
                    done += self._bring(destination, one, known.get((destination.name, one.file)))
            for former in mine:
                if former.file not in files:
                    self._take_away(destination, former)
        except _Failed:
            pass
        return done

    def _bring(self, destination: Destination, wanted: Wanted, known: Publication | None) -> bool:
        now = self._clock.s()
        if known is not None and (known.sha256 == wanted.sha256 or known.next_at > now):
            return False
        before = known or Publication(destination.name, wanted.file, None, None, 0, None, 0)
        try:
            data = self._here.published(wanted.file)
            if data is None or hashlib.sha256(data).hexdigest() != wanted.sha256:
                return False  # being replaced at this moment, or made on another machine
            destination.put(wanted.file, data, max_age_s=_MAX_AGE_S)
        except CAError as error:
            self._failed(before, error)
        row = Publication(destination.name, wanted.file, wanted.sha256, now, 0, None, 0)
        self._store.write(lambda session: session.publications.put(row))
        return True

    def _take_away(self, destination: Destination, former: Publication) -> None:
        """What is no longer made goes, before it is stale where it is found."""
        if former.next_at > self._clock.s():
            return
        try:
            if destination.takes(former.file):
                destination.remove(former.file)
        except CAError as error:
            self._failed(former, error)
        name, file = former.publisher, former.file
        self._store.write(lambda session: session.publications.drop(name, file))

    def _failed(self, before: Publication, error: CAError) -> NoReturn:
        """Note it, and when it is tried again."""
        _log.warning("%s is not at %s: %s", before.file, before.publisher, error)
        attempts = before.attempts + 1
        wait = min(_FIRST_S << min(attempts - 1, 10), _LONGEST_S)
        row = replace(
            before, attempts=attempts, error=str(error)[:400], next_at=self._clock.s() + wait
        )
        self._store.write(lambda session: session.publications.put(row))
        raise _Failed

    def standings(self, principal: Principal) -> list[Standing]:
        """Each publisher, the directory of this machine first."""
        demand(principal, Permission.AUTHORITY_READ)
        with self._store.read() as session:
            wanted = list(_wanted(session))
            known = session.publications.all()
        names = [one.name for one in self._destinations]
        found = [self._directory(wanted)]
        for name, destination in zip(names, self._destinations, strict=True):
            mine = {one.file: one for one in known if one.publisher == name}
            found.append(_standing(destination, wanted, mine))
        return found

    def sightings(self, principal: Principal) -> list[Sighting]:
        """What the watchdog saw last at each published URL."""
        demand(principal, Permission.AUTHORITY_READ)
        with self._store.read() as session:
            return session.publications.sightings()

    def retry(self, principal: Principal, publisher: str) -> None:
        """Try again now what failed there."""
        demand(principal, Permission.CRL_ISSUE)

        def unit(session: Session) -> None:
            for one in session.publications.all():
                if one.publisher == publisher and one.attempts:
                    session.publications.put(replace(one, next_at=0))
            told = event(principal, "publication.retried", publisher)
            session.audit.append([told], self._clock.ms())

        self._store.write(unit)

    def _directory(self, wanted: Sequence[Wanted]) -> Standing:
        behind = error = None
        try:
            behind = sum(self._here.stamp(one.file) is None for one in wanted)
        except Unavailable as away:
            error = f"{away}: {away.remedy}"
        last = max((one.since for one in wanted), default=None)
        missing = len(wanted) if behind is None else behind
        return Standing(DIRECTORY, len(wanted), missing, last, error, None, 0)


def _wanted(session: Session) -> Iterator[Wanted]:
    for authority in session.authorities.all():
        for item in session.crl_lists.of(authority.name):
            yield Wanted(file_name(item.name), item.sha256, item.this_update)
        for key in ca_keys(session.authorities.certificates(authority.name)):
            der = key.certificate.der
            digest = hashlib.sha256(der).hexdigest()
            yield Wanted(f"ca/{key.label}.cer", digest, key.certificate.not_before)


def _standing(
    destination: Destination, wanted: Sequence[Wanted], known: dict[str, Publication]
) -> Standing:
    files = [one for one in wanted if destination.takes(one.file)]
    behind = [one for one in files if one.file not in known or known[one.file].sha256 != one.sha256]
    failed = [known[one.file] for one in behind if one.file in known and known[one.file].attempts]
    worst = max(failed, key=lambda one: one.attempts, default=None)
    return Standing(
        publisher=destination.name,
        files=len(files),
        behind=len(behind),
        published_at=max((one.published_at or 0 for one in known.values()), default=0) or None,
        error=worst.error if worst is not None else None,
        next_at=min((one.next_at for one in failed), default=None),
        attempts=worst.attempts if worst is not None else 0,
    )
