"""A scenario as it unfolds."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemon.demo.conversation import (
    Conversation,
    Cue,
    DigitPressed,
    HungUp,
    NodeEntered,
    ToolAnswered,
    ToolCalled,
    VoiceStarts,
    Words,
)
from livemon.demo.scenario import Scenario, load_script
from livemon.demo.speech import Speech, load_speech

SCRIPT = load_script()
SPEECH: Speech = load_speech(SCRIPT)
SCENARIOS = {scenario.name: scenario for scenario in SCRIPT.scenarios}
conversations = st.builds(
    lambda scenario, seed, talkative: Conversation(scenario, SCRIPT, SPEECH, Random(seed), talkative=talkative),
    st.sampled_from(SCRIPT.scenarios),
    st.integers(0, 2**32),
    st.floats(0, 1),
)


def play(name: str, talkative: float = 0.0) -> list[Cue]:
    return list(Conversation(SCENARIOS[name], SCRIPT, SPEECH, Random(1), talkative=talkative))


@given(conversations)
def test_cues_come_in_order_of_time_and_end_with_the_one_hang_up(conversation: Conversation) -> None:
    cues = list(conversation)
    assert all(before.at_ms <= after.at_ms for before, after in pairwise(cues))
    assert [isinstance(cue.event, HungUp) for cue in cues] == [False] * (len(cues) - 1) + [True]


@given(conversations)
def test_partials_grow_in_step_with_the_audio(conversation: Conversation) -> None:
    """A partial has the words that have begun in the audio by then, and no other."""
    voices: dict[int, tuple[int, VoiceStarts]] = {}
    for cue in conversation:
        if isinstance(cue.event, VoiceStarts):
            voices[cue.event.turn] = (cue.at_ms, cue.event)
        if isinstance(cue.event, Words) and not cue.event.final:
            began, voice = voices[cue.event.turn]
            begun = [start for start in voice.utterance.starts if start <= cue.at_ms - began]
            said = cue.event.text.split()
            assert voice.utterance.words[: len(said)] == tuple(said)
            assert voice.utterance.starts[len(said) - 1] == begun[-1]


@given(conversations)
def test_each_turn_ends_once_when_its_audio_does(conversation: Conversation) -> None:
    cues = list(conversation)
    voices = {c.event.turn: c.at_ms + c.event.ms for c in cues if isinstance(c.event, VoiceStarts)}
    finals = [(c.event.turn, c.at_ms) for c in cues if isinstance(c.event, Words) and c.event.final]
    assert sorted(finals) == sorted(voices.items())


@given(conversations)
def test_nobody_speaks_over_the_other_but_to_break_in(conversation: Conversation) -> None:
    spoken = [(cue.at_ms, cue.event) for cue in conversation if isinstance(cue.event, VoiceStarts)]
    for (began, before), (begins, after) in pairwise(spoken):
        overlap = began + before.ms - begins
        cut = before.ms < before.utterance.ms
        assert overlap == 300 if cut else overlap < 0
        assert not cut or (before.speaker, after.speaker) == ("agent", "caller")


@given(conversations)
def test_every_tool_result_follows_its_call(conversation: Conversation) -> None:
    called: set[str] = set()
    for cue in conversation:
        if isinstance(cue.event, ToolCalled):
            assert cue.event.tool_call_id not in called
            called.add(cue.event.tool_call_id)
        if isinstance(cue.event, ToolAnswered):
            assert cue.event.tool_call_id in called


def test_calls_last_from_half_a_minute_to_four_minutes() -> None:
    for scenario in SCRIPT.scenarios:
        for seed in range(20):
            *_, last = Conversation(scenario, SCRIPT, SPEECH, Random(seed), talkative=seed / 20)
            assert 30_000 < last.at_ms < 240_000


def test_the_same_seed_gives_the_same_call() -> None:
    assert play("claim", 0.7) == play("claim", 0.7)


def test_an_interrupted_turn_says_only_what_was_heard() -> None:
    finals = [cue.event for cue in play("table") if isinstance(cue.event, Words) and cue.event.final]
    (cut,) = [words for words in finals if words.interrupted]
    assert cut.speaker == "agent"
    assert cut.text.endswith("it's been busy")


def test_the_conversation_goes_on_while_a_slow_tool_runs() -> None:
    cues = play("table")
    called = next(cue.at_ms for cue in cues if isinstance(cue.event, ToolCalled))
    answered = next(cue.at_ms for cue in cues if isinstance(cue.event, ToolAnswered))
    assert any(called < cue.at_ms < answered for cue in cues if isinstance(cue.event, Words))


def test_each_key_is_an_event_of_its_own() -> None:
    assert [cue.event.digit for cue in play("claim") if isinstance(cue.event, DigitPressed)] == list("408215#")


def test_a_node_transition_knows_where_it_comes_from() -> None:
    nodes = [cue.event for cue in play("reminder") if isinstance(cue.event, NodeEntered)]
    assert [(node.former, node.new) for node in nodes] == [
        (None, "greeting"),
        ("greeting", "reschedule"),
        ("reschedule", "goodbye"),
    ]


def test_a_talkative_caller_makes_a_longer_call() -> None:
    assert play("reminder", 1.0)[-1].at_ms > play("reminder", 0.0)[-1].at_ms + 10_000


def note_after(scenario: Scenario, turns: int, *, respond: bool) -> list[Words]:
    """All final turns, a note having been taken in the midst of turn number `turns`."""
    conversation = Conversation(scenario, SCRIPT, SPEECH, Random(1), talkative=0.0)
    finals: list[Words] = []
    for cue in conversation:
        if isinstance(cue.event, VoiceStarts) and cue.event.turn == turns:
            conversation.take_note(respond=respond)
        if isinstance(cue.event, Words) and cue.event.final:
            finals.append(cue.event)
    return finals


@pytest.mark.parametrize(("respond", "place"), [(True, 1), (False, 2)])
def test_the_agent_answers_a_supervisors_note_at_a_pause(respond: bool, place: int) -> None:
    """At the next one if asked to respond, else before the agent's own next line."""
    turns = note_after(SCENARIOS["reminder"], 1, respond=respond)
    answer = SCRIPT.injected[0].agent
    assert [words.text for words in turns].index(answer) == place
    assert sum(words.text == answer for words in turns) == 1
    assert turns[place].speaker == "agent"
