"""The messages of a call's socket (docs/interfaces.md), as a test wants them."""

import time
from typing import Any

PARTIAL = 2**53 - 1
STARTED = int(time.time() * 1000) - 59_000


def call(
    call_id: str = "call-1",
    *,
    now: int | None = None,
    quiet: int | None = None,
    controller: Any = None,
    listeners: Any = (),
    **fields: Any,
) -> dict[str, Any]:
    """The first message, and one at each change."""
    about = {
        "call_id": call_id,
        "call_type": "phone_call",
        "direction": "outbound",
        "from_number": "+1 212 555 0100",
        "to_number": "+1 212 555 0184",
        "agent_name": "Reminders",
        "agent_version": 12,
        "start_timestamp": STARTED,
        "call_status": "ongoing",
        "metadata": {},
        "audio": {"caller": "opus", "agent": "opus"},
        "capabilities": ["listen", "take_over", "end", "inject"],
        **fields,
    }
    return {
        "t": "call",
        "now": now or int(time.time() * 1000),
        "feed": {"state": "live", "since": None},
        "call": about,
        "controller": controller,
        "claim": None,
        "listeners": list(listeners),
        "quiet": quiet,
        "rev": 1,
        "incarnation": "one",
    }


def ended(call_id: str = "call-1", reason: str | None = "user_hangup", **fields: Any) -> dict[str, Any]:
    end = {"call_status": "ended", "end_timestamp": STARTED + 59_000, "disconnection_reason": reason}
    return call(call_id, **{**end, **fields})


def turn(
    n: int, content: str, role: str = "agent", *, at: int | None = None, final: bool = True, **fields: Any
) -> dict[str, Any]:
    time_ms = n * 1000 if at is None else at
    key = [time_ms, n if final else PARTIAL]
    return {"id": f"t{n}", "key": key, "time_ms": time_ms, "role": role, "content": content, "final": final, **fields}


def entry(n: int, role: str, *, at: int | None = None, **fields: Any) -> dict[str, Any]:
    time_ms = n * 1000 if at is None else at
    return {"id": f"t{n}", "key": [time_ms, n], "time_ms": time_ms, "role": role, **fields}


def tool_call(
    n: int, name: str = "find_slots", arguments: str = "{}", result: Any = None, **fields: Any
) -> dict[str, Any]:
    fields = {"tool_call_id": f"tc{n}", "name": name, "arguments": arguments, "result": result, **fields}
    return entry(n, "tool_call_invocation", **fields)


def reset(*items: dict[str, Any], older: bool = False) -> dict[str, Any]:
    return {"t": "reset", "items": list(items), "older": older}


def put(*items: dict[str, Any]) -> dict[str, Any]:
    return {"t": "put", "items": list(items)}
