"""Transcript entries as the bytes that go to Redis. Pure; raises `ProtocolError` for what is not allowed."""

import json
from typing import Any

from pydantic import ValidationError

from .errors import ProtocolError
from .protocol import ENTRY, MAX_EVENT, Sms


def encode(entry: dict[str, Any]) -> bytes:
    """JSON of one entry, checked; fields that are None are left out. Raises `ProtocolError`."""
    given = {name: value for name, value in entry.items() if value is not None}
    try:
        made = ENTRY.validate_python(given)
        data = made.model_dump_json(exclude_none=True).encode()
        if made.model_extra or isinstance(made, Sms):
            ENTRY.validate_json(
                data
            )  # what may hold anything can be written so that nobody reads it: an endless number
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ProtocolError("malformed", f"{where}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise ProtocolError("malformed", str(error)) from error
    if len(data) > MAX_EVENT:
        raise ProtocolError("too_large", f"{len(data)} bytes, at most {MAX_EVENT}")
    return data


def as_json(value: Any) -> str:
    """A string as it is, anything else as JSON; what JSON does not know is written as its `str`."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=str)
    except (TypeError, ValueError, RecursionError) as error:
        raise ProtocolError("malformed", f"not JSON: {error}") from error


def note(note_id: str, time_ms: int, missing: int) -> bytes:
    """Says that entries were dropped because Redis was away for too long."""
    words = "entry was" if missing == 1 else "entries were"
    content = f"{missing} transcript {words} lost here while the connection to Redis was away."
    return encode({"id": note_id, "role": "note", "time_ms": time_ms, "content": content})
