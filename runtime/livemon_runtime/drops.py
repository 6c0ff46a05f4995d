"""Counts what is dropped, by reason, and says so in the log at most once a minute a reason. Never raises."""

import logging
from collections import Counter
from collections.abc import Callable

_LOG = logging.getLogger("livemon_runtime")
_PAUSE_S = 60.0
_LONGEST = 300


def printable(value: object) -> str:
    """`value` as text that any log, and UTF-8, can carry; never raises."""
    try:
        return str(value).encode(errors="backslashreplace").decode()
    except Exception as error:
        return f"<{type(value).__name__} whose text cannot be had: {type(error).__name__}>"


class Drops:
    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.counters: Counter[str] = Counter()
        self._monotonic = monotonic
        self._said: dict[str, tuple[float, int]] = {}

    def drop(self, reason: str, detail: str = "", count: int = 1) -> None:
        """Count `reason` (a short fixed word: it becomes a metric's label) and log it unless that was done lately."""
        self.counters[reason] += count
        now = self._monotonic()
        last, counted = self._said.get(reason, (float("-inf"), 0))
        if now - last < _PAUSE_S:
            return
        total = self.counters[reason]
        self._said[reason] = (now, total)
        _LOG.warning(
            "livemon dropped %s (%d more since last said): %s", reason, total - counted, printable(detail)[:_LONGEST]
        )
