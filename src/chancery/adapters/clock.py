"""The machine's clock."""

import threading
import time


class SystemClock:
    """``ports.Clock``: UTC by the system clock, held still while that steps back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def ms(self) -> int:
        with self._lock:
            self._last = max(self._last, time.time_ns() // 1_000_000)
            return self._last

    def s(self) -> int:
        return self.ms() // 1000
