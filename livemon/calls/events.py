"""Reading what Redis holds about calls: entries of the events stream, and the calls' hashes. Pure; bytes in, values out.

An event's header is read first and its JSON only if somebody wants it, so that doubled and late events cost nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from pydantic import TypeAdapter

from livemon_runtime.errors import InvalidName, ProtocolError
from livemon_runtime.keys import check_id
from livemon_runtime.protocol import (
    CALL,
    CALL_STATE,
    CLAIM,
    COMMAND_RESULT,
    CONTROLLER,
    MAX_EVENT,
    MAX_METADATA,
    Call,
    CallState,
    Claim,
    CommandResult,
    Controller,
    read,
)

_T = TypeVar("_T")
MAX_DIGITS = 15
"""Of a rev; Python refuses to read numbers of thousands of digits."""

_CALL_EVENTS = frozenset({"call_started", "call_updated", "call_ended"})


@dataclass(frozen=True, slots=True)
class CallEvent:
    """A change of one call: `data` is the JSON of a `CallState`, not yet read."""

    type: str
    call_id: str
    incarnation: str
    rev: int
    data: bytes

    def state(self) -> CallState:
        """Read `data`; raise `ProtocolError` if it is not what the protocol says."""
        state = read(CALL_STATE, self.data)
        _check(state.call, self.call_id)
        return state


@dataclass(frozen=True, slots=True)
class StoredCall:
    """A call as its hash in Redis holds it."""

    call: Call
    incarnation: str
    rev: int
    runtime: str
    controller: Controller | None
    claim: Claim | None


def read_event(fields: Mapping[bytes, bytes]) -> CallEvent | CommandResult | None:
    """One entry of the events stream; None if its type is unknown (a later protocol). Raises `ProtocolError`."""
    kind = _text(fields, b"type")
    data = fields.get(b"data", b"")
    if len(data) > MAX_EVENT:
        raise ProtocolError("too_large", f"an event of {len(data)} bytes, at most {MAX_EVENT}")
    if kind == "command_result":
        return read(COMMAND_RESULT, data)
    if kind not in _CALL_EVENTS:
        return None
    call_id = _id("call_id", _text(fields, b"call_id"))
    return CallEvent(kind, call_id, _text(fields, b"incarnation"), _rev(fields), data)


def read_hash(call_id: str, fields: Mapping[bytes, bytes]) -> StoredCall | None:
    """The call that a hash holds; None if there is no hash. Raises `ProtocolError`."""
    if not fields:
        return None
    data = fields.get(b"data", b"")
    call = read(CALL, data)
    _check(call, call_id)
    return StoredCall(
        call=call,
        incarnation=_text(fields, b"incarnation"),
        rev=_rev(fields),
        runtime=_id("runtime", _text(fields, b"runtime")),
        controller=_optional(CONTROLLER, fields, b"controller"),
        claim=_optional(CLAIM, fields, b"claim"),
    )


def runtime_of(fields: Mapping[bytes, bytes]) -> str | None:
    """The runtime that a hash names, for the count of what was dropped."""
    value = fields.get(b"runtime", b"")
    try:
        return check_id("runtime", value.decode())
    except (UnicodeDecodeError, InvalidName):
        return None


def _check(call: Call, call_id: str) -> None:
    if call.call_id != call_id:
        raise ProtocolError("other_call", f"the data of {call_id} speaks of {call.call_id[:128]}")
    if call.metadata and len(call.model_dump_json(include={"metadata"}).encode()) > MAX_METADATA + len('{"metadata":}'):
        raise ProtocolError("metadata_too_large", f"more than {MAX_METADATA} bytes")


def _text(fields: Mapping[bytes, bytes], name: bytes) -> str:
    value = fields.get(name)
    if not value:
        raise ProtocolError("malformed", f"the field {name.decode()} is missing")
    if len(value) > 256:
        raise ProtocolError("malformed", f"the field {name.decode()} has {len(value)} bytes, at most 256")
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise ProtocolError("malformed", f"the field {name.decode()} is not UTF-8") from error


def _id(kind: str, value: str) -> str:
    try:
        return check_id(kind, value)
    except InvalidName as error:
        raise ProtocolError("malformed", str(error)) from error


def _rev(fields: Mapping[bytes, bytes]) -> int:
    value = fields.get(b"rev", b"")
    if not (value.isdigit() and len(value) <= MAX_DIGITS):
        raise ProtocolError("malformed", f"rev is {value[:40]!r}, not a whole number")
    return int(value)


def _optional(adapter: TypeAdapter[_T], fields: Mapping[bytes, bytes], name: bytes) -> _T | None:
    value = fields.get(name)
    return read(adapter, value) if value and value != b"null" else None
