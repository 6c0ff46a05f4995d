"""Transcript entries as the bytes that go to Redis. Pure; raises `ProtocolError` for what is not allowed."""

import json
from typing import Any

from pydantic import ValidationError

from .errors import ProtocolError
from .protocol import ENTRY, MAX_EVENT, MAX_TURN_TEXT, Sms

_SPOKEN = {"id", "role", "time_ms", "content", "final"}
"""What `Turn.partial` makes."""
_MOST_MS = 10**9


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


class Partial:
    """A turn that is not final: as it was said, and made to bytes once it is sent, for few are.

    What could be found to be wrong then, or be changed by the bot until then, is made to bytes at once. Raises
    `ProtocolError`.
    """

    __slots__ = ("_data", "_entry")

    def __init__(self, entry: dict[str, Any]) -> None:
        self._entry = dict(entry)
        self._data: bytes | None = None if _is_plain(entry) else encode(entry)

    @property
    def data(self) -> bytes:
        if self._data is None:
            self._data = encode(self._entry)
        return self._data


def _is_plain(entry: dict[str, Any]) -> bool:
    """Whether it is a turn and nothing else, of values that nobody can change and that `encode` would not find wrong."""
    if entry.keys() != _SPOKEN or entry["final"] is not False or entry["role"] not in ("agent", "user"):
        return False
    entry_id, time_ms, content = entry["id"], entry["time_ms"], entry["content"]
    if type(time_ms) is not int or not 0 <= time_ms <= _MOST_MS:
        return False
    return _is_text(entry_id, 1, 256) and _is_text(content, 0, MAX_TURN_TEXT)


def _is_text(given: object, least: int, most: int) -> bool:
    return type(given) is str and least <= len(given) <= most and (given.isascii() or _encodes(given))


def _encodes(given: str) -> bool:
    try:
        given.encode()
    except UnicodeEncodeError:
        return False
    return True


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
