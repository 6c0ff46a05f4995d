"""The agents of `livemon bench livekit`: whole sessions in which both sides speak, with nobody at the other end.

The models are told what to say and cost nothing: what is measured is LiveKit Agents, and what livemon adds to it.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from livekit import rtc
from livekit.agents import Agent, AgentSession, stt
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions
from livekit.agents.voice.io import AudioInput, AudioOutput, AudioOutputCapabilities, TextOutput
from livekit.agents.voice.transcription import TranscriptSynchronizer

_HZ = 24_000
_FRAME_S = 0.02
_SAMPLES = int(_HZ * _FRAME_S)
_TURN_FRAMES = 250
"""Every five seconds each side has said something."""
_WORDS = "I would like to have a table for two near the window at eight if that is possible tonight."


class _Recognizer(stt.STT[Any]):
    def __init__(self) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=True))

    def stream(self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS, **_: Any) -> stt.RecognizeStream:
        return _Recognizing(stt=self, conn_options=conn_options)

    async def _recognize_impl(self, *_: Any, **__: Any) -> stt.SpeechEvent:
        raise NotImplementedError("it is asked for streams alone")


class _Recognizing(stt.RecognizeStream):
    async def _run(self) -> None:
        n = 0
        async for _ in self._input_ch:
            n += 1
            if n % _TURN_FRAMES == 0:
                self._say(stt.SpeechEventType.FINAL_TRANSCRIPT, _WORDS)
            elif n % 25 == 0:
                self._say(stt.SpeechEventType.INTERIM_TRANSCRIPT, "I would like")

    def _say(self, kind: stt.SpeechEventType, text: str) -> None:
        self._event_ch.send_nowait(stt.SpeechEvent(kind, alternatives=[stt.SpeechData(language="en", text=text)]))  # type: ignore[arg-type]


class _LineIn(AudioInput):
    def __init__(self) -> None:
        super().__init__(label="line")
        self._frame = rtc.AudioFrame(bytes(_SAMPLES * 2), _HZ, 1, _SAMPLES)
        self._due = 0.0

    async def __anext__(self) -> rtc.AudioFrame:
        now = asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, self._due - now))
        self._due = max(now, self._due) + _FRAME_S
        return self._frame


class _LineOut(AudioOutput):
    def __init__(self) -> None:
        super().__init__(label="line", capabilities=AudioOutputCapabilities(pause=False), sample_rate=_HZ)
        self._seconds = 0.0

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        if not self._seconds:
            self.on_playback_started(created_at=time.time())
        self._seconds += frame.duration

    def flush(self) -> None:
        super().flush()
        self._end(interrupted=False)

    def clear_buffer(self) -> None:
        self._end(interrupted=True)

    def _end(self, *, interrupted: bool) -> None:
        if self._seconds:
            played, self._seconds = self._seconds, 0.0
            self.on_playback_finished(playback_position=played, interrupted=interrupted)


class _Nowhere(TextOutput):
    def __init__(self) -> None:
        super().__init__(label="nowhere", next_in_chain=None)

    async def capture_text(self, text: str) -> None:
        pass

    def flush(self) -> None:
        pass


class BenchBot:
    """One call of any length, for `talk` in a task once it was started."""

    def __init__(self) -> None:
        self.session: AgentSession[Any] = AgentSession(
            stt=_Recognizer(), vad=None, turn_handling={"turn_detection": "manual"}, user_away_timeout=None
        )
        self._both = both = TranscriptSynchronizer(next_in_chain_audio=_LineOut(), next_in_chain_text=_Nowhere())
        self.session.input.audio = _LineIn()
        self.session.output.audio = both.audio_output
        self.session.output.transcription = both.text_output

    async def start(self) -> None:
        await self.session.start(Agent(instructions="You are measured."))

    async def stop(self) -> None:
        await self.session.aclose()
        await self._both.aclose()

    async def talk(self) -> None:
        """Speak, in real time, until cancelled; the caller does by themselves."""
        while True:
            await self.session.say(_WORDS, audio=_spoken(), allow_interruptions=False)


async def _spoken() -> AsyncIterator[rtc.AudioFrame]:
    loop = asyncio.get_running_loop()
    due = loop.time()
    for _ in range(_TURN_FRAMES):
        yield rtc.AudioFrame(b"\1\1" * _SAMPLES, _HZ, 1, _SAMPLES)
        due += _FRAME_S
        await asyncio.sleep(max(0.0, due - loop.time()))
