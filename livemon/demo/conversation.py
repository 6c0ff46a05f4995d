"""One demo call as it unfolds: a scenario turned into cues, each with its time. Pure: no clock, no I/O, no SDK.

What is left open is decided as the call goes on, so that a note put in by a supervisor can still be answered.
"""

import heapq
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Any, Literal

from .scenario import (
    Again,
    AgentLine,
    CallerLine,
    Detour,
    DetourStep,
    DtmfStep,
    HangUpStep,
    NodeStep,
    Scenario,
    Script,
    SmsStep,
    Step,
    ToolStep,
)
from .speech import Speech, Utterance

Speaker = Literal["agent", "caller"]

_TURN_GAP_MS: dict[Speaker, tuple[int, int]] = {"agent": (700, 1_500), "caller": (400, 1_200)}
"""The quiet before a turn: an agent has to hear the end of the caller's turn, think, and make speech of it."""
_TALK_OVER_MS = 300
"""How long both are heard when the caller breaks in."""
_DIGIT_MS = 320
_AFTER_SMS_MS = 400


@dataclass(frozen=True, slots=True)
class VoiceStarts:
    """`speaker` is heard from now on, for `ms`, with the beginning of `utterance`."""

    turn: int
    speaker: Speaker
    utterance: Utterance
    ms: int


@dataclass(frozen=True, slots=True)
class Words:
    """What has been said of a turn so far. The last one of each turn is `final`."""

    turn: int
    speaker: Speaker
    text: str
    started_ms: int
    final: bool = False
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class ToolCalled:
    tool_call_id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolAnswered:
    tool_call_id: str
    content: Any
    successful: bool


@dataclass(frozen=True, slots=True)
class NodeEntered:
    former: str | None
    new: str


@dataclass(frozen=True, slots=True)
class SmsSent:
    content: str
    direction: Literal["inbound", "outbound"]


@dataclass(frozen=True, slots=True)
class DigitPressed:
    digit: str


@dataclass(frozen=True, slots=True)
class HungUp:
    by: Speaker


Event = VoiceStarts | Words | ToolCalled | ToolAnswered | NodeEntered | SmsSent | DigitPressed | HungUp


@dataclass(frozen=True, slots=True)
class Cue:
    """`event` happens `at_ms` after the call's start."""

    at_ms: int
    event: Event


