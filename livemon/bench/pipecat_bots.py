"""The bots of `livemon bench pipecat`: whole Pipecat pipelines in which both sides speak, with nobody at the other end.

The models are told what to say and cost nothing: what is measured is Pipecat, and what livemon adds to it.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    OutputAudioRawFrame,
    StartFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSStoppedFrame,
    TTSTextFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.llm_service import LLMService
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import BaseTransport, TransportParams
from pipecat.turns.user_turn_strategies import ExternalUserTurnStrategies

IN_HZ, OUT_HZ = 16_000, 24_000
FRAME_S = 0.02
_TURN_FRAMES = 250
"""Every five seconds each side has said something."""


class _Hearing(BaseInputTransport):
    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)


class _Speaking(BaseOutputTransport):
    def __init__(self, params: TransportParams) -> None:
        super().__init__(params)
        self._due = 0.0

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        now = asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, self._due - now))
        self._due = max(now, self._due) + len(frame.audio) / 2 / frame.sample_rate
        return True


class _Transport(BaseTransport):
    def __init__(self) -> None:
        super().__init__()
        params = TransportParams(audio_in_enabled=True, audio_out_enabled=True)
        self._hearing, self._speaking = _Hearing(params), _Speaking(params)

    def input(self) -> FrameProcessor:
        return self._hearing

    def output(self) -> FrameProcessor:
        return self._speaking


class _Recognizer(STTService):
    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        yield None


class _Model(LLMService[Any]):
    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)


class _Voice(TTSService):
    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        yield None


class BenchBot:
    """One call of any length, for `run` in a task; `worker` and `transport` as a bot's developer has them."""

    def __init__(self) -> None:
        self.transport = _Transport()
        self._recognizer, self._voice = _Recognizer(), _Voice()
        turns = LLMUserAggregatorParams(user_turn_strategies=ExternalUserTurnStrategies())
        pair = LLMContextAggregatorPair(LLMContext(), user_params=turns)
        hears = [self.transport.input(), self._recognizer, pair.user()]
        self.worker = PipelineWorker(
            Pipeline([*hears, _Model(), self._voice, self.transport.output(), pair.assistant()]), idle_timeout_secs=None
        )
        self.frames = 0
        """How many both sides have spoken, `FRAME_S` each."""
        self._started = asyncio.Event()
        self.worker.add_event_handler("on_pipeline_started", self._note_start)

    async def _note_start(self, *_: object) -> None:
        self._started.set()

    async def talk(self) -> None:
        """Both sides speak, in real time, until cancelled."""
        await self._started.wait()
        loop = asyncio.get_running_loop()
        hearing = self.transport.input()
        assert isinstance(hearing, BaseInputTransport)
        caller, agent = bytes(int(IN_HZ * FRAME_S) * 2), b"\1\1" * int(OUT_HZ * FRAME_S)
        due = loop.time()
        while True:
            await hearing.push_audio_frame(InputAudioRawFrame(caller, IN_HZ, 1))
            await self._voice.push_frame(TTSAudioRawFrame(agent, OUT_HZ, 1))
            await self._say(self.frames)
            due, self.frames = due + FRAME_S, self.frames + 1
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def _say(self, n: int) -> None:
        if n % 25 == 0:
            await self._recognizer.push_frame(InterimTranscriptionFrame("I would like", "caller", ""))
            await self._voice.push_frame(TTSTextFrame("word", "word"))
        if n % _TURN_FRAMES == 0:
            await self._recognizer.push_frame(TranscriptionFrame("I would like a table.", "caller", ""))
            await self._voice.push_frame(TTSStoppedFrame())
