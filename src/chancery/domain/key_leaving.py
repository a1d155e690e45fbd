"""When a key may not leave: said alike by the services and by the boundary behind them."""

from typing import Final

from chancery.domain.errors import NotPermitted, WrongState
from chancery.domain.key_states import GONE, KeyDates, KeyState, shown, since, state_at

STOPPED: Final = GONE | {KeyState.COMPROMISED, KeyState.SUSPENDED}
"""States in which a key is handed out to nobody."""


def not_handed_out(what: str, dates: KeyDates, now: int) -> WrongState:
    """*what* is in a state among ``STOPPED``."""
    state = state_at(dates, now)
    return WrongState(
        f"{what} is {state.value} since {shown(since(dates, now))}: it is not handed out",
        field="key",
        rule=f"key.{state.value}",
        remedy="resume it: `chancery key resume`" if state is KeyState.SUSPENDED else None,
    )


def untrusted(what: str) -> NotPermitted:
    """*what* has exportability E, and the wrapping key is not one that is trusted."""
    return NotPermitted(
        f"{what} goes only under a wrapping key here that is marked as trusted (E)",
        field="by",
        rule="wrap.trusted",
        remedy="use a wrapping key whose template says that it is trusted",
    )
