"""Stand-ins for the vendors' models, and for these alone: services of Pipecat's own kinds, told by the test what to say."""

from collections.abc import AsyncGenerator
from typing import Any

import numpy as np
from pipecat.frames.frames import (
    Frame,
    InterimTranscriptionFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.llm_service import FunctionCallFromLLM, LLMService
from pipecat.services.settings import LLMSettings, STTSettings, TTSSettings
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService
from pipecat.utils.time import time_now_iso8601

BOT = 8_000
"""The agent's voice: samples of this value. The supervisor's is another."""


class Hearing(STTService):
    """Speech recognition that finds the caller's turns by itself, as Flux does."""

    def __init__(self) -> None:
        super().__init__(settings=STTSettings(model=None, language=None))
        self.heard_audio = 0

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        self.heard_audio += len(audio)
        yield None

    async def begin(self) -> None:
        """The caller begins to speak: a barge-in, if the agent is speaking."""
        await self.broadcast_frame(UserStartedSpeakingFrame)
        await self.broadcast_interruption()

    async def partly(self, text: str) -> None:
        await self.push_frame(InterimTranscriptionFrame(text, "caller", time_now_iso8601()))

    async def finish(self, text: str) -> None:
        await self.push_frame(TranscriptionFrame(text, "caller", time_now_iso8601()))
        await self.broadcast_frame(UserStoppedSpeakingFrame)

    async def hear(self, text: str) -> None:
        await self.begin()
        await self.finish(text)


class Thinking(LLMService):
    """A model that says `answer` each time, or once calls `tool` instead."""

    def __init__(self, answer: str) -> None:
        settings: dict[str, Any] = dict.fromkeys(LLMSettings().__dict__)
        settings.pop("extra", None)
        super().__init__(settings=LLMSettings(**settings))
        self.answer = answer
        self.tool: tuple[str, dict[str, Any]] | None = None
        self.seen: list[list[Any]] = []
        """The context of each run."""

    @property
    def runs(self) -> int:
        return len(self.seen)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        self.seen.append(list(frame.context.get_messages()))
        await self.push_frame(LLMFullResponseStartFrame())
        if self.tool:
            (name, arguments), self.tool = self.tool, None
            call = FunctionCallFromLLM(name, f"t-{self.runs}", arguments, frame.context)
            await self.run_function_calls([call])
        else:
            for word in self.answer.split():
                await self.push_frame(LLMTextFrame(f"{word} "))
        await self.push_frame(LLMFullResponseEndFrame())


class Speaking(TTSService):
    """A fifth of a second of sound a word, faster than it is heard, and when each word's turn will be."""

    def __init__(self) -> None:
        settings = TTSSettings(model=None, voice=None, language=None)
        super().__init__(settings=settings, push_start_frame=True, push_stop_frames=True, push_text_frames=False)

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        rate = self.sample_rate
        for n, word in enumerate(text.split()):
            await self.add_word_timestamps([(word, n / 5)], context_id)
            yield TTSAudioRawFrame(sound(BOT, rate // 5), rate, 1, context_id=context_id)


def sound(value: int, samples: int) -> bytes:
    return np.full(samples, value, dtype="<i2").tobytes()
