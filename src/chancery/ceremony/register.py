"""The number register of an offline CA: one JSON line per act, chained by hashes, never rewritten.

It is to the ceremony what the database is to the server: a serial or a CRL
number is written here, durably, before the key is asked to sign it.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chancery.domain.certificate import RevocationReason, RevokedEntry
from chancery.domain.errors import Conflict, Unavailable

_START = "0" * 64


class Register:
    """``register.jsonl``.  One process at a time."""

    def __init__(self, path: Path) -> None:
        """Read it whole; Unavailable if a line was changed, removed or cut."""
        self._path = path
        self._acts: list[dict[str, Any]] = []
        self._head = _START
        for number, line in enumerate(self._lines(), start=1):
            act = _parsed(line)
            if act is None or act.get("previous") != self._head:
                raise Unavailable(
                    f"{path.name} was changed: line {number} does not follow the one before it",
                    field="register",
                    rule="register.chain",
                    remedy="restore the ceremony directory from its last backup",
                )
            self._acts.append(act)
            self._head = hashlib.sha256(line).hexdigest()

    def _lines(self) -> Iterator[bytes]:
        try:
            with self._path.open("rb") as file:
                yield from file
        except FileNotFoundError:
            return

    def write(self, act: str, **facts: Any) -> None:
        """Append one act and make it durable."""
        entry = {"act": act, "previous": self._head, **facts}
        line = json.dumps(entry, sort_keys=True, separators=(",", ":")).encode() + b"\n"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._acts.append(entry)
        self._head = hashlib.sha256(line).hexdigest()

    def next_crl_number(self, above: int = 0) -> int:
        """One above every number that was ever taken, here (finished or not) or by *above*."""
        numbers: list[int] = [act["number"] for act in self._acts if act["act"] == "crl-intended"]
        return max([*numbers, above]) + 1

    def revoke(self, serial: str, reason: RevocationReason, now: int) -> None:
        """Put a revocation on record; Conflict unless we signed that serial and it stands."""
        signed = {act["serial"] for act in self._acts if act["act"] == "certificate-intended"}
        if serial not in signed:
            raise Conflict(
                f"this CA signed no certificate {serial}",
                field="revoke",
                rule="register.serial",
                remedy="the register lists what was signed",
            )
        if any(entry.serial == serial for entry in self.revoked(0)):
            raise Conflict(f"{serial} is revoked already", field="revoke", rule="register.revoked")
        self.write("revoked", serial=serial, reason=reason.value, at=now)

    def revoked(self, unexpired_at: int) -> list[RevokedEntry]:
        """Revoked certificates that had not expired then, in order of revocation."""
        ends = {
            act["serial"]: act["not_after"]
            for act in self._acts
            if act["act"] == "certificate-intended"
        }
        return [
            RevokedEntry(act["serial"], act["at"], RevocationReason(act["reason"]), None)
            for act in self._acts
            if act["act"] == "revoked" and ends[act["serial"]] >= unexpired_at
        ]


def _parsed(line: bytes) -> dict[str, Any] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        act = json.loads(line)
    except ValueError:
        return None
    return act if isinstance(act, dict) else None
