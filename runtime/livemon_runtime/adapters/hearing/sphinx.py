"""What livemon uses of PocketSphinx, with types. Imported in the worker processes alone.

The endpointer works on the telephone's 8,000 Hz. The model was made from 16,000 Hz; for it each sample is given twice, which
mirrors what there is below 4 kHz into the upper half, more quietly. To this model that sounds more like speech than an upper
half in which there is nothing: docs/hearing.md has the error rates.
"""

import sys
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, cast

import pocketsphinx

from .engine import SAMPLE_RATE

MODEL_RATE = 2 * SAMPLE_RATE
FIRST_CMN = "54,2,5,4,4,-11,-4,-11,-10,5,-7,0,-1"
"""Where the cepstral mean of an utterance begins: that of many on the telephone. What the last utterance ended with would
be better for a voice, but after a noise nobody would be understood."""


class Hypothesis(Protocol):
    hypstr: str


class Decoder(Protocol):
    def start_utt(self) -> None: ...
    def process_raw(self, data: bytes) -> int: ...
    def end_utt(self) -> None: ...
    def hyp(self) -> Hypothesis | None: ...
    def set_cmn(self, cmn: str) -> None: ...


class Endpointer(Protocol):
    """Gives back the frames that are speech, later by its window (0.3 s), so that none is missing at the beginning."""

    frame_bytes: int
    in_speech: bool
    speech_start: float
    speech_end: float

    def process(self, frame: bytes) -> bytes | None: ...
    def end_stream(self, frame: bytes) -> bytes | None: ...


def new_endpointer() -> Endpointer:
    return cast(Endpointer, pocketsphinx.Endpointer(sample_rate=SAMPLE_RATE))


def new_decoder(acoustic: Path, language: Path, dictionary: Path) -> Decoder:
    """About 0.3 s and 90 MB. The two `max…` take a third of the work away, and the error rate stayed what it was."""
    make = cast(Callable[..., Decoder], pocketsphinx.Decoder)
    return make(
        hmm=str(acoustic),
        lm=str(language),
        dict=str(dictionary),
        samprate=MODEL_RATE,
        maxhmmpf=3000,
        maxwpf=10,
        loglevel="FATAL",
    )


class Decoders:
    """At most `most` decoders, each lent for one utterance at a time: a core cannot follow more voices than some at once."""

    def __init__(self, new: Callable[[], Decoder], most: int) -> None:
        self._new, self._left, self._free = new, most, list[Decoder]()

    def warm(self) -> None:
        """Make the first one, so that no caller's first words wait for it."""
        decoder = self.take()
        if decoder is not None:
            self.give_back(decoder)

    def take(self) -> Decoder | None:
        if self._free:
            return self._free.pop()
        if not self._left:
            return None
        self._left -= 1
        return self._new()

    def give_back(self, decoder: Decoder) -> None:
        self._free.append(decoder)


def understood(decoder: Decoder) -> str:
    hypothesis = decoder.hyp()
    return "" if hypothesis is None else hypothesis.hypstr


def twice(pcm: bytes) -> bytes:
    """Each sample two times: 8,000 Hz to `MODEL_RATE`, in this machine's order of bytes, which the decoder takes."""
    samples = array("h", pcm)
    if sys.byteorder == "big":
        samples.byteswap()
    twice = array("h", bytes(2 * len(pcm)))
    twice[0::2] = twice[1::2] = samples
    return twice.tobytes()
