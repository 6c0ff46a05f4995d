"""The ends of a session's outputs, where sound and words leave: there they are tapped, and there they end at a take-over.

An output is a chain (recorder, transcript synchronizer, the room's own). What is done at its last link is done to whatever
comes through it, and an output that replaces another is met when it is looked for again (`attaching`).
"""

from typing import Any

from livekit import rtc
from livekit.agents.voice.io import AudioOutput, TextOutput

from ...call import Call
from ..surround import Act, surround
from .agent_voice import AgentVoice
from .agent_words import AgentWords
from .pcm import Rate, frame_of

SYNCHRONIZER = "TranscriptSynchronizer"
"""The label of LiveKit's own link that lets words through when their sound is heard."""


def last_of(output: Any) -> Any:
    """The last link of an output's chain."""
    while (following := output.next_in_chain) is not None:
        output = following
    return output


def synchronized(output: TextOutput) -> bool:
    """Whether words reach the chain's last link when they are heard."""
    while (following := output.next_in_chain) is not None:
        if output.label == SYNCHRONIZER:
            return True
        output = following
    return False


class Sound:
    """The last link of an audio output. `cut` it when the agent has to be silent; then only `play` comes through."""

    def __init__(self, sink: AudioOutput, call: Call, voice: AgentVoice) -> None:
        self.sink = sink
        self._call, self._voice = call, voice
        self._within = False
        """A speech was begun there and not flushed."""
        self._rate: Rate | None = None
        self._capture = surround(sink, "capture_frame", self._captured)
        self._flush = surround(sink, "flush", self._flushed)
        self._clear = surround(sink, "clear_buffer", self._cleared)
        surround(sink, "pause", lambda inner: self._told(inner, voice.pause))
        self._resume = surround(sink, "resume", lambda inner: self._told(inner, voice.resume))

    def cut(self) -> None:
        """What it has is not played. The session learns of it as of an interruption."""
        self._resume()
        if self._within:
            self._within = False
            self._flush()
        self._clear()
        self._voice.drop()

    async def play(self, pcm: bytes, rate: int) -> None:
        """The supervisor's voice, past the session: no interruption of its cuts it off."""
        wanted = self.sink.sample_rate or rate
        self._rate = self._rate or Rate(wanted)
        for piece in self._rate.of(pcm, rate):
            await self._capture(frame_of(piece, wanted))

    def _captured(self, inner: Act) -> Act:
        async def capture_frame(frame: rtc.AudioFrame) -> None:
            if self._call.agent_silent:
                return
            self._within = True
            await inner(frame)
            if self._call.agent_silent:
                self.cut()  # it waited there while the call was taken over
            else:
                self._voice.capture(frame)

        return capture_frame

    def _flushed(self, inner: Act) -> Act:
        def flush() -> None:
            if not self._call.agent_silent:
                self._within = False
                inner()

        return flush

    def _cleared(self, inner: Act) -> Act:
        return self._told(inner, self._voice.drop)

    def _told(self, inner: Act, tell: Act) -> Act:
        def act() -> None:
            if not self._call.agent_silent:
                inner()
                tell()

        return act


class Words:
    """The last link of a text output: the captions that the caller may read."""

    def __init__(self, sink: TextOutput, call: Call, words: AgentWords) -> None:
        self.sink = sink
        self._call, self._words = call, words
        surround(sink, "capture_text", self._captured)

    def _captured(self, inner: Act) -> Act:
        async def capture_text(text: str) -> None:
            if self._call.agent_silent:
                return
            if self._words.in_time:
                self._words.speak(str(text))
            await inner(text)

        return capture_text
