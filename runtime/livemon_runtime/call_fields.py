"""A call's fields from a bot that may say anything: what is bad is dropped, and the rest stands. Pure.

What is kept is a copy: a bot that goes on changing its own dicts and lists changes nothing here.
"""

import json
from typing import Any

from pydantic import ValidationError

from .drops import Drops, printable
from .protocol import MAX_EVENT, MAX_METADATA, Call, CallStatus

_MOST_CALL = MAX_EVENT - 16_000
"""Bytes; the rest of an event is for who holds the call, and for how it ended."""
_LONGEST_REASON = 256


def checked(given: dict[str, Any], defaults: dict[str, Any], drops: Drops) -> Call:
    """`defaults`, which are valid, with what is valid of `given`; each bad field is counted as `call_<field>`."""
    good = dict(given)
    while True:
        try:
            made = Call.model_validate({**defaults, **good})
            return Call.model_validate_json(_as_json(made))
        except Exception as error:  # the bot's objects may raise whatever they like
            for name in _culprits(error, good):
                known = name if name in Call.model_fields else "field"
                drops.drop(f"call_{known}", f"{name}: {printable(error)}")
                del good[name]


def _culprits(error: Exception, given: dict[str, Any]) -> set[str]:
    """Which of `given` is to blame: as the model says, what is no JSON or too large, or else all of it."""
    if isinstance(error, ValidationError):
        named = {str(detail["loc"][0]) for detail in error.errors(include_url=False) if detail["loc"]}
        if bad := named & given.keys():
            return bad
    if bad := {name for name, value in given.items() if not _fits(name, value)}:
        return bad
    if not given:
        raise error
    return set(given)


def _fits(name: str, value: object) -> bool:
    try:
        text = Call.model_construct(None, **{name: value}).model_dump_json(include={name}, warnings=False)
        json.loads(text.encode())
    except Exception:
        return False
    return len(text) <= (MAX_METADATA if name == "metadata" else 4_096)


def _as_json(call: Call) -> bytes:
    """Raise an error for what is no JSON in UTF-8, or more than the protocol allows."""
    metadata = len(json.dumps(call.metadata, ensure_ascii=False, allow_nan=False).encode())
    if metadata > MAX_METADATA:
        raise ValueError(f"metadata of {metadata} bytes, at most {MAX_METADATA}")
    whole = call.model_dump_json(exclude_none=True).encode()
    if len(whole) > _MOST_CALL:
        raise ValueError(f"a call of {len(whole)} bytes, at most {_MOST_CALL}")
    return whole


def ended(call: Call, reason: object, now_ms: int) -> Call:
    """The call at its end, whatever the reason looks like: that it is over must not be lost with a bad word."""
    words = printable(reason)[:_LONGEST_REASON] if isinstance(reason, str) and reason else "agent_hangup"
    status = CallStatus.ERROR if words.startswith("error") else CallStatus.ENDED
    end = {"call_status": status, "end_timestamp": now_ms, "disconnection_reason": words}
    return call.model_copy(update=end)


def lost(data: str, now_ms: int) -> str:
    """The last word on a call that its runtime no longer has and knows nothing about, from its stored JSON."""
    call = Call.model_validate_json(data)
    end = {"call_status": CallStatus.ERROR, "end_timestamp": now_ms, "disconnection_reason": "error_call_lost"}
    return call.model_copy(update=end).model_dump_json(exclude_none=True)
