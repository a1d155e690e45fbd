"""What happened to the vault's seal while no record was at hand, taken up into the audit log."""

import json
from collections.abc import Sequence
from typing import Any, Final

from chancery.app.office import Office
from chancery.domain.audit import Outcome
from chancery.domain.identity import SYSTEM
from chancery.ports import Session
from chancery.services.audit import event
from chancery.signer.unseal import record
from chancery.wire import custody

_TAKEN: Final = "custody-events.taken"


def take_up_events(office: Office) -> int:
    """Put on record what was noted beside the vault while no record was at hand; how many.

    A crash between the commit and the removal of the file repeats nothing:
    each event has an id.
    """
    directory = office.settings.signer.vault
    noted, taken = directory / record.EVENTS, directory / _TAKEN
    if not taken.exists():
        try:
            noted.rename(taken)
        except FileNotFoundError:
            return 0
    events = [json.loads(line) for line in taken.read_bytes().splitlines() if line.endswith(b"}")]
    count: int = office.store.write(lambda session: _append(session, events, office.clock.ms()))
    taken.unlink()
    return count


def _append(session: Session, events: Sequence[dict[str, Any]], now_ms: int) -> int:
    leaves = []
    for one in events:
        known = session.audit.find(action=one["action"], subject_id=one["subject"])
        if any(leaf.event.details.get("event") == one["id"] for leaf in known):
            continue
        details = dict(one["details"])
        document = details.pop("set", None)
        if isinstance(document, dict):
            share_set = custody.from_document(document)
            session.custody.put_set(share_set)
            details |= {
                "threshold": share_set.threshold,
                "custodians": [holder.name for holder in share_set.holders],
            }
        outcome = Outcome.FAILURE if one["failed"] else Outcome.SUCCESS
        leaves.append(
            event(
                SYSTEM,
                one["action"],
                one["subject"],
                outcome,
                event=one["id"],
                at=one["time"],
                **details,
            )
        )
    if leaves:
        session.audit.append(leaves, now_ms)
    return len(leaves)
