"""Whether the supervisor who has the caller is still there (docs/protocol.md, «Take-over», 4). Pure; the time comes in.

A muted microphone sends silence, not nothing: nothing means that the caller hears nobody.
"""

from dataclasses import dataclass
from enum import Enum, auto

LOST_AFTER_S = 3.0


class Watched(Enum):
    """What has changed."""

    LOST = auto()
    HEARD = auto()
    """Again, after LOST."""
    GONE = auto()
    """Not for the whole grace time: the call has to end. Said once."""


@dataclass(slots=True)
class Watch:
    """One claim's supervisor since `began` (monotonic seconds), which counts as heard."""

    began: float
    grace_s: float
    lost: bool = False
    _heard_at: float = 0.0
    _gone: bool = False

    def __post_init__(self) -> None:
        self._heard_at = self.began

    def silent_s(self, now: float) -> float:
        """For how long nothing has come."""
        return max(0.0, now - self._heard_at)

    def heard(self, now: float) -> Watched | None:
        """A packet has come."""
        self._heard_at = now
        if not self.lost or self._gone:
            return None
        self.lost = False
        return Watched.HEARD

    def look(self, now: float) -> Watched | None:
        """To be asked at `next_look`, or at any time."""
        silent = self.silent_s(now)
        if self._gone:
            return None
        if not self.lost and silent >= min(LOST_AFTER_S, self.grace_s):
            self.lost = True
            return Watched.LOST
        if self.lost and silent >= self.grace_s:
            self._gone = True
            return Watched.GONE
        return None

    def next_look(self, now: float) -> float:
        """In how many seconds something may have changed; infinite once the supervisor is gone."""
        if self._gone:
            return float("inf")
        due = self.grace_s if self.lost else min(LOST_AFTER_S, self.grace_s)
        return max(0.0, self._heard_at + due - now)
