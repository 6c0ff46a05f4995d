"""One ear inside a worker process: where speech begins and ends, and what is said. Without I/O and without a clock."""

from collections import deque
from dataclasses import dataclass

from .engine import SAMPLE_RATE
from .sphinx import FIRST_CMN, Decoder, Decoders, new_endpointer, twice, understood
from .wire import Closed, Kind, Reply, Request, Taken, Text

LONGEST_S = 30
"""An utterance that goes on is cut here: neither memory nor the work at its end may grow with somebody's radio."""

_PARTIAL_SAMPLES = SAMPLE_RATE // 4
_TAKEN_SAMPLES = SAMPLE_RATE // 10


@dataclass(frozen=True, slots=True)
class _Speech:
    """What the endpointer holds for speech, with where its utterance began and, if this is the `last`, ended."""

    pcm: bytes
    last: bool
    start_ms: int
    end_ms: int


class Utterances:
    """What is said in one ear's sound. `replies` has what is to be told, in order."""

    def __init__(self, ear: int, decoders: Decoders, position: int = 0) -> None:
        self.replies: deque[Reply] = deque()
        self._ear, self._decoders = ear, decoders
        self._sound: deque[Request] = deque()
        self._speech: deque[_Speech] = deque()
        self._taken = 0
        self._closing = False
        self._decoder: Decoder | None = None
        self._begun_ms: int | None = None
        self._shown = ""
        self._spoken = self._since_shown = 0
        self._listen_from(position)

    def hear(self, sound: Request) -> None:
        """`Kind.SOUND`, or `Kind.PAUSE` where there is none for a while."""
        self._sound.append(sound)

    def close(self) -> None:
        self._closing = True

    def step(self) -> bool:
        """Go on by one piece: sound to the endpointer, or 30 ms of speech to the decoder. False: nothing to be done now."""
        if self._speech:
            return self._decode()
        if self._sound:
            self._listen()
            return True
        self._say_taken()
        if not self._closing:
            return False
        if self._endpointer.in_speech:
            self._pause()
            return True
        self._closing = False
        self.replies.append(Closed(self._ear))
        return True

    def _pause(self) -> None:
        """No more sound for now: what was being said is over."""
        if self._endpointer.in_speech:
            self._hold(self._endpointer.end_stream(self._rest or bytes(2)))
        self._listen_from(self._next)

    def _listen_from(self, position: int) -> None:
        self._endpointer = new_endpointer()
        self._from = self._next = position
        self._rest = b""

    def _listen(self) -> None:
        sound = self._sound.popleft()
        if sound.kind is Kind.PAUSE:
            self._pause()
            return
        if sound.position != self._next:
            self._pause()
            self._listen_from(sound.position)
        samples = len(sound.pcm) // 2
        self._next += samples
        self._taken += samples
        size = self._endpointer.frame_bytes
        pcm = self._rest + sound.pcm
        whole = len(pcm) - len(pcm) % size
        self._rest = pcm[whole:]
        for at in range(0, whole, size):
            self._hold(self._endpointer.process(pcm[at : at + size]))
        if self._taken >= _TAKEN_SAMPLES:
            self._say_taken()

    def _hold(self, speech: bytes | None) -> None:
        if speech is None:
            return
        base = self._from * 1_000 // SAMPLE_RATE
        start, end = (base + round(1_000 * at) for at in (self._endpointer.speech_start, self._endpointer.speech_end))
        self._speech.append(_Speech(speech, not self._endpointer.in_speech, start, end))

    def _say_taken(self) -> None:
        if self._taken:
            self.replies.append(Taken(self._ear, self._taken))
            self._taken = 0

    def _decode(self) -> bool:
        decoder = self._decoder or self._begin()
        if decoder is None:
            return False
        speech = self._speech.popleft()
        if self._begun_ms is None:
            self._begun_ms = speech.start_ms
        decoder.process_raw(twice(speech.pcm))
        self._spoken += len(speech.pcm) // 2
        self._since_shown += len(speech.pcm) // 2
        heard_ms = self._begun_ms + self._spoken * 1_000 // SAMPLE_RATE
        if speech.last:
            self._end(decoder, max(self._begun_ms, speech.end_ms))
            self._begun_ms = None
        elif self._spoken >= LONGEST_S * SAMPLE_RATE:
            self._end(decoder, heard_ms)
            self._begun_ms = heard_ms
        elif self._since_shown >= _PARTIAL_SAMPLES:
            self._since_shown = 0
            text = understood(decoder)
            if text and text != self._shown:
                self._shown = text
                self.replies.append(Text(self._ear, text, False, self._begun_ms, heard_ms))
        return True

    def _begin(self) -> Decoder | None:
        decoder = self._decoders.take()
        if decoder is not None:
            decoder.set_cmn(FIRST_CMN)
            decoder.start_utt()
            self._decoder = decoder
        return decoder

    def _end(self, decoder: Decoder, end_ms: int) -> None:
        decoder.end_utt()
        text = understood(decoder)
        if (text or self._shown) and self._begun_ms is not None:
            self.replies.append(Text(self._ear, text, True, self._begun_ms, end_ms))
        self._decoders.give_back(decoder)
        self._decoder, self._shown = None, ""
        self._spoken = self._since_shown = 0
