"""Which colour a state has.  The word always stands beside it: colour alone says nothing."""

from typing import Final

TONES: Final[dict[str, str]] = {
    **dict.fromkeys(
        ("valid", "active", "issued", "approved", "good", "ok", "success", "done", "sent",
         "completed", "enabled", "open", "present", "ready", "verified", "imported", "updated",
         "up"),
        "good",
    ),
    **dict.fromkeys(
        ("pending", "waiting", "held", "hold", "on-hold", "expiring", "warning", "late", "retrying",
         "locked", "partial", "uncertain", "queued", "generated", "signing", "update",
         "pin-wanted", "suspended", "pre-active"),
        "warn",
    ),
    **dict.fromkeys(
        ("revoked", "denied", "failed", "failure", "error", "blocked", "rejected", "danger",
         "compromised", "dead", "lost", "problem", "away", "pin-refused"),
        "bad",
    ),
    **dict.fromkeys(("running", "info", "new", "draft", "notice", "joint", "leased"), "info"),
}  # fmt: skip


def tone_of(state: object) -> str:
    """Return good, warn, bad, info, or idle for what is none of them (expired, disabled)."""
    return TONES.get(str(state).lower().replace("_", "-"), "idle")
