"""Plays one conversation as a call of the SDK: its cues at their times, its voices at real-time pace.

Not a task and without a clock of its own: `Stage` says what time it is.
"""

from dataclasses import dataclass, replace
from itertools import count, islice

from livemon_runtime import Call, Supervisor
from livemon_runtime.protocol import InjectCommand

from .conversation import Conversation, Cue, HungUp, VoiceStarts, Words
from .entries import entry_of
from .held_caller import HeldCaller
from .scenario import CallerLine, Script
from .speech import PACKET_MS

_LATE_PACKETS = 10
"""What a voice may be behind, in packets, before it skips instead of bursting: the process was frozen."""

_HELD_LOOK_MS = 100
"""How often a call that a supervisor has is looked at."""

_REASONS = {"agent": "agent_hangup", "caller": "user_hangup"}


@dataclass(slots=True)
class Voice:
    """One utterance on its way: `count` of its packets are heard, of which `next` is the next."""

    speaker: str
    packets: tuple[bytes, ...]
    started_ms: float
    count: int
    next: int = 0

    def due(self, now_ms: float) -> list[bytes]:
        """The packets whose time has come by `now_ms`, each once."""
        reached = min(self.count, int((now_ms - self.started_ms) // PACKET_MS) + 1)
        first = max(self.next, reached - _LATE_PACKETS)
        self.next = max(self.next, reached)
        return list(islice(self.packets, first, reached))

    @property
    def over(self) -> bool:
        return self.next >= self.count


class CallPlayer:
    """Times are milliseconds since the call's start. What happened in the first `past_ms` is told at once, unspoken."""

    def __init__(self, call: Call, conversation: Conversation, script: Script, past_ms: int = 0) -> None:
        self.call = call
        self._script = script
        self._held: HeldCaller | None = None
        self._answer: CallerLine | None = None
        self._conversation = conversation
        self._cues = iter(conversation)
        self._upcoming = next(self._cues, None)
        self._numbers = count(1)
        self._open: dict[int, Words] = {}
        self._voices: list[Voice] = []
        call.on_end(self.stop_talking)
        call.on_inject(self._take_note)
        call.on_take_over(self._meet)
        self._tell(past_ms)

    @property
    def speaking(self) -> bool:
        return bool(self._voices)

    def advance(self, now_ms: float) -> int | None:
        """Play the cues that are due; answer when the next one is, or None if the call is over."""
        while self._upcoming and self._upcoming.at_ms <= now_ms and not self.call.ended:
            self._play(self._upcoming)
            self._upcoming = next(self._cues, None)
        if self._held and not self.call.ended:
            return self._advance_held(now_ms)
        return None if self.call.ended or self._upcoming is None else self._upcoming.at_ms

    def _advance_held(self, now_ms: float) -> int:
        """The script is over: the caller answers, and otherwise waits."""
        if self._answer and self._upcoming is None and not self._voices:
            self._cues = self._conversation.to_supervisor(self._answer, int(now_ms))
            self._answer, self._upcoming = None, next(self._cues, None)
        soon = int(now_ms) + _HELD_LOOK_MS
        return min(soon, self._upcoming.at_ms) if self._upcoming else soon

    def speak(self, now_ms: float) -> None:
        """Give the SDK the packets that are due; it makes nothing of them while nobody listens."""
        for voice in self._voices:
            say = self.call.agent_audio if voice.speaker == "agent" else self.call.caller_audio
            for packet in voice.due(now_ms):
                say(packet)
        self._voices = [voice for voice in self._voices if not voice.over]

    def hang_up(self) -> None:
        """End the call from the agent's side, in the middle of whatever is said."""
        self.stop_talking()
        self.call.end("agent_hangup")

    def stop_talking(self) -> None:
        """Nobody is heard from now on; what they were saying stands as far as they came."""
        for words in list(self._open.values()):
            self._enter(Cue(words.started_ms, replace(words, final=True, interrupted=True)))
        self._voices.clear()
        self._upcoming = None
        self._cues = iter(())

    def _tell(self, past_ms: int) -> None:
        while self._upcoming and self._upcoming.at_ms < past_ms:
            cue, event = self._upcoming, self._upcoming.event
            if not isinstance(event, VoiceStarts) or cue.at_ms + event.ms > past_ms:
                self._play(cue)
            self._upcoming = next(self._cues, None)

    def _meet(self, supervisor: Supervisor) -> None:
        """A supervisor asks for the call, and may have it."""
        supervisor.on_silence(self._hand_over)
        supervisor.on_audio(self._hear_supervisor)

    def _hand_over(self, silent: bool) -> None:
        """The agent leaves for good. (Where it was silent for a doubt alone, it has lost its thread, and hangs up.)"""
        if silent and self._held is None:
            self.stop_talking()
            self._held = HeldCaller(self._script)
        elif not silent:
            self.hang_up()

    def _hear_supervisor(self, frame: bytes) -> None:
        if self._held is None:
            return
        if self._voices or self._answer:
            self._held.rest()
        else:
            self._answer = self._held.hear(frame)

    def _take_note(self, command: InjectCommand) -> None:
        self._conversation.take_note(respond=command.trigger_response)

    def _play(self, cue: Cue) -> None:
        event = cue.event
        if isinstance(event, VoiceStarts):
            packets = event.utterance.packets[self._conversation.scenario.codec]
            heard = min(len(packets), event.ms // PACKET_MS + 1)
            self._voices.append(Voice(event.speaker, packets, cue.at_ms, heard))
        elif isinstance(event, HungUp):
            self.call.end(_REASONS[event.by])
        else:
            self._enter(cue)

    def _enter(self, cue: Cue) -> None:
        entry = entry_of(cue, next(self._numbers))
        if entry is None:
            return
        if isinstance(cue.event, Words) and not cue.event.final:
            self._open[cue.event.turn] = cue.event
            self.call.say_partial(entry["id"], entry)
        else:
            if isinstance(cue.event, Words):
                self._open.pop(cue.event.turn, None)
            self.call.say_entry(entry)
