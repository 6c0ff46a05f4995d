"""The caller of a call that a supervisor has taken over: waits until he has spoken, then says something fitting. Pure.

It listens by loudness alone, in frames of 20 ms: nothing of what is said is understood, or kept.
"""

from array import array
from collections.abc import Iterator
from itertools import chain, cycle

from .scenario import CallerLine, Script

SUPERVISOR_CODEC = "l16/8000"
"""How the demo wants supervisors' voices."""
LOUD = 300
"""RMS of a frame, of 32,768: well above a quiet room's after the browser's noise suppression."""
SPOKEN_FRAMES = 12
PAUSE_FRAMES = 40
"""A quarter of a second of speech, then 0.8 s of quiet, are a turn."""
ALONE_FRAMES = 350
"""Seven seconds in which nobody speaks."""


class HeldCaller:
    """Frames of the supervisor's voice in; the lines that the caller says, when it is the caller's turn, out."""

    def __init__(self, script: Script) -> None:
        self._answers: Iterator[CallerLine] = chain(script.answers, cycle(script.answers[1:] or script.answers))
        self._unheard = cycle(script.unheard)
        self._loud = self._quiet = self._alone = 0

    def hear(self, frame: bytes) -> CallerLine | None:
        """Take 20 ms of signed 16-bit PCM; answer what the caller says now, if it is the caller's turn."""
        if _loudness(frame) >= LOUD:
            self._loud, self._quiet, self._alone = self._loud + 1, 0, 0
            return None
        self._quiet, self._alone = self._quiet + 1, self._alone + 1
        if self._loud >= SPOKEN_FRAMES and self._quiet >= PAUSE_FRAMES:
            self.rest()
            return next(self._answers)
        if self._quiet >= PAUSE_FRAMES:
            self._loud = 0  # a cough
        if self._alone >= ALONE_FRAMES:
            self.rest()
            return next(self._unheard)
        return None

    def rest(self) -> None:
        """The caller speaks: what is heard meanwhile is not answered."""
        self._loud = self._quiet = self._alone = 0


def _loudness(frame: bytes) -> float:
    samples = array("h", frame[: len(frame) // 2 * 2])
    return (sum(sample * sample for sample in samples) / len(samples)) ** 0.5 if samples else 0.0
