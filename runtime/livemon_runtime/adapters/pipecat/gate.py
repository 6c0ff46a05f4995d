"""What closes while a supervisor has the call: the models hear nothing more, and not one frame of the bot's leaves.

Three doors, each on the way that every frame has to take. The models' (`process_frame` of LLM, TTS and the like): what is
not about the pipeline's own life goes past them, whatever it is, so that no kind of frame can run the LLM. The output's:
the bot's sound and words end there, and an interruption goes past it, because it would cut off the supervisor. The wire's
(`write_audio_frame` and its like): whatever was queued before, or does not let itself be interrupted, ends there.
"""

import asyncio
from collections.abc import Iterable
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
from .taps import Act, pass_on, surround

_LIFE = (StartFrame, EndFrame, StopFrame, CancelFrame, InterruptionFrame)
_BOTS = (OutputAudioRawFrame, OutputImageRawFrame, TextFrame, TTSSpeakFrame)
_CALLERS = (TranscriptionFrame, InterimTranscriptionFrame)
_RTVI = "rtvi-ai"
_LONGEST_PAUSE_S = 0.1


class Gate:
    """Open until `call.agent_silent`. `write` is the wire's own door, which only the supervisor's voice uses."""

    def __init__(self, call: Call, models: Iterable[FrameProcessor], output: BaseOutputTransport) -> None:
        self._call, self._output = call, output
        self._cut: InterruptionFrame | None = None
        for model in models:
            surround(model, "process_frame", lambda inner, model=model: self._past(model, inner))
        surround(output, "process_frame", self._out)
        self.write = surround(output, "write_audio_frame", self._paced)
        for name in ("write_video_frame", "write_dtmf"):
            surround(output, name, self._closed)
        surround(output, "send_message", self._messages)

    async def close(self) -> None:
        """Cut off what the bot is saying, here and in whatever the carrier has of it already."""
        self._cut = InterruptionFrame()
        await self._output.queue_frame(self._cut)

    def _past(self, model: FrameProcessor, inner: Act) -> Act:
        async def process_frame(frame: Frame, direction: FrameDirection) -> None:
            if self._call.agent_silent and not isinstance(frame, _LIFE):
                await pass_on(model, frame, direction)
            else:
                await inner(frame, direction)

        return process_frame

    def _out(self, inner: Act) -> Act:
        async def process_frame(frame: Frame, direction: FrameDirection) -> None:
            if self._call.agent_silent and direction is FrameDirection.DOWNSTREAM:
                if isinstance(frame, _BOTS) and not isinstance(frame, _CALLERS):
                    return
                if isinstance(frame, InterruptionFrame) and frame is not self._cut:
                    await pass_on(self._output, frame, direction)
                    return
            await inner(frame, direction)

        return process_frame

    def _paced(self, inner: Act) -> Act:
        async def write_audio_frame(frame: OutputAudioRawFrame) -> bool:
            if not self._call.agent_silent:
                return await inner(frame)
            # A mixer gives frames without end, as fast as they are taken: nothing is sent, in the time that it would take.
            seconds = len(frame.audio) / (2 * frame.num_channels * frame.sample_rate)
            await asyncio.sleep(min(seconds, _LONGEST_PAUSE_S))
            return False

        return write_audio_frame

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
