"""What happened to the seal while no record could be reached: a file that the audit log takes up.

A sealed signer has no database, and whoever changes custodians may do so
while the service is down.  Each line is one event, durable before the answer.
"""

import json
import os
import secrets
import time
from pathlib import Path
from typing import Final

EVENTS: Final = "custody-events.jsonl"
_MOST: Final = 4 * 1024 * 1024  # octets; refusals beyond it are in the log of the process alone


def note(
    directory: Path, action: str, subject: str, *, failed: bool = False, **details: object
) -> None:
    """Append one event to the file in the vault's *directory* and make it durable."""
    path = directory / EVENTS
    if failed and path.exists() and path.stat().st_size > _MOST:
        return
    event = {
        "id": secrets.token_hex(8),
        "time": int(time.time()),
        "action": action,
        "subject": subject,
        "failed": failed,
        "details": details,
    }
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, json.dumps(event, sort_keys=True).encode() + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
