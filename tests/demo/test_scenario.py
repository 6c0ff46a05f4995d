"""The scenarios' data."""

import re

import pytest
from pydantic import ValidationError

from livemon.demo.scenario import (
    AgentLine,
    CallerLine,
    DetourStep,
    DtmfStep,
    HangUpStep,
    NodeStep,
    Scenario,
    SmsStep,
    Step,
    ToolStep,
    load_script,
)

SCRIPT = load_script()
STEPS = [step for scenario in SCRIPT.scenarios for step in scenario.steps]


def scenario(*steps: dict[str, object], **changes: object) -> Scenario:
    fields: dict[str, object] = {
        "name": "test",
        "call_type": "web_call",
        "codec": "opus",
        "metadata": {},
        "agent": {"id": "a", "name": "A", "version": 1, "voice": "ada"},
        "caller": {"voice": "sam"},
        "step": [*steps, {"hang_up": "caller"}],
    }
    return Scenario.model_validate({**fields, **changes})


def test_calls_differ_in_type_direction_and_codec() -> None:
    """A supervisor sees web and phone calls, inbound and outbound, and each way that audio is carried."""
    assert 6 <= len(SCRIPT.scenarios) <= 12
    assert {(s.call_type, s.direction) for s in SCRIPT.scenarios} == {
        ("phone_call", "inbound"),
        ("phone_call", "outbound"),
        ("web_call", None),
    }
    assert {s.codec.value for s in SCRIPT.scenarios} == {"opus", "pcmu", "pcma", "l16/16000"}


@pytest.mark.parametrize("kind", [AgentLine, CallerLine, ToolStep, SmsStep, NodeStep, DtmfStep, DetourStep])
def test_everything_a_transcript_can_show_happens(kind: type[Step]) -> None:
    assert any(isinstance(step, kind) for step in STEPS)


def test_either_side_hangs_up_and_breaks_in_and_tools_fail_or_are_late() -> None:
    assert {step.hang_up for step in STEPS if isinstance(step, HangUpStep)} == {"agent", "caller"}
    assert any(isinstance(step, AgentLine) and step.cut_after_words for step in STEPS)
    tools = [step for step in STEPS if isinstance(step, ToolStep)]
    assert {tool.successful for tool in tools} == {True, False}
    assert {tool.wait for tool in tools} == {True, False}


def test_each_number_is_one_that_no_telephone_has() -> None:
    """Numbers come from 555-0100 to 555-0199, which are kept for fiction."""
    for call in SCRIPT.scenarios:
        assert call.own_number is None or re.fullmatch(r"\+1\d{3}55501\d\d", call.own_number)


def test_the_two_voices_of_a_call_are_never_the_same() -> None:
    assert {call.agent.voice for call in SCRIPT.scenarios}.isdisjoint(call.caller.voice for call in SCRIPT.scenarios)


def test_a_scenario_without_a_hang_up_is_refused() -> None:
    with pytest.raises(ValidationError, match="ends with its one hang_up"):
        scenario(step=[{"agent": "Hello."}, {"agent": "Good bye."}])


def test_a_scenario_that_goes_on_after_a_hang_up_is_refused() -> None:
    with pytest.raises(ValidationError, match="ends with its one hang_up"):
        scenario({"hang_up": "agent"}, {"agent": "Hello?"})


def test_a_phone_call_without_a_number_is_refused() -> None:
    with pytest.raises(ValidationError, match="own_number"):
        scenario({"agent": "Hello."}, call_type="phone_call", direction="inbound")


def test_a_detour_that_nothing_of_the_agent_precedes_is_refused() -> None:
    """Otherwise «could you say that again?» would be said to nobody."""
    with pytest.raises(ValidationError, match="detour"):
        scenario({"agent": "Hello."}, {"caller": "Hi."}, {"detour": True})


def test_a_cut_that_leaves_nothing_to_cut_is_refused() -> None:
    with pytest.raises(ValidationError, match="cut_after_words"):
        scenario({"agent": "Three words here.", "cut_after_words": 3})


def test_an_unknown_step_is_refused() -> None:
    with pytest.raises(ValidationError):
        scenario({"shout": "Hello."})
