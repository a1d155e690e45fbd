"""What happens to keys, in words: said before it is done, and beside what others agree to."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from chancery.domain.key_orders import KeyAction, KeyOrder
from chancery.domain.key_states import KeyDates, KeyEvent, KeyState, shown
from chancery.domain.managed_key import Exportability, KeyVersion, ManagedKey, RotationPolicy

EVENTS: Final = {
    KeyState.PRE_ACTIVE: (KeyEvent.ACTIVATE, KeyEvent.COMPROMISE, KeyEvent.DESTROY),
    KeyState.ACTIVE: (KeyEvent.SUSPEND, KeyEvent.DEACTIVATE, KeyEvent.COMPROMISE),
    KeyState.SUSPENDED: (KeyEvent.RESUME, KeyEvent.DEACTIVATE, KeyEvent.COMPROMISE),
    KeyState.DEACTIVATED: (KeyEvent.COMPROMISE, KeyEvent.DESTROY),
    KeyState.COMPROMISED: (KeyEvent.DESTROY,),
    KeyState.DESTROYED: (KeyEvent.COMPROMISE,),
    KeyState.DESTROYED_COMPROMISED: (),
}
"""What can be done to a key in each state."""
TITLES: Final = {
    KeyEvent.ACTIVATE: ("Activate", "It may be used, from now on or from a date."),
    KeyEvent.SUSPEND: ("Suspend", "It does nothing until somebody resumes it."),
    KeyEvent.RESUME: ("Resume", "It may be used again."),
    KeyEvent.DEACTIVATE: ("Deactivate", "It protects nothing new; what it did stays readable."),
    KeyEvent.COMPROMISE: ("Report compromise", "Others may know it: it does nothing any more."),
    KeyEvent.DESTROY: ("Destroy", "Its material is erased for good; the record of it stays."),
}
QUESTIONS: Final = {
    KeyEvent.ACTIVATE: "Activate {}?",
    KeyEvent.SUSPEND: "Suspend {}?",
    KeyEvent.RESUME: "Resume {}?",
    KeyEvent.DEACTIVATE: "Deactivate {}?",
    KeyEvent.COMPROMISE: "Report that others may know {}?",
    KeyEvent.DESTROY: "Destroy {}?",
}
GRAVE: Final = frozenset({KeyEvent.COMPROMISE, KeyEvent.DESTROY})
MOMENTS: Final = {
    KeyEvent.ACTIVATE: ("From when on (UTC)", "Empty: now."),
    KeyEvent.DEACTIVATE: ("From when on (UTC)", "Empty: now."),
    KeyEvent.COMPROMISE: ("Since when others may know it (UTC)", "Empty: since now."),
}
"""Events that a date belongs to."""
EXPORTABILITY: Final = {
    Exportability.NONE: "N: never leaves",
    Exportability.TRUSTED: "E: under a trusted wrapping key",
    Exportability.SENSITIVE: "S: under any key that is as strong",
}
WISHES: Final = {
    KeyAction.STATE: "Change of state",
    KeyAction.ROTATE: "New version",
    KeyAction.EDIT: "Change",
    KeyAction.WRAP: "Export, wrapped",
    KeyAction.PACKAGE: "Export of a private key",
    KeyAction.SPLIT: "Export in components",
    KeyAction.ESCROW: "Escrow",
}
_MONTHS: Final = 24
_DESPITE: Final = (
    "What it protected is read only by who may manage it, with a reason that goes on record."
)


def consequences(event: KeyEvent, key: ManagedKey, version: KeyVersion) -> Iterator[str]:
    """What *event* means for this version, a sentence each."""
    current = version.number == key.current
    match event:
        case KeyEvent.ACTIVATE:
            yield "It may be used from then on, for what its uses say."
            if key.cryptoperiod:
                yield f"Its cryptoperiod of {key.cryptoperiod} days begins then."
        case KeyEvent.SUSPEND:
            yield "Nothing is encrypted, signed, wrapped or derived with it until it is resumed."
            yield _DESPITE
            if current and key.rotates_at is not None:
                yield "It is not renewed by itself meanwhile."
        case KeyEvent.RESUME:
            yield "It works again at once, as far as its dates allow."
        case KeyEvent.DEACTIVATE:
            yield "Nothing new is protected with it; what it protected stays readable."
            yield "It cannot become active again: a new version can be made, or it is destroyed."
            if current and key.rotates_at is not None:
                yield "It is not renewed by itself any more."
        case KeyEvent.COMPROMISE:
            yield "It protects nothing and leaves nowhere any more; this cannot be taken back."
            yield _DESPITE
            yield "Components that were not taken yet are erased."
            yield "Rotate the key afterwards, and encrypt anew what it protected."
        case KeyEvent.DESTROY:
            yield "Its material is erased here for good: what it protected cannot be read any more."
            yield "Components that were not taken yet are erased."
            yield "What left earlier is out of reach: exports, copies in escrow, old backups."
            yield "The record of it stays, with check value and dates."


def of_rotation(key: ManagedKey, version: KeyVersion) -> Iterator[str]:
    """What a new version means."""
    yield f"Version {key.current + 1} is generated in the key boundary and protects from then on."
    yield f"Version {version.number} protects nothing new; {overlap(key.rotation)}."
    if key.rotation.every:
        yield f"The next one after it comes by itself in {key.rotation.every} days."
    if key.rules.exportability is not Exportability.NONE:
        yield "Whoever has a copy of the old version must be given the new one."


def overlap(policy: RotationPolicy) -> str:
    """What becomes of the version before."""
    if policy.overlap < 0:
        return "it goes on reading, for good"
    if policy.overlap == 0:
        return "it is deactivated at once, and still reads"
    return f"it is deactivated after {policy.overlap} days, and still reads"


def life(dates: KeyDates, now: int) -> list[tuple[str, int | None, bool]]:
    """The dates of a version in the order of its life: a word, when, whether that has come."""
    found: list[tuple[str, int | None]] = [("Made", dates.created), ("Active", dates.activation)]
    if dates.suspended is not None:
        found.append(("Suspended", dates.suspended))
    if dates.protect_stop is not None and dates.protect_stop != dates.deactivation:
        found.append(("Protects until", dates.protect_stop))
    found.append(("Deactivated", dates.deactivation))
    if dates.compromised is not None:
        found.append(("Compromised", dates.compromised))
    found.append(("Destroyed", dates.destroyed))
    return [(word, at, at is not None and at <= now) for word, at in found]


def asked(order: KeyOrder) -> Iterator[tuple[str, str]]:  # noqa: C901 - a table of wishes
    """What an order asks for, as people read it: a label and a value each."""
    told = order.parameters
    if version := told.get("version"):
        yield "Version", str(version)
    match order.action:
        case KeyAction.STATE:
            yield "Change", TITLES[KeyEvent(told["what"])][0]
            if told.get("at") is not None:
                yield "When", shown(told["at"])
            yield "Reason given", told["reason"]
        case KeyAction.ROTATE:
            yield "Reason given", told["reason"]
        case KeyAction.WRAP:
            yield "How", told["method"]
            yield "Under", told["by"] or f"a public key from outside, {_print(told['public_key'])}"
            if told["block_usage"] or told["block_mode"]:
                yield "Block header", f"usage {told['block_usage']} mode {told['block_mode']}"
        case KeyAction.PACKAGE:
            yield "As", {"pkcs8": "PKCS#8", "pkcs12": "PKCS#12"}[told["form"]] + ", encrypted"
        case KeyAction.SPLIT:
            yield "Components", f"{len(told['holders'])}: {', '.join(told['holders'])}"
        case KeyAction.ESCROW:
            yield "Recovered by", f"{told['threshold']} of {len(told['agents'])} agents"
            for number, agent in enumerate(told["agents"], 1):
                yield f"Agent {number}", _print(agent)
        case KeyAction.EDIT:
            yield from _edited(told)


def _edited(told: Any) -> Iterator[tuple[str, str]]:
    policy = RotationPolicy(**told["rotation"])
    every = f"every {policy.every} days" if policy.every else "by hand"
    yield "New versions", f"{every}; of the old one: {overlap(policy)}"
    yield "Told", f"{policy.warn} days before"
    for name in ("description", "custodian"):
        if name in told:
            yield name.capitalize(), told[name]


def _print(public_key: str) -> str:
    """A public key by its thumbprint, and how long it is."""
    import base64  # noqa: PLC0415 - for orders alone

    from chancery.wire.key_wrap import rsa_public  # noqa: PLC0415 - for orders alone

    der = base64.b64decode(public_key)
    return f"RSA {rsa_public(der).key_size} bits, SHA-256 {hashlib.sha256(der).hexdigest()}"


def months(start: int, days: int) -> list[str]:
    """The months of a time to come, at most two years of them."""
    at = datetime.fromtimestamp(start, UTC).replace(day=1)
    last = start + days * 86_400
    found: list[str] = []
    while at.timestamp() <= last and len(found) < _MONTHS:
        found.append(month_of(int(at.timestamp())))
        at = (at + timedelta(days=32)).replace(day=1)
    return found


def month_of(instant: int) -> str:
    return datetime.fromtimestamp(instant, UTC).strftime("%B %Y")
