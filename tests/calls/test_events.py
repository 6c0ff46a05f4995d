"""Reading events and hashes: what the protocol allows is read, everything else is a ProtocolError and nothing worse."""

import contextlib
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from livemon.calls.events import CallEvent, read_event, read_hash, runtime_of
from livemon.calls.registry import LiveCall
from livemon.calls.rows import row
from livemon_runtime.errors import ProtocolError
from livemon_runtime.protocol import MAX_EVENT, MAX_METADATA, CommandResult
from tests.calls.making import call_data, state_json

NAMES = [b"type", b"call_id", b"incarnation", b"rev", b"data", b"runtime", b"controller", b"claim"]
TYPES = [b"call_started", b"call_updated", b"call_ended", b"command_result", b"later"]
RUBBISH = st.binary(max_size=300) | st.sampled_from(
    [*TYPES, b"", b"null", b"1", b"9" * 5_000, b"call-1", b"{}", b"[" * 400, b'{"call_id":' + b"9" * 6_000 + b"}"]
)


def event_fields(**changed: bytes | None) -> dict[bytes, bytes]:
    fields = {
        "type": b"call_updated",
        "call_id": b"call-1",
        "incarnation": b"i1",
        "rev": b"2",
        "data": state_json(call_data()),
        **changed,
    }
    return {name.encode(): value for name, value in fields.items() if value is not None}


def hash_fields(**changed: bytes | None) -> dict[bytes, bytes]:
    fields = {
        "incarnation": b"i1",
        "rev": b"2",
        "runtime": b"rt-1",
        "data": json.dumps(call_data()).encode(),
        "controller": b"",
        "claim": b"",
        **changed,
    }
    return {name.encode(): value for name, value in fields.items() if value is not None}


def test_an_event_is_read_by_its_header_and_its_state_when_asked():
    event = read_event(event_fields())
    assert isinstance(event, CallEvent)
    assert (event.type, event.call_id, event.incarnation, event.rev) == ("call_updated", "call-1", "i1", 2)
    assert event.state().call.call_id == "call-1"
    assert event.state().runtime == "rt-1"


def test_a_command_result_is_read():
    data = b'{"command_id": "c-1", "call_id": "call-1", "ok": false, "error": {"code": "refused", "message": "busy"}}'
    result = read_event(event_fields(type=b"command_result", data=data))
    assert isinstance(result, CommandResult)
    assert (result.command_id, result.ok, result.error.code) == ("c-1", False, "refused")


def test_an_event_of_a_later_protocol_is_passed_over():
    assert read_event(event_fields(type=b"call_transferred", call_id=None)) is None


def test_unknown_fields_are_ignored_and_kept():
    event = read_event(event_fields(data=state_json(call_data(queue="gold")), colour=b"red"))
    assert event.state().call.model_dump()["queue"] == "gold"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"type": None}, "malformed"),
        ({"call_id": None}, "malformed"),
        ({"call_id": b"a b"}, "malformed"),
        ({"call_id": b"x" * 129}, "malformed"),
        ({"incarnation": None}, "malformed"),
        ({"incarnation": b"\xff"}, "malformed"),
        ({"incarnation": b"i" * 257}, "malformed"),
        ({"rev": None}, "malformed"),
        ({"rev": b"-1"}, "malformed"),
        ({"rev": b"two"}, "malformed"),
        ({"rev": b"9" * 5_000}, "malformed"),
        ({"data": b"x" * (MAX_EVENT + 1)}, "too_large"),
        ({"type": b"command_result", "data": b"{}"}, "malformed"),
    ],
)
def test_a_malformed_event_is_refused_with_its_reason(changed: dict[str, bytes | None], reason: str):
    with pytest.raises(ProtocolError) as caught:
        read_event(event_fields(**changed))
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "malformed"),
        (b"not JSON", "malformed"),
        (state_json(call_data("another-call")), "other_call"),
        (state_json(call_data(call_status="dreaming")), "malformed"),
        (state_json(call_data(), runtime="a b"), "malformed"),
        (state_json(call_data(metadata={"x": "y" * MAX_METADATA})), "metadata_too_large"),
        (json.dumps({"call": call_data()}).encode(), "malformed"),
    ],
)
def test_a_malformed_state_is_refused_with_its_reason(data: bytes, reason: str):
    with pytest.raises(ProtocolError) as caught:
        read_event(event_fields(data=data)).state()
    assert caught.value.reason == reason


def test_metadata_is_measured_in_bytes_not_in_characters():
    characters = MAX_METADATA // 3
    fits = {"x": "漢" * (characters - 3)}
    assert read_hash("call-1", hash_fields(data=json.dumps(call_data(metadata=fits)).encode())) is not None
    with pytest.raises(ProtocolError, match="metadata_too_large"):
        read_hash("call-1", hash_fields(data=json.dumps(call_data(metadata={"x": "漢" * characters})).encode()))


def test_a_hash_is_read_whole():
    holder = b'{"user_id": "u-1", "name": "Grace", "claim_id": "c-1", "generation": 2, "since": 5}'
    claim = b'{"user_id": "u-2", "name": "Ada", "claim_id": "c-2", "generation": 3, "deadline": 9}'
    stored = read_hash("call-1", hash_fields(controller=holder, claim=claim))
    assert (stored.incarnation, stored.rev, stored.runtime) == ("i1", 2, "rt-1")
    assert (stored.controller.name, stored.claim.name) == ("Grace", "Ada")


@pytest.mark.parametrize("nothing", [b"", b"null", None])
def test_nobody_has_the_call_where_controller_and_claim_are_empty(nothing: bytes | None):
    stored = read_hash("call-1", hash_fields(controller=nothing, claim=nothing))
    assert (stored.controller, stored.claim) == (None, None)


def test_no_hash_is_no_call():
    assert read_hash("call-1", {}) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"runtime": None},
        {"data": b"{}"},
        {"rev": b"x"},
        {"controller": b"{"},
        {"claim": b'{"user_id": 1}'},
        {"incarnation": b""},
    ],
)
def test_a_malformed_hash_is_refused(changed: dict[str, bytes | None]):
    with pytest.raises(ProtocolError):
        read_hash("call-1", hash_fields(**changed))


@pytest.mark.parametrize(("value", "runtime"), [(b"rt-1", "rt-1"), (b"a b", None), (b"\xff", None), (b"", None)])
def test_the_runtime_to_blame_is_named_only_if_it_has_a_name(value: bytes, runtime: str | None):
    assert runtime_of({b"runtime": value}) == runtime


@given(st.dictionaries(st.sampled_from(NAMES) | st.binary(max_size=8), RUBBISH))
@example({b"type": b"call_updated", b"call_id": b"c", b"incarnation": b"i", b"rev": b"9" * 5_000, b"data": b"{}"})
def test_rubbish_is_a_protocol_error_and_nothing_else(fields: dict[bytes, bytes]):
    for read in (read_event, lambda some: read_hash("call-1", some)):
        with contextlib.suppress(ProtocolError):
            read(fields)


@given(st.data(), st.binary(min_size=1, max_size=6))
def test_a_good_message_with_bytes_exchanged_is_read_or_refused_and_can_always_be_shown(data, noise: bytes):
    whole = state_json(call_data(metadata={"n": 1}, agent_version=1))
    at = data.draw(st.integers(0, len(whole) - 1))
    broken = whole[:at] + noise + whole[at + len(noise) :]
    try:
        state = read_event(event_fields(data=broken)).state()
    except ProtocolError:
        return
    row(LiveCall(state.call, "i1", 1, state.runtime), [])
