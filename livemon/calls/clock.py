"""Redis's clock as this process knows it: measured, then carried on by the monotonic clock. No I/O.

Nobody compares two machines' clocks (docs/protocol.md); every time that livemon shows or compares is Redis's.
"""

import time
from collections.abc import Callable


class RedisClock:
    """Redis's time in integer milliseconds; this machine's own until the first measurement."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time) -> None:
        self._monotonic = monotonic
        self._offset_ms = wall() * 1000 - monotonic() * 1000

    def now(self) -> int:
        return int(self._monotonic() * 1000 + self._offset_ms)

    def observe(self, answer: tuple[int, int], asked_at: float, answered_at: float) -> None:
        """Take over what `TIME` answered (seconds, microseconds), asked and answered at these monotonic seconds."""
        seconds, microseconds = answer
        midway_ms = (asked_at + answered_at) * 500
        self._offset_ms = seconds * 1000 + microseconds / 1000 - midway_ms
