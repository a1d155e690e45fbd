"""Statuses and answers that are kept, and how they are found to be out of date."""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from chancery.domain.status import CertificateKey

_MOST: Final = 20_000
"""Certificates kept: about 1 KiB each with an EC responder, 3 KiB with RSA."""

_CHANCES: Final = 8  # second rounds given for one that goes: nobody waits for a walk over all

_FORGET: Final = 50_000
"""Changes remembered, so that what was read before them is not kept after them."""


class KeptAnswer:
    """A signed OCSPResponse.  Times are Unix seconds; *until*: sign anew from then on."""

    __slots__ = ("asked", "der", "live", "next_update", "this_update", "until")

    def __init__(self, der: bytes, this_update: int, next_update: int, until: int) -> None:
        self.der = der
        self.this_update = this_update
        self.next_update = next_update
        self.until = until
        self.live = True  # False: the record says otherwise by now
        self.asked = True  # since it was signed

    def serves(self, now: int) -> bool:
        """Also a clock that was set back is no reason to say what is not yet so."""
        self.asked = True
        return self.live and self.this_update <= now < self.until


class _Place:
    __slots__ = ("answers", "as_of", "status", "used")

    def __init__(self, status: bytes, as_of: int) -> None:
        self.status = status
        self.as_of = as_of
        self.answers: dict[bytes, KeptAnswer] = {}
        self.used = False


class Memory:
    """Bounded.  Reading needs no lock; whoever writes holds one."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        # Not a dict: finding its first key walks over all that were removed before it.
        self._places: OrderedDict[CertificateKey, _Place] = OrderedDict()
        self._changes: dict[CertificateKey, int] = {}
        self._floor = 0
        self.as_of = 0
        """The moment up to which changes are known."""

    def answer(self, key: CertificateKey, cert_id: bytes) -> KeptAnswer | None:
        place = self._places.get(key)
        if place is None:
            return None
        place.used = True
        return place.answers.get(cert_id)

    def status(self, key: CertificateKey) -> tuple[bytes, int] | None:
        """(CertStatus, moment of its reading)."""
        place = self._places.get(key)
        if place is None:
            return None
        place.used = True
        return place.status, place.as_of

    def note(self, key: CertificateKey, status: bytes, as_of: int) -> None:
        """Keep what was read at *as_of*, unless something changed after that."""
        with self._lock:
            if self._stale(key, as_of):
                return
            place = self._places.get(key)
            if place is None or place.status != status:
                self._make_room()
                self._places[key] = _Place(status, as_of)

    def keep(self, key: CertificateKey, cert_id: bytes, answer: KeptAnswer, as_of: int) -> None:
        """Keep an answer that says what was read at *as_of*; else it serves only this once."""
        with self._lock:
            place = self._places.get(key)
            if place is None or self._stale(key, as_of):
                answer.live = False
                return
            before = place.answers.get(cert_id)
            if before is not None:
                answer.asked = False
            place.answers[cert_id] = answer

    def changed(
        self, keys: Iterable[CertificateKey], as_of: int
    ) -> list[tuple[CertificateKey, bytes]]:
        """These changed before *as_of*.  Return the answers that were kept about them."""
        replaced = []
        with self._lock:
            for key in keys:
                self._changes[key] = as_of
                place = self._places.pop(key, None)
                if place is not None:
                    replaced += [(key, cert_id) for cert_id in _end(place)]
            if len(self._changes) > _FORGET:
                self._changes.clear()
                self._floor = as_of
            self.as_of = as_of
        return replaced

    def clear(self, as_of: int) -> None:
        """Anything may have changed before *as_of*."""
        with self._lock:
            for place in self._places.values():
                _end(place)
            self._places.clear()
            self._changes.clear()
            self._floor = self.as_of = as_of

    def due(self, now: int, most: int) -> list[tuple[CertificateKey, bytes]]:
        """Answers near their end that somebody asked for; those that nobody did are let go."""
        found: list[tuple[CertificateKey, bytes]] = []
        with self._lock:
            for key, place in self._places.items():
                for cert_id, answer in list(place.answers.items()):
                    ahead = (answer.until - answer.this_update) // 10
                    if now < answer.until - ahead:
                        continue
                    if answer.asked and len(found) < most:
                        answer.asked = False
                        found.append((key, cert_id))
                    elif now >= answer.until:
                        answer.live = False
                        del place.answers[cert_id]
        return found

    def _stale(self, key: CertificateKey, as_of: int) -> bool:
        return as_of < self._floor or as_of < self._changes.get(key, 0)

    def _make_room(self) -> None:
        """Let the oldest go; one that was used since gets a second round."""
        chances = _CHANCES
        while len(self._places) >= self._most:
            key, place = self._places.popitem(last=False)
            if place.used and chances:
                chances -= 1
                place.used = False
                self._places[key] = place
            else:
                _end(place)


def _end(place: _Place) -> list[bytes]:
    for answer in place.answers.values():
        answer.live = False
    return list(place.answers)
