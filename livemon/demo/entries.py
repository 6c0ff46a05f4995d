"""Conversation events as transcript entries (docs/protocol.md, «Transcript entries»). Pure."""

import json
from typing import Any

from .conversation import (
    Cue,
    DigitPressed,
    HungUp,
    NodeEntered,
    SmsSent,
    ToolAnswered,
    ToolCalled,
    VoiceStarts,
    Words,
)

Entry = dict[str, Any]

_ROLES = {"agent": "agent", "caller": "user"}


def entry_of(cue: Cue, number: int) -> Entry | None:
    """The entry that `cue` is, or None if the transcript has no word for it. `number` is unique in the call."""
    event = cue.event
    if isinstance(event, VoiceStarts | HungUp):
        return None
    if isinstance(event, Words):
        return _turn(event)
    return {"id": f"event_{number}", "time_ms": cue.at_ms, **_fields(event)}


def _turn(words: Words) -> Entry:
    entry: Entry = {
        "id": f"turn_{words.turn}",
        "role": _ROLES[words.speaker],
        "time_ms": words.started_ms,
        "content": words.text,
        "final": words.final,
    }
    return {**entry, "interrupted": True} if words.interrupted else entry


def _fields(event: ToolCalled | ToolAnswered | NodeEntered | SmsSent | DigitPressed) -> Entry:
    match event:
        case ToolCalled(tool_call_id, name, arguments):
            text = json.dumps(arguments, ensure_ascii=False)
            return {"role": "tool_call_invocation", "tool_call_id": tool_call_id, "name": name, "arguments": text}
        case ToolAnswered(tool_call_id, content, successful):
            text = json.dumps(content, ensure_ascii=False)
            return {
                "role": "tool_call_result",
                "tool_call_id": tool_call_id,
                "content": text,
                "successful": successful,
            }
        case NodeEntered(former, new):
            names = {"former_node_name": former, "former_node_id": former and _slug(former)}
            return {"role": "node_transition", **names, "new_node_name": new, "new_node_id": _slug(new)}
        case SmsSent(content, direction):
            return {"role": "sms", "content": content, "direction": direction}
        case DigitPressed(digit):
            return {"role": "dtmf", "digit": digit}


def _slug(name: str) -> str:
    return name.replace(" ", "_")
