"""Whether who vouched for an account still does, asked again when that was too long ago.

An account of a directory whose word is older than ``recheck`` is asked for
before it acts.  Gone or inactive there: it opens nothing.  No answer: it may
look, and not act.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from chancery.domain.directory import Vouched
from chancery.domain.errors import Conflict, NotAuthenticated, Unavailable
from chancery.domain.identity import User
from chancery.ports import Clock, Store
from chancery.services.identity.sources import DirectorySource, ProviderSource
from chancery.services.identity.vouching import Vouching

_RETRY_S: Final = 5
"""How long an answer that takes authority away is believed without asking again."""
_MOST: Final = 10_000
_LOCKS: Final = 16


@dataclass(frozen=True, slots=True)
class Word:
    """What was found, and until when (Unix seconds) nobody asks again."""

    until: int
    away: str = ""  # the directory that did not answer
    gone: str = ""  # why the account opens nothing


class StandingCheck:
    """Safe for concurrent use; of several who ask about one account, one asks the directory."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        vouching: Vouching,
        directories: Iterable[DirectorySource],
        providers: Iterable[ProviderSource],
    ) -> None:
        self._store = store
        self._clock = clock
        self._vouching = vouching
        self._directories = {one.source.name: one for one in directories}
        self._providers = {one.source.name: one for one in providers}
        self._words: dict[str, Word] = {}
        self._locks = [threading.Lock() for _ in range(_LOCKS)]

    def admitted(self, name: str, source: DirectorySource) -> None:
        """The directory has just vouched for *name*."""
        self._keep(name, Word(self._clock.s() + source.recheck_s))

    def current(self, user: User) -> str:
        """Return "" if *user* stands as before, else the name of the directory that is away.

        Raises NotAuthenticated if nobody vouches for the account any more.  Not
        to be called in a unit of work: it may wait for a directory.
        """
        if user.directory is None:
            return ""
        if (word := self._known(user.name)) is None:
            with self._locks[hash(user.name) % _LOCKS]:
                word = self._known(user.name) or self._asked(user)
        if word.gone:
            raise NotAuthenticated(
                word.gone,
                field="authorization",
                rule="directory.gone",
                remedy="sign in again, or ask who runs the directory",
            )
        return word.away

    def _known(self, name: str) -> Word | None:
        word = self._words.get(name)
        return word if word is not None and self._clock.s() < word.until else None

    def _keep(self, name: str, word: Word) -> Word:
        if len(self._words) >= _MOST:
            self._words.clear()
        self._words[name] = word
        return word

    def _asked(self, user: User) -> Word:
        assert user.directory is not None
        with self._store.read() as session:
            vouched = session.vouched.of(user.name)
        if source := self._directories.get(user.directory):
            return self._keep(user.name, self._of_directory(source, user, vouched))
        if provider := self._providers.get(user.directory):
            return self._of_provider(provider, vouched)
        gone = f"{user.directory}, which vouched for {user.name}, is in the settings no longer"
        return Word(0, gone=gone)

    def _of_directory(self, source: DirectorySource, user: User, vouched: Vouched | None) -> Word:
        now, name = self._clock.s(), source.source.name
        gone = f"the directory {name} does not vouch for {user.name} any more"
        if vouched is None or vouched.source != source.source.key:
            return Word(now + _RETRY_S, gone=gone)
        try:
            person = source.directory.again(vouched.subject)
            if person is not None:
                self._vouching.update(source.source, vouched, person)
                return Word(now + source.recheck_s)
        except Unavailable:
            return Word(now + _RETRY_S, away=name)
        except Conflict as refused:  # two of one identifier, or roles of two classes
            gone = str(refused)
        self._vouching.forget(source.source, user.name)
        return Word(now + _RETRY_S, gone=gone)

    def _of_provider(self, source: ProviderSource, vouched: Vouched | None) -> Word:
        """A provider cannot be asked: its word of the last sign-in lasts for a while."""
        name = source.source.name
        if vouched is None or vouched.source != source.source.key:
            return Word(0, gone=f"{name} does not vouch for this account")
        if self._clock.s() >= vouched.vouched_at + source.standing_s:
            return Word(0, gone=f"the last sign-in through {name} is too long ago")
        return Word(0)
