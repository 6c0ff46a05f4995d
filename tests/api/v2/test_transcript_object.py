"""A transcript in Retell's shapes, as its SDK reads it."""

from typing import Any

import pytest
from pydantic import TypeAdapter
from retell.types import WebCallResponse

from livemon.api.v2.shapes import TranscriptEntry
from livemon.api.v2.transcript_object import notes, transcript_fields
from livemon.calls.masked import MaskedTranscript
from livemon.calls.transcript import Transcript
from livemon_runtime.protocol import ENTRY

SHAPE: TypeAdapter[Any] = TypeAdapter(list[TranscriptEntry])
NEEDED = {
    **{"access_token": "", "agent_id": "", "agent_version": 0, "call_id": "c"},
    **{"call_status": "ongoing", "call_type": "web_call"},
}


def made(*entries: dict[str, Any], masked: bool = False) -> tuple[dict[str, Any], list[str]]:
    transcript = Transcript()
    for n, entry in enumerate(entries, 1):
        transcript.entry(n, ENTRY.validate_python({"id": f"e{n}", "time_ms": n * 1_000, **entry}))
    items, _ = transcript.newest(1_000)
    items = MaskedTranscript(transcript).items(items) if masked else items
    fields: dict[str, Any] = transcript_fields(items)
    SHAPE.validate_python(fields["transcript_with_tool_calls"])
    WebCallResponse.model_validate(NEEDED | fields)
    return fields, notes(items)


def test_turns_are_told_in_all_three_shapes():
    words = [{"word": "Hi", "start": 0.1, "end": 0.2}]
    fields, _ = made(
        {"role": "agent", "content": "Hello", "words": words, "interrupted": True}, {"role": "user", "content": "Hi"}
    )
    assert fields["transcript"] == "Agent: Hello\nUser: Hi\n"
    agent, user = fields["transcript_object"]
    assert agent == {
        **{"role": "agent", "content": "Hello", "words": words, "interrupted": True, "id": "e1", "time_sec": 1.0}
    }
    assert user == {"role": "user", "content": "Hi", "words": [], "id": "e2", "time_sec": 2.0}
    assert fields["transcript_with_tool_calls"] == [agent, user]


def test_a_tools_result_stands_where_it_came():
    fields, _ = made(
        {"role": "tool_call_invocation", "tool_call_id": "t1", "name": "look", "arguments": "{}"},
        {"role": "agent", "content": "One moment."},
        {"role": "tool_call_result", "tool_call_id": "t1", "content": "found", "successful": False},
        {"role": "tool_call_result", "tool_call_id": "orphan", "content": "?"},
    )
    told = fields["transcript_with_tool_calls"]
    assert [one["role"] for one in told] == [
        *("tool_call_invocation", "agent", "tool_call_result", "tool_call_result"),
    ]
    assert (told[2]["tool_call_id"], told[2]["content"], told[2]["successful"]) == ("t1", "found", False)


def test_everything_else_has_its_own_shape():
    fields, said = made(
        {"role": "node_transition", "new_node_id": "n2", "transition_type": "sideways"},
        {"role": "node_transition", "new_node_id": "n3", "transition_type": "global"},
        {"role": "dtmf", "digit": "5"},
        {"role": "sms", "content": "See", "multimedia": [{"url": "https://x.example/1", "summary": 7}, "junk", {}]},
        {"role": "injected", "content": "Be kind", "by": "Maya"},
        {"role": "note", "content": "3 entries were lost."},
    )
    transition, again, dtmf, sms, injected = fields["transcript_with_tool_calls"]
    assert (transition["former_node_id"], transition["new_node_id"]) == ("", "n2")
    assert "transition_type" not in transition
    assert again["transition_type"] == "global"
    assert dtmf["digit"] == "5"
    assert sms["multimedia"] == [{"url": "https://x.example/1"}]
    assert (injected["content"], injected["by"], injected["time_sec"]) == ("Be kind", "Maya", 5.0)
    assert said == ["3 entries were lost."]
    assert fields["transcript"] == ""


def test_what_is_being_said_is_left_out_until_it_is_said():
    transcript = Transcript()
    transcript.partial(
        ENTRY.validate_python({"id": "p", "time_ms": 1, "role": "user", "content": "I w", "final": False})
    )
    assert transcript_fields(transcript.newest(10)[0])["transcript_with_tool_calls"] == []


@pytest.mark.parametrize("said", ["I am +49 30 901820.", "ada@example.org"])
def test_what_may_not_be_seen_is_masked_in_each(said: str):
    fields, _ = made(
        {"role": "user", "content": said, "words": [{"word": said, "start": 0, "end": 1}]},
        {"role": "tool_call_invocation", "tool_call_id": "t1", "name": "look", "arguments": f'{{"who": "{said}"}}'},
        {"role": "tool_call_result", "tool_call_id": "t1", "content": said},
        {"role": "sms", "content": said},
        {"role": "injected", "content": said},
        masked=True,
    )
    assert "901820" not in str(fields)
    assert "ada" not in str(fields)
