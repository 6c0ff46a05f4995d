"""What closes while a supervisor has the call: the models hear nothing more, and not one frame of the bot's leaves.

Three doors, each on the way that every frame has to take. The models' (`process_frame` of LLM, TTS and the like): what is
not about the pipeline's own life goes past them, whatever it is, so that no kind of frame can run the LLM. The output's:
the bot's sound and words end there, and an interruption goes past it, because it would cut off the supervisor. The wire's
(`write_audio_frame` and its like): whatever was queued before, or does not let itself be interrupted, ends there.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Iterable
from typing import Any

from pipecat.frames.frames import (
    CancelFrame,
    EndFrame,
    Frame,
    InterimTranscriptionFrame,
    InterruptionFrame,
    OutputAudioRawFrame,
    OutputImageRawFrame,
    StartFrame,
    StopFrame,
    TextFrame,
    TranscriptionFrame,
    TTSSpeakFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.transports.base_output import BaseOutputTransport

from ...call import Call
from ..surround import Act, surround
from .internals import params_of
from .taps import pass_on

_LOG = logging.getLogger("livemon_runtime")
_LIFE = (StartFrame, EndFrame, StopFrame, CancelFrame, InterruptionFrame)
_BOTS = (OutputAudioRawFrame, OutputImageRawFrame, TextFrame, TTSSpeakFrame)
_CALLERS = (TranscriptionFrame, InterimTranscriptionFrame)
_RTVI = "rtvi-ai"
_LONGEST_PAUSE_S = 0.1
_LONGEST_CUT_S = 1.0
"""A pipeline that does not take its interruption by then is stuck: the supervisor is heard all the same."""
_FLUSH_S = 0.25
"""Of silence; Pipecat's resamplers, which look ahead, give up the last of a voice after 0.04 to 0.12 s of it."""


class Gate:
    """Open until `call.agent_silent`. `write` is the wire's own door, which only the supervisor's voice uses."""

    def __init__(self, call: Call, models: Iterable[FrameProcessor], output: BaseOutputTransport) -> None:
        self._call, self._output = call, output
        self._cut: InterruptionFrame | None = None
        self._taken_back, self._clear = asyncio.Event(), asyncio.Event()
        for model in models:
            surround(model, "process_frame", lambda inner, model=model: self._past(model, inner))
        surround(output, "process_frame", self._out)
        self.write = surround(output, "write_audio_frame", self._paced)
        for name in ("write_video_frame", "write_dtmf"):
            surround(output, name, self._closed)
        surround(output, "send_message", self._messages)

    async def close(self) -> None:
        """Cut off what the bot is saying, here and in whatever the carrier has of it already."""
        self._taken_back.clear()
        self._cut = InterruptionFrame()
        await self._output.queue_frame(self._cut)
        await self._flush()
        await _within(_LONGEST_CUT_S, self._taken_back)
        self._clear.set()

    def open(self) -> None:
        """The agent has the call again: what it says will have to be cut off anew."""
        self._clear.clear()

    async def clear(self) -> None:
        """Wait until nothing of the bot's is left on the way to the caller, and the carrier will forget nothing more."""
        if not self._clear.is_set():
            await _within(2 * _LONGEST_CUT_S, self._clear)
            self._clear.set()

    async def _flush(self) -> None:
        """Let the serializer's resampler give up what it holds of the bot's voice, which the supervisor's would push out to
        the caller otherwise. What comes of it is not sent."""
        params, rate = params_of(self._output), self._output.sample_rate
        serializer: Any = getattr(params, "serializer", None)
        if serializer is None or not rate:
            return
        channels = params.audio_out_channels
        silence = OutputAudioRawFrame(bytes(2 * channels * int(rate * _FLUSH_S)), rate, channels)
        try:
            await serializer.serialize(silence)
        except Exception:
            _LOG.exception("call %s: the caller may hear the end of the agent's last word", self._call.call_id)

    def _past(self, model: FrameProcessor, inner: Act) -> Act:
        def process_frame(frame: Frame, direction: FrameDirection) -> Awaitable[None]:
            if self._call.agent_silent and not isinstance(frame, _LIFE):
                return pass_on(model, frame, direction)
            return inner(frame, direction)

        return process_frame

    def _out(self, inner: Act) -> Act:
        def process_frame(frame: Frame, direction: FrameDirection) -> Awaitable[None]:
            if self._call.agent_silent:
                return self._sifted(frame, direction, inner)
            return inner(frame, direction)

        return process_frame

    async def _sifted(self, frame: Frame, direction: FrameDirection, inner: Act) -> None:
        down = direction is FrameDirection.DOWNSTREAM
        if down and isinstance(frame, _BOTS) and not isinstance(frame, _CALLERS):
            return
        if isinstance(frame, InterruptionFrame) and frame is not self._cut:
            await pass_on(self._output, frame, direction)
            return
        await inner(frame, direction)
        if frame is self._cut:
            self._taken_back.set()

    def _paced(self, inner: Act) -> Act:
        def write_audio_frame(frame: OutputAudioRawFrame) -> Awaitable[bool]:
            return self._unsent(frame) if self._call.agent_silent else inner(frame)

        return write_audio_frame

    async def _unsent(self, frame: OutputAudioRawFrame) -> bool:
        """A mixer gives frames without end, as fast as they are taken: nothing is sent, in the time that it would take."""
        seconds = len(frame.audio) / (2 * frame.num_channels * frame.sample_rate)
        await asyncio.sleep(min(seconds, _LONGEST_PAUSE_S))
        return False

    def _closed(self, inner: Act) -> Act:
        async def write(frame: Frame) -> bool:
            return False if self._call.agent_silent else await inner(frame)

        return write

    def _messages(self, inner: Act) -> Act:
        """What the bot shows on the caller's screen; RTVI's own messages keep the caller's app going."""

        async def send_message(frame: Frame) -> None:
            message: Any = getattr(frame, "message", None)
            if (isinstance(message, dict) and message.get("label") == _RTVI) or not self._call.agent_silent:
                await inner(frame)

        return send_message


async def _within(seconds: float, event: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
