"""Stand-ins for the vendors' models, and for these alone: models of LiveKit's own kinds, told by the test what to say."""

import asyncio
import json
from typing import Any

import numpy as np
from livekit.agents import llm, stt, tts
from livekit.agents.types import APIConnectOptions

BOT = 8_000
"""The agent's voice: samples of this value. The supervisor's is another."""
BOT_HZ = 24_000
WORD_S = 0.2


class Hearing(stt.STT):
    """Speech recognition that finds the caller's turns by itself, as some vendors' does."""

    def __init__(self) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=True))
        self.heard_frames = 0
        self._streams: list[_HearingStream] = []

    def stream(self, *, conn_options: APIConnectOptions = APIConnectOptions(), **_: Any) -> stt.RecognizeStream:  # noqa: B008
        self._streams.append(_HearingStream(stt=self, conn_options=conn_options))
        return self._streams[-1]

    async def _recognize_impl(self, *_: Any, **__: Any) -> stt.SpeechEvent:
        raise NotImplementedError("it is asked for streams alone")

    def _emit(self, kind: stt.SpeechEventType, text: str = "") -> None:
        said = [stt.SpeechData(language="en", text=text)] if text else []
        self._streams[-1].say(stt.SpeechEvent(type=kind, alternatives=said))

    def begin(self) -> None:
        """The caller begins to speak: a barge-in, if the agent is speaking."""
        self._emit(stt.SpeechEventType.START_OF_SPEECH)

    def partly(self, text: str) -> None:
        self._emit(stt.SpeechEventType.INTERIM_TRANSCRIPT, text)

    def finish(self, text: str) -> None:
        self._emit(stt.SpeechEventType.FINAL_TRANSCRIPT, text)
        self._emit(stt.SpeechEventType.END_OF_SPEECH)

    def hear(self, text: str) -> None:
        self.begin()
        self.finish(text)


class _HearingStream(stt.RecognizeStream):
    def say(self, event: stt.SpeechEvent) -> None:
        self._event_ch.send_nowait(event)

    async def _run(self) -> None:
        async for frame in self._input_ch:
            if not isinstance(frame, self._FlushSentinel):
                self._stt.heard_frames += 1  # type: ignore[attr-defined]


class Thinking(llm.LLM):
    """A model that says `answer` each time, or once calls `tool` instead."""

    def __init__(self, answer: str) -> None:
        super().__init__()
        self.answer = answer
        self.tool: tuple[str, dict[str, Any]] | None = None
        self.seen: list[list[Any]] = []
        """The context of each run."""

    @property
    def runs(self) -> int:
        return len(self.seen)

    def chat(self, *, chat_ctx: llm.ChatContext, conn_options: Any = None, **more: Any) -> llm.LLMStream:
        self.seen.append(list(chat_ctx.items))
        conn_options = conn_options or APIConnectOptions()
        return _ThinkingStream(self, chat_ctx=chat_ctx, tools=more.get("tools") or [], conn_options=conn_options)


class _ThinkingStream(llm.LLMStream):
    async def _run(self) -> None:
        model = self._llm
        assert isinstance(model, Thinking)
        if model.tool:
            (name, arguments), model.tool = model.tool, None
            call = llm.FunctionToolCall(name=name, arguments=json.dumps(arguments), call_id=f"t-{model.runs}")
            self._say(llm.ChoiceDelta(role="assistant", tool_calls=[call]))
            return
        for word in model.answer.split():
            self._say(llm.ChoiceDelta(role="assistant", content=f"{word} "))
            await asyncio.sleep(0)

    def _say(self, delta: llm.ChoiceDelta) -> None:
        self._event_ch.send_nowait(llm.ChatChunk(id="chunk", delta=delta))


class Speaking(tts.TTS):
    """A fifth of a second of sound a word, faster than it is heard."""

    def __init__(self) -> None:
        super().__init__(capabilities=tts.TTSCapabilities(streaming=False), sample_rate=BOT_HZ, num_channels=1)
        self.asked = 0

    def synthesize(self, text: str, *, conn_options: Any = None) -> tts.ChunkedStream:
        self.asked += 1
        return _SpeakingStream(tts=self, input_text=text, conn_options=conn_options or APIConnectOptions())


class _SpeakingStream(tts.ChunkedStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(request_id="one", sample_rate=BOT_HZ, num_channels=1, mime_type="audio/pcm")
        for _ in self._input_text.split():
            output_emitter.push(sound(BOT, int(BOT_HZ * WORD_S)))
        output_emitter.flush()


def sound(value: int, samples: int) -> bytes:
    return np.full(samples, value, dtype="<i2").tobytes()
