"""Frames of LiveKit's as the PCM that livemon carries, and back, at whatever rate either side wants."""

from collections.abc import Callable, Iterator

from livekit import rtc

from ...codecs import Codec
from ..audio import mono


class Rate:
    """One voice, mono, brought to `wanted` Hz, piece by piece."""

    def __init__(self, wanted: int) -> None:
        self._wanted, self._given = wanted, wanted
        self._resampler: rtc.AudioResampler | None = None

    def of(self, pcm: bytes, rate: int) -> Iterator[bytes]:
        """s16le, mono; less or more than was given, as far as the resampler has come."""
        if rate == self._wanted:
            yield pcm
            return
        if self._resampler is None or rate != self._given:
            self._given = rate
            self._resampler = rtc.AudioResampler(rate, self._wanted, num_channels=1)
        for frame in self._resampler.push(bytearray(pcm)):
            yield bytes(frame.data)


class Voice:
    """One voice on its way to livemon; `say` is `call.caller_audio` or `call.agent_audio`."""

    def __init__(self, say: Callable[[bytes], None], codec: Codec) -> None:
        self._say = say
        self._rate = Rate(codec.form.clock)

    def take(self, frame: rtc.AudioFrame) -> None:
        self.say(bytes(frame.data), frame.sample_rate, frame.num_channels)

    def say(self, pcm: bytes, rate: int, channels: int) -> None:
        """s16le, channels interleaved."""
        for piece in self._rate.of(mono(pcm, channels), rate):
            self._say(piece)


def frame_of(pcm: bytes, rate: int) -> rtc.AudioFrame:
    """s16le, mono."""
    return rtc.AudioFrame(pcm, rate, 1, len(pcm) // 2)
