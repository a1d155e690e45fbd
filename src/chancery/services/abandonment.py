"""Intents that come to nothing: the database and the audit log say so together, or neither does.

The audit verifier compares the two, so nothing else may mark an intent abandoned.
"""

from chancery.domain.audit import Outcome
from chancery.domain.certificate import Intent
from chancery.domain.identity import SYSTEM
from chancery.ports import Session
from chancery.services.audit.events import event


def abandon(session: Session, intent: Intent, why: str, now_ms: int) -> None:
    """Put on record, in the unit of *session*, that *intent* was never signed.

    Its serial stays taken.
    """
    session.certificates.abandon(intent.id, now_ms // 1000)
    leaf = event(
        SYSTEM,
        "certificate.abandoned",
        f"{intent.authority}/{intent.serial}",
        outcome=Outcome.FAILURE,
        authority=intent.authority,
        serial=intent.serial,
        why=why,
    )
    session.audit.append([leaf], now_ms)
