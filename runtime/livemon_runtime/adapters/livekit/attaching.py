"""Where a session's sound and words are met: at its inputs and outputs, which may come, go and be replaced while it runs."""

from typing import Any

from livekit import rtc
from livekit.agents import AgentSession

from ...call import Call
from ...drops import Drops
from .agent_voice import AgentVoice
from .agent_words import AgentWords
from .inputs import CallerTap, tapped
from .outputs import Sound, Words, last_of, synchronized
from .pcm import Voice


class Attaching:
    """`look` as often as something may have changed; what is there already is left alone."""

    def __init__(
        self, call: Call, session: AgentSession[Any], drops: Drops, caller: Voice, voice: AgentVoice, words: AgentWords
    ) -> None:
        self._call, self._session, self._drops = call, session, drops
        self._caller, self._voice, self._words = caller, voice, words
        self._sounds: list[Sound] = []
        self._texts: list[Words] = []
        self.sound: Sound | None = None
        """Where the agent's voice leaves now."""

    def look(self) -> None:
        source = self._session.input.audio
        if source is not None and not tapped(source):
            self._session.input.audio = CallerTap(source, self._call, self._heard)
        self.sound = self._sound()
        text = self._session.output.transcription
        self._words.in_time = text is not None and synchronized(text)
        if text is not None:
            sink = last_of(text)
            if not any(one.sink is sink for one in self._texts):
                self._texts.append(Words(sink, self._call, self._words))

    def _sound(self) -> Sound | None:
        output = self._session.output.audio
        if output is None:
            return None
        sink = last_of(output)
        for sound in self._sounds:
            if sound.sink is sink:
                return sound
        self._sounds.append(Sound(sink, self._call, self._voice))
        return self._sounds[-1]

    def _heard(self, frame: rtc.AudioFrame) -> None:
        """A frame of the caller's that somebody wants."""
        try:
            self._caller.take(frame)
        except Exception as error:
            self._drops.drop("livekit_frame_malformed", f"{self._call.call_id}: {error!r}")
