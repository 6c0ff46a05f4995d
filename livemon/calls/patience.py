"""How long something has been missing without a break. Pure; time comes in as an argument.

An outage of Redis, or of this process, proves nothing about a runtime or a call: what was not looked at does not count.
"""

from collections.abc import Collection

MAX_GAP_MS = 15_000
"""Checks further apart than this are not one observation (they come every 5 s): this process was stopped in between."""


class Patience:
    """Which names were missing at every check for `after_ms`."""

    def __init__(self, after_ms: float, max_gap_ms: float = MAX_GAP_MS) -> None:
        self._after_ms = after_ms
        self._max_gap_ms = max_gap_ms
        self._since: dict[str, float] = {}
        self._checked_at = 0.0

    def check(self, missing: Collection[str], elapsed_ms: float) -> set[str]:
        """Take what is missing now; answers what has been for too long. `elapsed_ms`: any clock that never jumps."""
        if elapsed_ms - self._checked_at > self._max_gap_ms:
            self._since.clear()
        self._checked_at = elapsed_ms
        self._since = {name: self._since.get(name, elapsed_ms) for name in missing}
        return {name for name, since in self._since.items() if elapsed_ms - since >= self._after_ms}

    def interrupted(self) -> None:
        """Redis did not answer: every wait begins anew."""
        self._since.clear()
