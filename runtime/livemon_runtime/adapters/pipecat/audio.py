"""The voices: caller and agent to livemon as PCM, while somebody listens; the supervisor's to the caller.

A transport has its own sample rate. If livemon has no codec for that rate, the sound is resampled to the next higher one.
"""

from collections.abc import Callable

import numpy as np
import soxr
from pipecat.frames.frames import AudioRawFrame, OutputAudioRawFrame
from pipecat.processors.frame_processor import FrameDirection
from pipecat.transports.base_output import BaseOutputTransport

from ...codecs import Codec
from ..audio import mono
from .gate import Gate
from .internals import params_of
from .taps import pass_on


class SupervisorAudioFrame(OutputAudioRawFrame):
    """The supervisor's voice on its way past the output transport, for whoever records the call."""


class Rate:
    """One voice brought to `wanted` Hz, piece by piece."""

    def __init__(self, wanted: int) -> None:
        self._wanted, self._given = wanted, wanted
        self._stream: soxr.ResampleStream | None = None

    def of(self, pcm: bytes, rate: int) -> bytes:
        """s16le, mono; less or more than was given, as far as the resampler has come."""
        if rate == self._wanted:
            return pcm
        if self._stream is None or rate != self._given:
            self._given = rate
            self._stream = soxr.ResampleStream(rate, self._wanted, 1, dtype="int16", quality="HQ")
        return self._stream.resample_chunk(np.frombuffer(pcm, dtype="<i2")).tobytes()


class Voice:
    """One voice on its way to livemon; `say` is `call.caller_audio` or `call.agent_audio`."""

    def __init__(self, say: Callable[[bytes], None], codec: Codec) -> None:
        self._say = say
        self._rate = Rate(codec.form.clock)

    def take(self, frame: AudioRawFrame) -> None:
        if pcm := self._rate.of(mono(frame.audio, frame.num_channels), frame.sample_rate):
            self._say(pcm)


class SupervisorVoice:
    """Writes to the wire by itself, in the pieces by which the transport keeps time, so that nothing in the pipeline can
    cut it off: neither the caller's barge-in nor what is queued there. Waits for `gate.clear`, so that its first word is
    neither taken back with the bot's last one nor mixed with it."""

    def __init__(self, output: BaseOutputTransport, gate: Gate, codec: Codec) -> None:
        self._output, self._gate = output, gate
        self._channels: int = params_of(output).audio_out_channels
        self._rate = codec.form.clock
        self._wanted: Rate | None = None
        self._rest = bytearray()

    async def play(self, frame: bytes) -> None:
        """One frame of PCM (s16le, mono) in the codec's rate; returns when the transport wants more."""
        await self._gate.clear()
        rate, size = self._output.sample_rate, self._output.audio_chunk_size
        if not size:
            return  # the pipeline has not started
        self._wanted = self._wanted or Rate(rate)
        frame = self._wanted.of(frame, self._rate)
        if self._channels > 1:
            frame = np.repeat(np.frombuffer(frame, dtype="<i2"), self._channels).tobytes()
        self._rest += frame
        while len(self._rest) >= size:
            piece = bytes(self._rest[:size])
            del self._rest[:size]
            await self._gate.write(OutputAudioRawFrame(piece, rate, self._channels))
            said = SupervisorAudioFrame(piece, rate, self._channels)
            await pass_on(self._output, said, FrameDirection.DOWNSTREAM)
