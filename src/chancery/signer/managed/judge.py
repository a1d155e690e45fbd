"""What the key boundary asks before a managed key is used, moved or handed out."""

from chancery.domain.errors import NotPermitted
from chancery.domain.key_leaving import STOPPED, not_handed_out, untrusted
from chancery.domain.key_orders import KeyAuthority
from chancery.domain.key_states import (
    Effect,
    KeyDates,
    KeyState,
    check_step,
    demand_state,
    state_at,
)
from chancery.domain.managed_key import Exportability, KeyKind, KeyRules, KeyUse
from chancery.signer.managed.rulebook import Held

_PROTECTS = frozenset({KeyUse.ENCRYPT, KeyUse.SIGN, KeyUse.MAC, KeyUse.WRAP, KeyUse.DERIVE})


def use(held: Held, wanted: KeyUse, who: KeyAuthority, now: int) -> None:
    """Raise unless the key may be used so now."""
    if wanted not in held.rules.uses:
        raise NotPermitted(
            f"this key may not {wanted.value}: it is to {', '.join(sorted(held.rules.uses))}",
            field="key",
            rule="key.use",
            remedy="use a key whose uses name it",
        )
    effect = Effect.PROTECT if wanted in _PROTECTS else Effect.PROCESS
    demand_state(held.dates, effect, now, despite=bool(who.despite))


def check_mac(held: Held, who: KeyAuthority, now: int) -> None:
    """Comparing a MAC is reading: a deactivated key may."""
    if not held.rules.uses & {KeyUse.MAC, KeyUse.VERIFY}:
        use(held, KeyUse.MAC, who, now)
    demand_state(held.dates, Effect.PROCESS, now, despite=bool(who.despite))


def leave(held: Held, who: KeyAuthority, now: int, *, least: int = 0) -> None:
    """Raise unless the key may be handed out, by *who*, with enough others agreeing."""
    if held.rules.exportability is Exportability.NONE:
        raise NotPermitted(
            "this key is not exportable (N)",
            field="key",
            rule="key.exportability",
            remedy="a key is exportable only if its template said so when it was made",
        )
    state = state_at(held.dates, now)
    if state in STOPPED:
        raise not_handed_out("the key", held.dates, now)
    agreed(who, max(least, held.rules.approvals))


def stranger(held: Held) -> None:
    """Raise unless the key may leave under a public key from outside, which nobody here trusts."""
    if held.rules.exportability is Exportability.TRUSTED:
        raise untrusted("this key")


def strong_enough(by: Held, held: Held) -> None:
    """Raise unless *by* may take *held* out: as strong, and trusted where that is asked."""
    if by.kind.strength < held.kind.strength:
        raise NotPermitted(
            f"a key of {held.kind.strength} bits of strength does not go under one of"
            f" {by.kind.strength}",
            field="wrapping_key",
            rule="wrap.strength",
            remedy="wrap it under a stronger key",
        )
    if held.rules.exportability is Exportability.TRUSTED and not by.rules.trusted:
        raise untrusted("this key")


def derived(held: Held, kind: KeyKind, rules: KeyRules) -> None:
    """Raise unless a key with *rules* may be made from this one: no more than its parent."""
    if rules.exportability.openness > held.rules.exportability.openness:
        raise NotPermitted(
            f"what is derived from a key of exportability {held.rules.exportability.value} may not"
            " leave either, or no easier",
            field="exportability",
            rule="derive.exportability",
            remedy="use a template with the same exportability, or with N",
        )
    if kind.strength > held.kind.strength:
        raise NotPermitted(
            f"{held.kind.value} has {held.kind.strength} bits of strength, {kind.value} would"
            f" claim {kind.strength}",
            field="kind",
            rule="derive.strength",
        )


def move(held: Held, dates: KeyDates, who: KeyAuthority, now: int) -> None:
    """Raise unless the key may be taken along this step of its life."""
    check_step(held.dates, dates, now)
    if not _tightens(held.dates, dates, now):
        agreed(who, held.rules.approvals)


def agreed(who: KeyAuthority, needed: int) -> None:
    """Raise unless *needed* people besides the one who acts agreed."""
    if len(who.others) < needed:
        raise NotPermitted(
            f"{needed} {'person' if needed == 1 else 'people'} besides {who.actor} must agree to"
            f" this, {len(who.others)} did",
            field="approvals",
            rule="key.approvals",
            remedy="ask for it and have it approved: `chancery key-order list`",
        )


def _tightens(before: KeyDates, after: KeyDates, now: int) -> bool:
    """Whether the key can do less than before: that must never wait for anybody."""
    if after.destroyed is not None:
        return before.destroyed is not None
    if state_at(before, now) is KeyState.PRE_ACTIVE:
        return after.activation == before.activation
    if before.suspended is not None and after.suspended is None and after.compromised is None:
        return state_at(after, now) is KeyState.DEACTIVATED
    return (
        after.activation == before.activation
        and _sooner(before.protect_stop, after.protect_stop)
        and _sooner(before.deactivation, after.deactivation)
    )


def _sooner(before: int | None, after: int | None) -> bool:
    return before is None or (after is not None and after <= before)
