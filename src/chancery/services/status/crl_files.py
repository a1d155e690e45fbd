"""CRLs as relying parties fetch them: one file for each key, and its number beside it."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from chancery.domain.authority import CrlRecord
from chancery.domain.errors import BadRequest
from chancery.ports import Publisher
from chancery.services.issuers import CaKey
from chancery.wire import crl

_log = logging.getLogger(__name__)


def file_name(label: str) -> str:
    return f"crl/{label}.crl"


def _mark_name(label: str) -> str:
    return f"crl/{label}.number"


_FRESH_S = 1.0
"""How long another process's CRL may go unseen, in seconds."""


@dataclass(frozen=True, slots=True)
class _Published:
    """A CRL as it stands in its file.  *mark* is its number, *looked_at* monotonic seconds."""

    mark: bytes
    der: bytes
    looked_at: float


class CrlFiles:
    """The published CRLs.  Safe for concurrent use."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._latest: dict[str, _Published] = {}

    def latest(self, label: str) -> bytes | None:
        """The CRL in force for a key: the published file, kept while its number stands.

        The answer is the same object until there is a newer CRL, whichever
        process made it; the number is looked at once in *_FRESH_S*.
        """
        kept = self._latest.get(label)
        if kept is not None and time.monotonic() - kept.looked_at < _FRESH_S:
            return kept.der
        mark = self._publisher.published(_mark_name(label))
        # The number is published before the CRL: only a file that carries it counts as read.
        if kept is None or kept.mark != mark:
            der = self._publisher.published(file_name(label))
            if der is None:
                return None
            mark = str(crl.decode(der).number).encode()
            kept = _Published(mark, der, time.monotonic())
        else:
            kept = _Published(kept.mark, kept.der, time.monotonic())
        self._latest[label] = kept
        return kept.der

    def high_water(self, label: str) -> int:
        """The highest number known from files, whatever the database remembers."""
        highest = 0
        if (mark := self._publisher.published(_mark_name(label))) is not None:
            highest = int(mark) if mark.strip().isdigit() else 0
        return max(highest, self.number_in_force(label))

    def number_in_force(self, label: str) -> int:
        """The number of the published CRL; 0 if there is none."""
        published = self._publisher.published(file_name(label))
        if published is None:
            return 0
        try:
            return crl.decode(published).number
        except BadRequest:
            _log.warning("published file %s is no CRL", file_name(label))
            return 0

    def publish(self, label: str, der: bytes, number: int) -> None:
        """Replace the file; the number goes first."""
        self._publisher.publish(_mark_name(label), str(number).encode())
        self._publisher.publish(file_name(label), der)
        self._latest[label] = _Published(str(number).encode(), der, time.monotonic())

    def put_back(self, keys: Sequence[CaKey], record: CrlRecord) -> None:
        """Publish a CRL on record if its file is missing, and only then."""
        identifier = crl.decode(record.der).key_identifier
        for key in keys:
            missing = self._publisher.published(file_name(key.label)) is None
            if key.certificate.key_identifier == identifier and missing:
                self.publish(key.label, record.der, record.number)
