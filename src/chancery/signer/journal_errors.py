"""What the journal says when it cannot go on, and what to do about it."""

from chancery.domain.errors import Unavailable
from chancery.signer.journal_format import Broken


def broken(flaw: Broken) -> Unavailable:
    return Unavailable(
        f"the signer's journal is not as it was written: {flaw}",
        field="journal",
        rule="journal.broken",
        remedy="do not delete it: restore it from a backup, and find out who changed it",
    )


def in_use() -> Unavailable:
    return Unavailable(
        "another signer is using this journal",
        field="journal",
        rule="journal.locked",
        remedy="stop it first: two signers would not know of each other's serials",
    )


def unwritable(error: OSError) -> Unavailable:
    return Unavailable(
        f"the signer's journal cannot be written ({error.strerror}); nothing was signed",
        rule="journal.write",
        remedy="make room on its disk",
    )


def clock_behind() -> Unavailable:
    return Unavailable(
        "the clock is behind the signer's newest record",
        rule="journal.clock",
        remedy="set the machine's clock",
    )
