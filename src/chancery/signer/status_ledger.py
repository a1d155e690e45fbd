"""What keys of responders and of doors did: counted at once, in the journal within a second.

A status answer is no certificate: nobody can do more with one than its few
hours allow, and a key made for OCSP signs nothing else.  So its signatures
leave without waiting for the disk, and one entry stands for all that a key
signed in a second: how many, and one hash over what they were made of.
A crash loses the count of the last second, and nothing else.
"""

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from chancery.domain.errors import Unavailable
from chancery.signer.journal import Draft, Journal, Operation

CHECK_EVERY: Final = 64
"""Signatures of a key of which one is verified, by scheme ``by_batch`` (see ``keypair.Way``)."""

EVERY_S: Final = 1.0
"""Seconds between two entries for one key, while it signs."""


_COUNTED: Final = {Operation.DECRYPTED: "decryptions"}


@dataclass(slots=True)
class _Open:
    count: int = 0
    digest: Any = field(default_factory=hashlib.sha256)


class StatusLedger:
    """Counts for the journal.  Safe for concurrent use.

    While the journal takes nothing (a full disk) the counts wait, in bounded
    memory, and answers go on: who asks about a certificate must hear.
    """

    def __init__(self, journal: Journal, *, every_s: float = EVERY_S) -> None:
        self._journal = journal
        self._every_s = every_s
        self._lock = threading.Lock()
        self._open: dict[tuple[str, Operation], _Open] = {}
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        self._unchecked: dict[str, int] = {}

    def to_check(self, key_id: str, signatures: int) -> bool:
        """Whether the last of these is to be verified: one in CHECK_EVERY, and the first ever."""
        unchecked = self._unchecked.get(key_id, CHECK_EVERY) + signatures
        due = unchecked >= CHECK_EVERY
        self._unchecked[key_id] = 0 if due else unchecked
        return due

    def note(
        self, key_id: str, tbss: Sequence[bytes], operation: Operation = Operation.OCSP
    ) -> None:
        """*key_id* signed these; it will be on record within a second."""
        with self._lock:
            one = self._open.setdefault((key_id, operation), _Open())
            one.count += len(tbss)
            for tbs in tbss:
                one.digest.update(tbs)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="status", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Put on record what waits; call before the journal is closed."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(self._every_s + 1)
        self._flush()

    def _run(self) -> None:
        while not self._closing.wait(self._every_s):
            self._flush()

    def _flush(self) -> None:
        with self._lock:
            taken, self._open = self._open, {}
        if not taken:
            return
        drafts = [
            Draft(
                operation,
                key_id,
                tbs_sha256=one.digest.digest(),
                detail={_COUNTED.get(operation, "signatures"): str(one.count)},
            )
            for (key_id, operation), one in taken.items()
        ]
        try:
            self._journal.append(drafts)
        except Unavailable:
            self._keep(taken)

    def _keep(self, taken: dict[tuple[str, Operation], _Open]) -> None:
        """Count on: the entry that goes through in the end stands for all of them."""
        with self._lock:
            for what, later in self._open.items():
                if (first := taken.get(what)) is None:
                    taken[what] = later
                else:
                    first.count += later.count
                    first.digest.update(later.digest.digest())
            self._open = taken
