"""Calls, events and entries as runtimes write them, in as few words as a test needs."""

import json
from typing import Any

from livemon.calls.events import CallEvent, StoredCall
from livemon.calls.registry import LiveCall
from livemon_runtime.protocol import CALL, ENTRY, Entry

START = 1_700_000_000_000


def call_data(call_id: str = "call-1", **fields: Any) -> dict[str, Any]:
    """A call's JSON, as a dict."""
    return {
        "call_id": call_id,
        "call_type": "phone_call",
        "start_timestamp": START,
        "call_status": "ongoing",
        "capabilities": ["end"],
        **fields,
    }


def ended_data(call_id: str = "call-1", reason: str = "user_hangup", **fields: Any) -> dict[str, Any]:
    return call_data(call_id, call_status="ended", end_timestamp=START + 60_000, disconnection_reason=reason, **fields)


def stored(
    call_id: str = "call-1",
    *,
    incarnation: str = "i1",
    rev: int = 1,
    runtime: str = "rt-1",
    data: dict[str, Any] | None = None,
    **fields: Any,
) -> StoredCall:
    """A call as its hash holds it."""
    call = CALL.validate_python(data or call_data(call_id, **fields))
    return StoredCall(call, incarnation, rev, runtime, None, None)


def live(call_id: str = "call-1", **fields: Any) -> LiveCall:
    one = stored(call_id, **fields)
    return LiveCall(one.call, one.incarnation, one.rev, one.runtime)


def event(
    kind: str = "call_updated",
    call_id: str = "call-1",
    *,
    incarnation: str = "i1",
    rev: int = 2,
    runtime: str = "rt-1",
    data: dict[str, Any] | None = None,
    resumed: bool = False,
    **fields: Any,
) -> CallEvent:
    return CallEvent(
        kind, call_id, incarnation, rev, state_json(data or call_data(call_id, **fields), runtime, resumed)
    )


def state_json(call: dict[str, Any], runtime: str = "rt-1", resumed: bool = False) -> bytes:
    """The data of a call's event."""
    state = {"call": call, "controller": None, "claim": None, "runtime": runtime, "resumed": resumed}
    return json.dumps(state).encode()


def ended(call_id: str = "call-1", reason: str = "user_hangup", **fields: Any) -> CallEvent:
    return event("call_ended", call_id, data=ended_data(call_id, reason), **fields)


# --- transcript entries -------------------------------------------------------------------------------------------


def entry(role: str, entry_id: str, time_ms: int, **fields: Any) -> Entry:
    return ENTRY.validate_python({"role": role, "id": entry_id, "time_ms": time_ms, **fields})


def turn(entry_id: str, time_ms: int, content: str = "Hello", **fields: Any) -> Entry:
    return entry("agent", entry_id, time_ms, content=content, **fields)


def partial(entry_id: str, time_ms: int, content: str, **fields: Any) -> Entry:
    return turn(entry_id, time_ms, content, final=False, **fields)


def invocation(entry_id: str, time_ms: int, tool_call_id: str = "tool-1", **fields: Any) -> Entry:
    fields = {"name": "find_booking", **fields}
    return entry("tool_call_invocation", entry_id, time_ms, tool_call_id=tool_call_id, **fields)


def result(entry_id: str, time_ms: int, tool_call_id: str = "tool-1", content: str = "found", **fields: Any) -> Entry:
    return entry("tool_call_result", entry_id, time_ms, tool_call_id=tool_call_id, content=content, **fields)
