"""The log on a device: a line for each thing done with it, each bound to the one before."""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from chancery.adapters.backup.files import sync_directory
from chancery.wire import documents


def note(path: Path, at: int, what: str, details: Mapping[str, object]) -> None:
    """Add a line, durably.  Raises OSError."""
    last = path.read_bytes().splitlines()[-1:] if path.exists() else []
    before = hashlib.sha256(last[0]).hexdigest() if last else ""
    line = {"at": at, "what": what, "before": before, **details}
    with path.open("ab") as file:
        file.write(documents.encode(line) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    sync_directory(path.parent)


def read(path: Path) -> list[dict[str, object]]:
    """Oldest first; ``altered`` stands where a line does not fit the one before."""
    found: list[dict[str, object]] = []
    before = ""
    with contextlib.suppress(OSError, ValueError):
        for line in path.read_bytes().splitlines():
            entry = json.loads(line)
            if not isinstance(entry, dict) or entry.get("before") != before:
                found.append({"what": "altered"})
                break
            before = hashlib.sha256(line).hexdigest()
            found.append({name: value for name, value in entry.items() if name != "before"})
    return found
