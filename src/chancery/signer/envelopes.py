"""Sealed files: their outer shape, and what is said of one that does not open."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from chancery.domain.errors import Unavailable
from chancery.signer import files

_MAX_FILE: Final = 256 * 1024  # octets; the largest key file holds a key and its CA certificate


def read_envelope(path: Path, form: str) -> dict[str, Any]:
    """Read a sealed file's outer shape; what is inside is believed only once it unwraps."""
    raw = files.read_private(path, limit=_MAX_FILE)
    try:
        envelope = json.loads(raw)
        sound = (
            isinstance(envelope, dict)
            and set(envelope) == {"metadata", "nonce", "wrapped"}
            and isinstance(envelope["nonce"], str)
            and isinstance(envelope["wrapped"], str)
            and isinstance(envelope["metadata"], dict)
            and envelope["metadata"].get("format") == form
        )
    except (ValueError, RecursionError):
        sound = False
    if not sound:
        raise altered(path)
    document: dict[str, Any] = envelope
    return document


def altered(path: Path) -> Unavailable:
    """The answer where a sealed file is not what was written."""
    return Unavailable(
        f"{path.name} was changed outside the vault and does not open",
        field="vault",
        rule="vault.tampered",
        remedy="restore the file from a backup, and find out who changed it",
    )


def pretty(document: Mapping[str, object]) -> bytes:
    """JSON for a file that people look at."""
    return json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"
