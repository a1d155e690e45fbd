"""The machine's clock."""

import time


class SystemClock:
    """``ports.Clock``: UTC by the system clock, held still while that steps back."""

    def __init__(self) -> None:
        self._last = 0

    def ms(self) -> int:
        # No lock: of two threads at once, the slower one may put an older time back, by the
        # microseconds between these lines.
        now = max(self._last, time.time_ns() // 1_000_000)
        self._last = now
        return now

    def s(self) -> int:
        return self.ms() // 1000
