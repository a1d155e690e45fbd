"""Audit events, and the bytes that stand for them in the Merkle tree."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    SUCCESS = "success"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """Who did what to which object, how it ended.

    *action* is ``noun.verb`` in the past tense (``request.submitted``,
    ``certificate.issued``, ``login.failed``).  *subject_id* names the object
    (request id, authority/serial, account).  *details* holds hashes and short
    texts: never a secret, never a key.
    """

    action: str
    actor: str
    method: str
    origin: str
    subject_id: str
    outcome: Outcome = Outcome.SUCCESS
    details: Mapping[str, Any] = field(default_factory=dict)


def leaf_bytes(seq: int, time_ms: int, event: AuditEvent) -> bytes:
    """The canonical encoding of one record: JSON, keys sorted, no spaces, UTF-8 (RFC 8785).

    *seq* counts from 0 and is the leaf's index in the tree; *time_ms* is Unix
    milliseconds and never decreases.  Details hold only strings, integers,
    booleans, null, and lists or objects of these, so that plain ``json`` gives
    the canonical form.
    """
    return json.dumps(
        {
            "action": event.action,
            "actor": event.actor,
            "details": event.details,
            "method": event.method,
            "origin": event.origin,
            "outcome": event.outcome.value,
            "seq": seq,
            "subject": event.subject_id,
            "time": time_ms,
        },
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    ).encode()


def leaf_hash(leaf: bytes) -> bytes:
    """RFC 9162 §2.1.1: HASH(0x00 || d)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One leaf as stored."""

    seq: int
    time_ms: int
    leaf: bytes
    hash: bytes

    @property
    def event(self) -> AuditEvent:
        """What the leaf says; decoded when asked, because hashing a log needs only the leaves."""
        fields = json.loads(self.leaf)
        return AuditEvent(
            action=fields["action"],
            actor=fields["actor"],
            method=fields["method"],
            origin=fields["origin"],
            subject_id=fields["subject"],
            outcome=Outcome(fields["outcome"]),
            details=fields["details"],
        )
