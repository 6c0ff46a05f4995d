"""Puts a microphone's packets back into order and into time, as late as the network needs and no later. Pure.

Each packet is due a steady delay after the quickest of the last seconds would have come, so that what goes out has the
pace at which it was spoken. The delay follows the jitter that was seen. What a network held up for longer than that is
dropped, so that whoever plays what comes out is never far behind.
"""

import heapq
from collections import deque
from dataclasses import dataclass, field

CLOCK = 48_000
"""Hz; RTP time of Opus (RFC 7587, section 4.1)."""
USUAL, LONGEST = CLOCK // 50, CLOCK * 3 // 25
"""A packet's length, and the longest that Opus has."""
MIN_DELAY_S = 0.01
MAX_DELAY_S = 0.2
WINDOW_S = 2.0
"""How far back the quickest and the slowest packet are looked for."""
MARGIN_S = 0.005
MOST_AHEAD_S = 0.2
"""How much may be handed out before its turn at real-time pace: so far behind is whoever plays it."""
CATCHING_UP = 1.01
"""Faster than any two clocks differ: what they drift apart is nobody's hurry."""
MOST_WAITING = 64
RESTART_S = 2.0
"""A packet that is so much early or late by its own time begins a new stretch."""


@dataclass(frozen=True, slots=True, order=True)
class Spoken:
    """One packet in its place: `sequence` and `timestamp` never wrap."""

    sequence: int
    timestamp: int = field(compare=False)
    payload: bytes = field(compare=False)


class JitterBuffer:
    """One source's packets in, in any order; each at most once, in order and in time, out."""

    def __init__(self) -> None:
        self._heap: list[Spoken] = []
        self._transits: deque[tuple[float, float]] = deque()
        self._newest: tuple[int, int] | None = None
        """Sequence and timestamp of the newest packet, unwrapped."""
        self._last_out = -1
        self._ahead_s, self._out_at, self._out_until = 0.0, 0.0, 0
        """How much was not yet played at that moment, and where the last packet ended, in RTP time."""
        self.late = 0
        """Packets that came after their turn, or twice."""

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def delay_s(self) -> float:
        """How long the quickest packet waits at present."""
        if not self._transits:
            return MIN_DELAY_S
        jitter = max(transit for _, transit in self._transits) - self._base
        return min(MAX_DELAY_S, max(MIN_DELAY_S, jitter + MARGIN_S))

    @property
    def _base(self) -> float:
        return min(transit for _, transit in self._transits)

    def push(self, sequence: int, timestamp: int, payload: bytes, now: float) -> None:
        """Take a packet (16 and 32 bits, as on the wire) that came at `now` (seconds)."""
        place = self._place(sequence, timestamp)
        if any(waiting.sequence == place[0] for waiting in self._heap):
            self.late += 1
            return
        self._learn(now, now - place[1] / CLOCK)
        if place[0] <= self._last_out:
            self.late += 1  # and the next one that is as late will not be too late
            return
        heapq.heappush(self._heap, Spoken(*place, payload))
        if len(self._heap) > MOST_WAITING:
            self._last_out = heapq.heappop(self._heap).sequence
            self.late += 1

    def _learn(self, now: float, transit: float) -> None:
        if self._transits and abs(transit - self._base) > RESTART_S:
            self._transits.clear()
            self.late += len(self._heap)
            self._heap.clear()  # of another time: they would keep what comes now from its turn
        self._transits.append((now, transit))
        while self._transits[0][0] < now - WINDOW_S:
            self._transits.popleft()

    def pop(self, now: float) -> list[Spoken]:
        """What is due at `now`, in order."""
        due: list[Spoken] = []
        while self._heap and self._due_at(self._heap[0]) <= now:
            packet = heapq.heappop(self._heap)
            self._last_out = packet.sequence
            if self._in_time(packet, now):
                due.append(packet)
            else:
                self.late += 1
        return due

    def _in_time(self, packet: Spoken, now: float) -> bool:
        """Whether the packet is worth playing: newer ones that are here already may have overtaken it."""
        assert self._newest is not None
        ahead = max(0.0, self._ahead_s - (now - self._out_at) * CATCHING_UP)
        length = packet.timestamp - self._out_until
        length = (length if 0 < length <= LONGEST else USUAL) / CLOCK
        if ahead + length > MOST_AHEAD_S or self._newest[1] - packet.timestamp > MAX_DELAY_S * CLOCK:
            return False
        self._ahead_s, self._out_at, self._out_until = ahead + length, now, packet.timestamp
        return True

    def due_in(self, now: float) -> float | None:
        """In how many seconds the next packet is due; None if none waits."""
        return max(0.0, self._due_at(self._heap[0]) - now) if self._heap else None

    def _due_at(self, packet: Spoken) -> float:
        return packet.timestamp / CLOCK + self._base + self.delay_s

    def _place(self, sequence: int, timestamp: int) -> tuple[int, int]:
        """The numbers without their wraps, by the newest packet."""
        if self._newest is None:
            self._newest = (sequence + (1 << 16), timestamp + (1 << 32))  # room for some that are older
            self._last_out = self._newest[0] - MOST_WAITING
            return self._newest
        place = (
            self._newest[0] + _signed(sequence - self._newest[0], 16),
            self._newest[1] + _signed(timestamp - self._newest[1], 32),
        )
        if place[0] > self._newest[0]:
            self._newest = place
        return place


def _signed(difference: int, bits: int) -> int:
    """The difference of two numbers that wrap at `bits`, from half the range back to half ahead."""
    half = 1 << (bits - 1)
    return (difference + half) % (half * 2) - half