class Conversation:
    """Iterate for the cues, in order of time. `take_note` may be called in between; the next pause answers it.

    `talkative` is the chance, 0 to 1, that the caller takes each occasion for a detour.
    """

    def __init__(
        self, scenario: Scenario, script: Script, speech: Speech, random: Random, *, talkative: float = 0.5
    ) -> None:
        self.scenario = scenario
        self._speech, self._random, self._talkative = speech, random, talkative
        self._detours = random.sample(script.detours, len(script.detours))
        self._injected = script.injected
        self._notes: deque[bool] = deque(maxlen=20)
        self._notes_taken = 0
        self._later: list[tuple[int, int, Event]] = []
        self._order = count()
        self._turns = count(1)
        self._tools = count(1)
        self._at = 0
        self._node: str | None = None
        self._said: AgentLine | None = None
        self._broken_in = False

    def take_note(self, *, respond: bool) -> None:
        """Answer what a supervisor put in: at the next pause, or, unless `respond`, before the agent's next line."""
        self._notes.append(respond)

    def __iter__(self) -> Iterator[Cue]:
        return self._play(self.scenario.steps)

    def _play(self, steps: Iterable[Step]) -> Iterator[Cue]:
        for step in steps:
            if isinstance(step, DetourStep):
                yield from self._play(self._next_detour())
                continue
            if self._notes_due(step):
                yield from self._answer_notes()
            self._at += round(step.pause_s * 1000)
            yield from self._step(step)

    def _step(self, step: Step) -> Iterator[Cue]:
        if isinstance(step, AgentLine | CallerLine):
            yield from self._line(step)
        elif isinstance(step, Again):
            if self._said:
                yield from self._line(self._said)
        elif isinstance(step, ToolStep):
            yield from self._tool(step)
        elif isinstance(step, DtmfStep):
            for digit in step.dtmf:
                yield from self._cue(DigitPressed(digit))
                self._at += _DIGIT_MS
        else:
            yield from self._moment(step)

    def _moment(self, step: Step) -> Iterator[Cue]:
        if isinstance(step, NodeStep):
            former, self._node = self._node, step.node
            yield from self._cue(NodeEntered(former, step.node))
        elif isinstance(step, SmsStep):
            yield from self._cue(SmsSent(step.sms, step.direction))
            self._at += _AFTER_SMS_MS
        elif isinstance(step, HangUpStep):
            self._at += self._random.randint(*_TURN_GAP_MS[step.hang_up])
            yield from self._cue(HungUp(step.hang_up))

    def _tool(self, step: ToolStep) -> Iterator[Cue]:
        tool_call_id = f"tool_{next(self._tools)}"
        yield from self._cue(ToolCalled(tool_call_id, step.tool, step.arguments))
        done = self._at + round(step.takes_s * 1000 * self._random.uniform(0.85, 1.2))
        self._plan(done, ToolAnswered(tool_call_id, step.result, step.successful))
        if step.wait:
            self._at = done

    # --- what is said ---------------------------------------------------------------------------------------------

    def _line(self, line: AgentLine | CallerLine) -> Iterator[Cue]:
        if isinstance(line, AgentLine):
            speaker, utterance = "agent", self._speech[self.scenario.agent.voice, line.agent]
            cut = line.cut_after_words
            self._said = self._said if cut else line
        else:
            speaker, utterance, cut = "caller", self._speech[self.scenario.caller.voice, line.caller], None
        if not self._broken_in:
            self._at += self._random.randint(*_TURN_GAP_MS[speaker])
        self._broken_in = cut is not None
        yield from self._turn(speaker, utterance, cut)

    def _turn(self, speaker: Speaker, utterance: Utterance, cut: int | None) -> Iterator[Cue]:
        turn, start = next(self._turns), self._at
        words = utterance.words[:cut]
        ms = utterance.ms if cut is None else utterance.starts[cut]
        self._plan(start + ms, Words(turn, speaker, " ".join(words), start, final=True, interrupted=cut is not None))
        yield from self._cue(VoiceStarts(turn, speaker, utterance, ms))
        last = ms if cut is None else ms - _TALK_OVER_MS
        for number, offset in enumerate(utterance.starts[: len(words)], 1):
            if offset >= last:
                break
            self._at = start + offset
            yield from self._cue(Words(turn, speaker, " ".join(words[:number]), start))
        self._at = start + last

    def to_supervisor(self, line: CallerLine, at_ms: int) -> Iterator[Cue]:
        """What the caller says `at_ms` to a supervisor who has the call; the script is over by then."""
        self._at = at_ms
        yield from self._turn("caller", self._speech[self.scenario.caller.voice, line.caller], None)
        yield from self._rest()

    # --- what leaves the script -----------------------------------------------------------------------------------

    def _next_detour(self) -> list[Step]:
        if not self._detours or self._random.random() >= self._talkative:
            return []
        detour: Detour = self._detours.pop()
        return detour.steps

    def _notes_due(self, step: Step) -> bool:
        if self._broken_in or isinstance(step, HangUpStep):
            return False
        return any(self._notes) or bool(self._notes and isinstance(step, AgentLine | Again))

    def _answer_notes(self) -> Iterator[Cue]:
        self._notes.clear()
        said = self._said
        yield from self._line(self._injected[self._notes_taken % len(self._injected)])
        self._said = said
        self._notes_taken += 1

    # --- the order of things --------------------------------------------------------------------------------------

    def _plan(self, at_ms: int, event: Event) -> None:
        heapq.heappush(self._later, (at_ms, next(self._order), event))

    def _rest(self) -> Iterator[Cue]:
        """Everything that was planned, whenever."""
        while self._later:
            at_ms, _, planned = heapq.heappop(self._later)
            yield Cue(at_ms, planned)

    def _cue(self, event: Event) -> Iterator[Cue]:
        """`event` now, and before it whatever was planned for earlier."""
        while self._later and self._later[0][0] <= self._at:
            at_ms, _, planned = heapq.heappop(self._later)
            yield Cue(at_ms, planned)
        yield Cue(self._at, event)
