"""What a carrier plays, reckoned from what it was sent: how far it is, and which marks have been passed. Pure.

Bots send sound in bursts, and the carrier plays it at 8,000 bytes a second, in order. Marks that come back say where it
really is. Times are monotonic seconds, positions are bytes since the beginning.
"""

from collections import deque
from dataclasses import dataclass

from ...errors import ProtocolError
from . import wire
from .mu_law import FRAME, SILENT

RATE = 8_000
MOST_KEPT = 5 * 60 * RATE
"""Bytes whose sound is kept; of what lies further ahead only the length is known, and it counts as silence."""
MOST_MARKS = 1_000
_TOLERANCE = RATE // 10
"""A mark that comes so much later than reckoned was on its way; more, and the carrier is behind."""
_ROUNDING = 0.001
"""Of a byte: seconds are floating-point numbers, and what is due to the byte is due."""


@dataclass(slots=True)
class _Piece:
    begin: int
    end: int
    sound: str | bytes | None
    """Base64 until its turn comes, then bytes; None is silence."""


class Playout:
    def __init__(self) -> None:
        self._queued = 0
        self._at, self._since = 0, 0.0
        """Where the carrier was, and when."""
        self._taken = 0
        self._kept = 0
        self._pieces: deque[_Piece] = deque()
        self._marks: deque[tuple[int, str]] = deque()
        self.lost_marks = 0
        """Forgotten because too many were waiting."""

    @property
    def queued(self) -> int:
        return self._queued

    def played(self, now: float) -> int:
        """How far the carrier is."""
        return min(self._queued, self._at + max(0, int((now - self._since) * RATE + _ROUNDING)))

    def ahead(self, now: float) -> int:
        """Bytes that it has yet to play."""
        return self._queued - self.played(now)

    def add(self, size: int, sound: str | None, now: float) -> None:
        """The carrier is sent `size` bytes more; `sound` is their base64, None if nobody will ask for it."""
        self._begin_anew_if_drained(now)
        begin, self._queued = self._queued, self._queued + size
        if sound is not None and self._kept + size > MOST_KEPT:
            sound = None
        if sound is None and self._pieces and self._pieces[-1].sound is None:
            self._pieces[-1].end = self._queued
        elif size:
            self._pieces.append(_Piece(begin, self._queued, sound))
            self._kept += size if sound is not None else 0

    def mark(self, name: str, now: float) -> None:
        """The carrier is sent a mark: it comes back once all before it is played."""
        self._begin_anew_if_drained(now)
        self._marks.append((self._queued, name))
        if len(self._marks) > MOST_MARKS:
            self._marks.popleft()
            self.lost_marks += 1

    def clear(self, now: float) -> list[str]:
        """The carrier forgets what it has not played; answers the marks that were waiting, in order."""
        self._queued = self.played(now)
        self._at, self._since = self._queued, now
        while self._pieces and self._pieces[-1].begin >= self._queued:
            self._drop(self._pieces.pop())
        if self._pieces and self._pieces[-1].end > self._queued:
            self._shorten(self._pieces[-1])
        names = [name for _, name in self._marks]
        self._marks.clear()
        return names

    def echoed(self, name: str, now: float) -> bool:
        """A mark came back: the carrier is there. False if it was not waited for."""
        at = next((at for at, waiting in self._marks if waiting == name), None)
        if at is None:
            return False
        while self._marks:
            if self._marks.popleft()[1] == name:
                break
        reckoned = self.played(now)
        if at > reckoned or reckoned - at > _TOLERANCE:
            self.was_at(at, now)
        return True

    def was_at(self, at: int, since: float) -> None:
        """The carrier was there, and then."""
        self._at, self._since = at, since

    def passed(self, now: float) -> list[str]:
        """The marks that a carrier would have sent back by now, each once."""
        played = self.played(now)
        names: list[str] = []
        while self._marks and self._marks[0][0] <= played:
            names.append(self._marks.popleft()[1])
        return names

    def skip(self, now: float) -> None:
        """Nobody wants what was played until now."""
        self._taken = max(self._taken, self.played(now))
        while self._pieces and self._pieces[0].end <= self._taken:
            self._drop(self._pieces.popleft())

    def take(self, now: float) -> list[bytes]:
        """What was played since the last time: frames of 20 ms, the last one before a pause shorter."""
        played = self.played(now)
        frames: list[bytes] = []
        while self._taken < played:
            size = min(FRAME, self._queued - self._taken)
            if self._taken + size > played:
                break
            frames.append(self._read(size))
        return frames

    # --- within

    def _begin_anew_if_drained(self, now: float) -> None:
        if self.played(now) >= self._queued:
            self._at, self._since = self._queued, now

    def _read(self, size: int) -> bytes:
        frame = bytearray()
        while len(frame) < size:
            piece = self._pieces[0]
            until = min(piece.end, self._taken + size - len(frame))
            frame += (
                _bytes(piece)[self._taken - piece.begin : until - piece.begin]
                if piece.sound is not None
                else (bytes([SILENT]) * (until - self._taken))
            )
            self._taken = until
            if until == piece.end:
                self._drop(self._pieces.popleft())
        return bytes(frame)

    def _shorten(self, piece: _Piece) -> None:
        if piece.sound is not None:
            piece.sound = _bytes(piece)[: self._queued - piece.begin]
            self._kept -= piece.end - self._queued
        piece.end = self._queued

    def _drop(self, piece: _Piece) -> None:
        if piece.sound is not None:
            self._kept -= piece.end - piece.begin


def _bytes(piece: _Piece) -> bytes:
    """Its sound, as long as the piece is; what is no base64 is silence."""
    if not isinstance(piece.sound, bytes):
        size = piece.end - piece.begin
        try:
            piece.sound = wire.sound(piece.sound or "")[:size].ljust(size, bytes([SILENT]))
        except ProtocolError:
            piece.sound = bytes([SILENT]) * size
    return piece.sound
