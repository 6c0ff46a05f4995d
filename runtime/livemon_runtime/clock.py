"""Redis's time as this process knows it, and the process's own monotonic one. Nobody compares two machines' clocks."""

import time
from collections.abc import Callable


class Clock:
    """`offset_ms` is measured at each heartbeat; until the first one, this machine's own clock stands in."""

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.monotonic = monotonic
        self._anchor_ms = wall() * 1000 - monotonic() * 1000
        self.offset_ms = 0.0
        self.measured = False

    def now_ms(self) -> int:
        """Milliseconds since the epoch in Redis's time; a jump of this machine's wall clock does not move it."""
        return int(self.monotonic() * 1000 + self._anchor_ms + self.offset_ms)

    def measure(self, redis_ms: float, asked_at: float, answered_at: float) -> None:
        """Take in Redis's `TIME`, asked and answered at these `monotonic` seconds."""
        local_ms = (asked_at + answered_at) / 2 * 1000 + self._anchor_ms
        self.offset_ms = redis_ms - local_ms
        self.measured = True
