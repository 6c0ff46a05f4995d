"""How much of a supervisor's voice the carrier may have in hand: 200 ms, or the caller would hear them ever later. Pure.

Their voice comes at real-time pace, in bursts when a network was slow. What the carrier has is reckoned by the clock; marks
say how far it really is, so that one that plays more slowly than the clock goes is noticed. Times are monotonic seconds.
"""

from .playout import RATE, Playout

MOST_AHEAD_MS = 200
MARK_EVERY_MS = 100
STALLED_S = 2.0
"""A carrier that has answered marks and answers none for so long has stopped playing."""


class SupervisorPace:
    def __init__(self) -> None:
        self._playout = Playout()
        self._marked = 0
        self._sent: dict[str, tuple[float, int]] = {}
        """When each mark that has not come back should be reached, by the clock; and its position."""
        self._way_s: float | None = None
        """The shortest time that a mark took beyond that: its way there and back."""

    def may_send(self, size: int, now: float) -> bool:
        """Whether the carrier may have `size` bytes more. False: they are late, and go."""
        ahead = self._playout.ahead(now) + size
        return ahead <= MOST_AHEAD_MS * RATE // 1000 and not self.stalled(now)

    def sent(self, size: int, now: float) -> bool:
        """They were sent; True if a mark has to follow."""
        self._playout.add(size, None, now)
        return self._playout.queued - self._marked >= MARK_EVERY_MS * RATE // 1000

    def mark(self, name: str, now: float) -> None:
        """The mark was sent."""
        self._marked = self._playout.queued
        self._sent[name] = (now + self._playout.ahead(now) / RATE, self._marked)

    def echoed(self, name: str, now: float) -> bool:
        """A mark came back: the carrier was there when it set out. False if it is none of these."""
        if name not in self._sent:
            return False
        due, at = self._sent[name]
        for earlier in list(self._sent):
            del self._sent[earlier]
            if earlier == name:
                break
        took = max(0.0, now - due)
        self._way_s = took if self._way_s is None else min(took, self._way_s)
        if took > self._way_s:
            self._playout.was_at(at, now - self._way_s)
        return True

    def stalled(self, now: float) -> bool:
        oldest = next(iter(self._sent.values()), None)
        return oldest is not None and self._way_s is not None and now - oldest[0] > STALLED_S

    def begin_anew(self, now: float) -> None:
        """The carrier was told to forget what it has."""
        self._playout.clear(now)
        self._marked = self._playout.queued
        self._sent.clear()
