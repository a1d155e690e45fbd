"""A vault and its journal belong together: another journal would not know the serials taken."""

from pathlib import Path
from typing import Final

from chancery.domain.errors import Unavailable
from chancery.signer import files, sealing
from chancery.signer.journal import Journal
from chancery.signer.vault import Vault, pretty, read_envelope

PAIR: Final = "journal.json"
_FORMAT: Final = "chancery-journal-1"


def pair(vault: Vault, journal: Journal, directory: Path) -> None:
    """Note in the vault's *directory* which journal it has, or check it against the note.

    Raises Unavailable for another journal, a new and empty one too.
    """
    path = directory / PAIR
    metadata = {"format": _FORMAT, "vault": vault.id, "journal": journal.identity}
    if not path.exists():
        note = {"metadata": metadata, **vault.wrap(bytearray(), metadata)}
        files.replace(path, pretty(note), fresh=True)
        return
    envelope = read_envelope(path, _FORMAT)
    try:
        vault.unwrap(envelope)
        genuine = envelope["metadata"] == metadata
    except sealing.Tampered:
        genuine = False
    if not genuine:
        raise Unavailable(
            "this is not the journal that belongs to the vault: it does not know its serials",
            field="journal",
            rule="journal.foreign",
            remedy=f"give the right directory, or restore the journal together with {PAIR}",
        )
