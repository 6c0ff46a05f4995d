"""The demo's speech as it comes over a telephone line (8,000 Hz, mu-law), and somebody who notes what is understood."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from livemon.demo.speech import decoded, read_file, read_index

RATE = 8_000
FRAME = 320
GENEROUS_S = 120.0


def line(voice: str, beginning: str) -> bytes:
    """The demo's line of `voice` that begins so, as 16-bit PCM that went through mu-law."""
    (entry,) = [one for one in read_index() if one["voice"] == voice and one["text"].startswith(beginning)]
    return through_mulaw(decoded(read_file(entry["file"]), RATE)).astype("<i2").tobytes()


def through_mulaw(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """What the 255 steps of mu-law leave of `samples` (the continuous law of G.711, rounded to its steps)."""
    level = samples.astype(float) / 32_768
    pressed = np.round(np.sign(level) * np.log1p(255 * abs(level)) / np.log(256) * 127) / 127
    return (np.sign(pressed) * (256 ** abs(pressed) - 1) / 255 * 32_767).astype(np.int16)


def silence(seconds: float) -> bytes:
    return bytes(2 * round(RATE * seconds))


@dataclass(frozen=True)
class Heard:
    text: str
    final: bool
    start_ms: int
    end_ms: int


@dataclass
class Notes:
    """`on_text` of one ear."""

    all: list[Heard] = field(default_factory=list[Heard])
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, text: str, final: bool, start_ms: int, end_ms: int) -> None:
        self.all.append(Heard(text, final, start_ms, end_ms))
        self._changed.set()

    @property
    def finals(self) -> list[Heard]:
        return [one for one in self.all if one.final]

    @property
    def words(self) -> list[str]:
        return " ".join(one.text for one in self.finals).split()

    async def until(self, there: Callable[["Notes"], bool]) -> None:
        async with asyncio.timeout(GENEROUS_S):
            while not there(self):
                self._changed.clear()
                await self._changed.wait()
