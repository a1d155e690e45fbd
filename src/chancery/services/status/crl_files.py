"""CRLs as relying parties fetch them: a file for each, and beside them the highest number."""

import logging
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from chancery.domain.crl import CrlList, list_name
from chancery.domain.errors import BadRequest
from chancery.ports import Publisher
from chancery.services.issuers import is_label
from chancery.wire import crl

_log = logging.getLogger(__name__)

_FRESH_S: Final = 1.0
"""How long another process's CRL may go unseen, in seconds."""
_PART: Final = re.compile(r"[a-z]{2,16}|[0-9]{1,3}(\.[2-9])?")


def file_name(name: str) -> str:
    """The published file of a CRL; *name* as in ``domain.crl.CrlList``."""
    return f"crl/{name}.crl"


def is_list_name(text: str) -> bool:
    """Whether *text*, which comes from a URL, can name a CRL at all."""
    label, slash, part = text.partition("/")
    return is_label(label) and (not slash or _PART.fullmatch(part) is not None)


def _mark_name(label: str) -> str:
    return f"crl/{label}.number"


@dataclass(frozen=True, slots=True)
class _Published:
    """A CRL as it stands in its file.  *stamp* is the file's, *looked_at* monotonic seconds."""

    stamp: object
    der: bytes
    looked_at: float


class CrlFiles:
    """The published CRLs.  Safe for concurrent use."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._latest: dict[str, _Published] = {}
        self._numbers: dict[str, tuple[object, int]] = {}

    def latest(self, name: str) -> bytes | None:
        """The CRL in force of that name, kept while its file is the same.

        The answer is the same object until there is a newer CRL, whichever
        process made it; the file is looked at once in *_FRESH_S*.
        """
        kept = self._latest.get(name)
        if kept is not None and time.monotonic() - kept.looked_at < _FRESH_S:
            return kept.der
        stamp = self._publisher.stamp(file_name(name))
        if kept is None or kept.stamp != stamp:
            der = self._publisher.published(file_name(name))
            if der is None:
                self._latest.pop(name, None)
                return None
            if kept is not None and kept.der == der:
                der = kept.der
        else:
            der = kept.der
        # A file replaced since the stamp was taken shows by another stamp next time.
        self._latest[name] = _Published(stamp, der, time.monotonic())
        return der

    def high_water(self, label: str, parts: Sequence[str] = ("",)) -> int:
        """The highest number known from files, whatever the database remembers."""
        highest = 0
        if (mark := self._publisher.published(_mark_name(label))) is not None:
            highest = int(mark) if mark.strip().isdigit() else 0
        return max(highest, *(self.number(list_name(label, part)) for part in parts))

    def number(self, name: str) -> int:
        """The number of the published CRL of that name; 0 if there is none."""
        stamp = self._publisher.stamp(file_name(name))
        if stamp is None:
            return 0
        known = self._numbers.get(name)
        if known is None or known[0] != stamp:
            published = self._publisher.published(file_name(name))
            try:
                number = crl.decode(published).number if published is not None else 0
            except BadRequest:
                _log.warning("published file %s is no CRL", file_name(name))
                number = 0
            known = self._numbers[name] = (stamp, number)
        return known[1]

    def publish(self, name: str, der: bytes, number: int) -> None:
        """Replace the file; the highest number goes first."""
        label = name.partition("/")[0]
        if (mark := self._publisher.published(_mark_name(label))) is None or not (
            mark.strip().isdigit() and int(mark) >= number
        ):
            self._publisher.publish(_mark_name(label), str(number).encode())
        self._publisher.publish(file_name(name), der)
        self._numbers[name] = (self._publisher.stamp(file_name(name)), number)
        self._latest.pop(name, None)  # read again by whoever asks; this process may never do

    def withdraw(self, name: str) -> None:
        """Remove a CRL that is no longer made."""
        self._publisher.withdraw(file_name(name))
        self._latest.pop(name, None)

    def catch_up(self, lists: Sequence[CrlList], read: Callable[[str], bytes | None]) -> int:
        """Publish what is on record and newer than its file: lost here, or made elsewhere."""
        behind = [item for item in lists if self.number(item.name) < item.number]
        for item in behind:
            if (der := read(item.name)) is not None:
                self.publish(item.name, der, item.number)
        return len(behind)
