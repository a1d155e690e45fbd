"""The life of a key: states are what dates say, and one function changes them."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chancery.domain.errors import BadRequest, WrongState
from chancery.domain.key_states import (
    GONE,
    Effect,
    KeyDates,
    KeyEvent,
    KeyState,
    check_step,
    demand_state,
    since,
    state_at,
    transition,
)

NOW = 1_790_000_000
DAY = 86_400
E, S = KeyEvent, KeyState

NEW = KeyDates(NOW)
ACTIVE = KeyDates(NOW, activation=NOW)
STATES = {
    S.PRE_ACTIVE: NEW,
    S.ACTIVE: ACTIVE,
    S.SUSPENDED: replace(ACTIVE, suspended=NOW),
    S.DEACTIVATED: replace(ACTIVE, deactivation=NOW),
    S.COMPROMISED: replace(ACTIVE, compromised=NOW, compromise_occurred=NOW),
    S.DESTROYED: replace(ACTIVE, deactivation=NOW, destroyed=NOW),
    S.DESTROYED_COMPROMISED: replace(ACTIVE, compromised=NOW, destroyed=NOW),
}
# NIST SP 800-57 Part 1 r5, figure 6 and §7.1 to 7.6; every other step is refused.
TABLE = {
    (S.PRE_ACTIVE, E.ACTIVATE): S.ACTIVE,
    (S.PRE_ACTIVE, E.COMPROMISE): S.COMPROMISED,
    (S.PRE_ACTIVE, E.DESTROY): S.DESTROYED,
    (S.ACTIVE, E.SUSPEND): S.SUSPENDED,
    (S.ACTIVE, E.DEACTIVATE): S.DEACTIVATED,
    (S.ACTIVE, E.COMPROMISE): S.COMPROMISED,
    (S.SUSPENDED, E.RESUME): S.ACTIVE,
    (S.SUSPENDED, E.DEACTIVATE): S.DEACTIVATED,
    (S.SUSPENDED, E.COMPROMISE): S.COMPROMISED,
    (S.DEACTIVATED, E.COMPROMISE): S.COMPROMISED,
    (S.DEACTIVATED, E.DESTROY): S.DESTROYED,
    (S.COMPROMISED, E.DESTROY): S.DESTROYED_COMPROMISED,
    (S.DESTROYED, E.COMPROMISE): S.DESTROYED_COMPROMISED,
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("event", KeyEvent)
def test_the_whole_table(state: KeyState, event: KeyEvent) -> None:
    dates = STATES[state]
    assert state_at(dates, NOW) is state
    wanted = TABLE.get((state, event))
    if wanted is None:
        with pytest.raises(WrongState, match=rf"is {state} since 2026-09-21 .*Z") as caught:
            transition(dates, event, NOW)
        assert caught.value.rule == f"key.{event}"
        return
    after = transition(dates, event, NOW)
    assert state_at(after, NOW) is wanted
    assert since(after, NOW) == NOW
    check_step(dates, after, NOW)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("other", STATES)
def test_the_boundary_knows_the_same_steps(state: KeyState, other: KeyState) -> None:
    possible = {(a, b) for (a, _), b in TABLE.items()} | {(one, one) for one in STATES}
    try:
        check_step(STATES[state], STATES[other], NOW)
    except WrongState:
        assert (state, other) not in possible
    else:
        assert (state, other) in possible | {(S.ACTIVE, S.PRE_ACTIVE)}


@pytest.mark.parametrize(
    ("state", "protect", "process", "despite"),
    [
        (S.PRE_ACTIVE, False, False, False),
        (S.ACTIVE, True, True, True),
        (S.SUSPENDED, False, False, True),
        (S.DEACTIVATED, False, True, True),
        (S.COMPROMISED, False, False, True),
        (S.DESTROYED, False, False, False),
        (S.DESTROYED_COMPROMISED, False, False, False),
    ],
)
def test_what_each_state_allows(
    state: KeyState, protect: bool, process: bool, despite: bool
) -> None:
    said: list[str] = []

    def may(effect: Effect, **more: bool) -> bool:
        try:
            demand_state(STATES[state], effect, NOW, **more)
        except WrongState as refused:
            said.append(str(refused))
            return False
        return True

    assert may(Effect.PROTECT) is protect
    assert may(Effect.PROTECT, despite=True) is protect
    assert may(Effect.PROCESS) is process
    assert may(Effect.PROCESS, despite=True) is despite
    assert all(text.startswith(f"the key is {state} since 2026-09-21") for text in said)


def test_time_alone_begins_and_ends_a_key() -> None:
    dates = KeyDates(
        NOW, activation=NOW + DAY, protect_stop=NOW + 2 * DAY, deactivation=NOW + 3 * DAY
    )
    assert [state_at(dates, NOW + n * DAY) for n in range(4)] == [
        S.PRE_ACTIVE,
        S.ACTIVE,
        S.ACTIVE,
        S.DEACTIVATED,
    ]
    demand_state(dates, Effect.PROTECT, NOW + DAY)
    with pytest.raises(WrongState, match="protects nothing new since 2026-09-23"):
        demand_state(dates, Effect.PROTECT, NOW + 2 * DAY)
    demand_state(dates, Effect.PROCESS, NOW + 2 * DAY)


def test_what_is_scheduled_lies_ahead_and_a_compromise_behind() -> None:
    assert transition(ACTIVE, E.DEACTIVATE, NOW, at=NOW + DAY).protect_stop == NOW + DAY
    for dates, event, at in (
        (NEW, E.ACTIVATE, NOW - 1),
        (ACTIVE, E.DEACTIVATE, NOW - 1),
        (ACTIVE, E.COMPROMISE, NOW + 1),
    ):
        with pytest.raises(BadRequest, match=r"past|to come"):
            transition(dates, event, NOW, at=at)
    found = transition(ACTIVE, E.COMPROMISE, NOW, at=NOW - DAY)
    assert (found.compromise_occurred, found.compromised) == (NOW - DAY, NOW)
    with pytest.raises(BadRequest, match=r"end .* before it begins"):
        KeyDates(NOW, activation=NOW, deactivation=NOW - 1)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(list(KeyEvent)), st.integers(0, 3)), max_size=12))
def test_nothing_comes_back_from_where_it_may_not(steps: list[tuple[KeyEvent, int]]) -> None:
    """Whatever is tried in whatever order, what was destroyed or known to others stays that."""
    dates, now = NEW, NOW
    for event, days in steps:
        now += days * DAY
        before = state_at(dates, now)
        try:
            dates = transition(dates, event, now)
        except WrongState:
            continue
        after = state_at(dates, now)
        assert TABLE[before, event] is after
        assert before not in GONE or after in GONE
        assert before is not S.COMPROMISED or after is S.DESTROYED_COMPROMISED
