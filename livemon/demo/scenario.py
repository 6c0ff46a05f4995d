"""What happens in the demo's calls: `scenarios/*.toml` and `detours.toml`, read and checked. No I/O but these files."""

import tomllib
from collections.abc import Iterator
from functools import cached_property
from importlib.resources import files
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from livemon_runtime.codecs import Codec

AgentVoice = Literal["ada", "theo"]
CallerVoice = Literal["rosa", "sam", "vic"]


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Step(_Data):
    pause_s: float = Field(0.0, ge=0, le=30)
    """Seconds of quiet before the step, on top of the usual gap before a turn."""


class AgentLine(_Step):
    agent: str
    cut_after_words: int | None = Field(None, ge=1)
    """The caller breaks in after so many words: the rest is never heard, and the next line starts early."""

    @model_validator(mode="after")
    def _check(self) -> "AgentLine":
        if self.cut_after_words is not None and self.cut_after_words >= len(self.agent.split()):
            raise ValueError("cut_after_words leaves nothing to cut")
        return self


class CallerLine(_Step):
    caller: str


class Again(_Step):
    """The agent says its last line again."""

    again: Literal[True]


class ToolStep(_Step):
    tool: str
    arguments: dict[str, Any]
    result: Any
    takes_s: float = Field(gt=0, le=30)
    successful: bool = True
    wait: bool = True
    """Whether the agent says nothing until the result is there."""


class SmsStep(_Step):
    sms: str
    direction: Literal["inbound", "outbound"]


class NodeStep(_Step):
    node: str


class DtmfStep(_Step):
    dtmf: str = Field(pattern=r"^[0-9*#]+$")


class DetourStep(_Step):
    """A place, always after something that the agent said, where the caller may come up with one of the detours."""

    detour: Literal[True]


class HangUpStep(_Step):
    hang_up: Literal["agent", "caller"]


Step = AgentLine | CallerLine | Again | ToolStep | SmsStep | NodeStep | DtmfStep | DetourStep | HangUpStep


class Agent(_Data):
    id: str
    name: str
    version: int
    voice: AgentVoice


class Caller(_Data):
    voice: CallerVoice
    area_codes: list[str] = []


class Scenario(_Data):
    """One kind of call. Its last step, and no other, is a hang-up."""

    name: str
    call_type: Literal["phone_call", "web_call"]
    direction: Literal["inbound", "outbound"] | None = None
    codec: Codec
    own_number: str | None = None
    metadata: dict[str, Any]
    agent: Agent
    caller: Caller
    steps: list[Step] = Field(alias="step", min_length=2)

    @model_validator(mode="after")
    def _check(self) -> "Scenario":
        if [isinstance(step, HangUpStep) for step in self.steps] != [False] * (len(self.steps) - 1) + [True]:
            raise ValueError("a scenario ends with its one hang_up")
        if self.call_type == "phone_call" and not (self.direction and self.own_number and self.caller.area_codes):
            raise ValueError("a phone call needs direction, own_number and the caller's area_codes")
        agent_spoke = False
        for step in self.steps:
            if isinstance(step, DetourStep) and not agent_spoke:
                raise ValueError("a detour stands after something that the agent said")
            if isinstance(step, AgentLine | CallerLine):
                agent_spoke = isinstance(step, AgentLine) and step.cut_after_words is None
        return self

    @property
    def detour_count(self) -> int:
        return sum(isinstance(step, DetourStep) for step in self.steps)


class Detour(_Data):
    name: str
    steps: list[Step] = Field(alias="step", min_length=1)


class Script(BaseModel):
    """Everything that the demo can say and do."""

    model_config = ConfigDict(frozen=True)

    scenarios: list[Scenario]
    detours: list[Detour]
    injected: list[AgentLine]
    """What the agent says after a supervisor's note."""
    answers: list[CallerLine] = Field(min_length=1)
    """What the caller says to a supervisor who has taken the call over."""
    unheard: list[CallerLine] = Field(min_length=1)
    """What the caller says then while nobody speaks."""

    @cached_property
    def codecs_by_line(self) -> dict[tuple[str, str], frozenset[Codec]]:
        """Every (voice, text) that may be heard, in a fixed order, and the codecs of the calls that it is heard in."""
        found: dict[tuple[str, str], frozenset[Codec]] = {}
        for scenario in self.scenarios:
            for line in self._lines_of(scenario):
                found[line] = found.get(line, frozenset()) | {scenario.codec}
        return found

    def _lines_of(self, scenario: Scenario) -> Iterator[tuple[str, str]]:
        detours = [step for detour in self.detours for step in detour.steps] if scenario.detour_count else []
        for step in [*scenario.steps, *detours, *self.injected, *self.answers, *self.unheard]:
            if isinstance(step, AgentLine):
                yield scenario.agent.voice, step.agent
            elif isinstance(step, CallerLine):
                yield scenario.caller.voice, step.caller


def load_script() -> Script:
    """Read the files beside this module; raises pydantic's `ValidationError` where they are wrong."""
    here = files(__package__ or __name__)
    folder = sorted(here.joinpath("scenarios").iterdir(), key=lambda path: path.name)
    scenarios = [
        Scenario.model_validate({"name": path.name.removesuffix(".toml"), **tomllib.loads(path.read_text("utf-8"))})
        for path in folder
        if path.name.endswith(".toml")
    ]
    shared = tomllib.loads(here.joinpath("detours.toml").read_text("utf-8"))
    said = {"injected": shared["injected"], "answers": shared["answer"], "unheard": shared["unheard"]}
    return Script.model_validate({"scenarios": scenarios, "detours": shared["detour"], **said})
