"""What a bot says of its call, and that nothing it may say harms it: bad values are dropped, counted and logged."""

import asyncio
import json
import math
from collections.abc import Callable
from typing import Any

import pytest
import redis.asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from livemon_runtime import Audio, Call, Runtime
from livemon_runtime.protocol import CALL, ENTRY, read
from livemon_runtime.protocol import Call as CallData
from tests.runtime.conftest import Livemon, eventually


async def drained(runtime: Runtime) -> None:
    async with asyncio.timeout(60):
        await runtime.sender.drained()


async def test_everything_a_call_says_stands_in_its_transcript_in_order(livemon: Livemon, runtime: Runtime) -> None:
    call = runtime.call(call_id="c-1")
    call.user_turn().final("Is table 4 free?", words=[{"word": "Is", "start": 0.1, "end": 0.2}])
    call.tool_call("t-1", "find_table", {"number": 4})
    call.agent_turn().final("Let me look", interrupted=True)
    call.tool_result("t-1", {"free": True})
    call.node_transition("n1", "Greeting", "n2", "Booking", "intent")
    call.sms("Your code is 1234", direction="outbound")
    call.dtmf("5")
    call.injected("Offer the terrace.", "Grace")
    await drained(runtime)
    entries = await livemon.transcript("c-1")
    assert [entry["role"] for entry in entries] == [
        "user",
        "tool_call_invocation",
        "agent",
        "tool_call_result",
        "node_transition",
        "sms",
        "dtmf",
        "injected",
    ]
    assert await livemon.numbers("c-1") == [f"{n}-0" for n in range(1, 9)]
    assert len({entry["id"] for entry in entries}) == 8
    assert all(read(ENTRY, json.dumps(entry)) for entry in entries)
    assert entries[0]["words"] == [{"word": "Is", "start": 0.1, "end": 0.2}]
    assert json.loads(entries[1]["arguments"]) == {"number": 4}
    assert (json.loads(entries[3]["content"]), entries[3]["successful"]) == ({"free": True}, True)
    assert entries[2]["interrupted"] is True


async def partials_of(livemon: Livemon, call: Call, speak: Callable[[], Any], last: str) -> list[dict[str, Any]]:
    """What the partials' channel says while `speak` runs, until a partial with the content `last` has come."""
    pubsub = livemon.redis.pubsub(ignore_subscribe_messages=True)
    await pubsub.ssubscribe(livemon.keys.partials(call.call_id))
    await pubsub.get_message(timeout=5)
    seen: list[dict[str, Any]] = []
    speaking = asyncio.ensure_future(speak())
    async with asyncio.timeout(60):
        while not seen or seen[-1]["content"] != last:
            message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=1)
            if message:
                seen.append(json.loads(message["data"]))
    await speaking
    await pubsub.aclose()
    return seen


async def test_partials_of_a_turn_are_at_most_ten_a_second_and_the_latest_wins(
    livemon: Livemon, runtime: Runtime
) -> None:
    call = runtime.call(call_id="c-1")
    await eventually(lambda: livemon.call("c-1"))
    turn = call.agent_turn()

    async def speak() -> float:
        began = runtime.clock.monotonic()
        for word in range(100):
            turn.partial(f"{word} words")
            await asyncio.sleep(0.005)
        return runtime.clock.monotonic() - began

    speaking = asyncio.ensure_future(speak())
    seen = await partials_of(livemon, call, lambda: speaking, "99 words")
    took = await speaking
    assert len(seen) <= took * 10 + 2, f"{len(seen)} partials in {took:.2f} s"
    assert {partial["id"] for partial in seen} == {turn.id}
    assert not any(partial["final"] for partial in seen)
    turn.final("99 words, and the last")
    await drained(runtime)
    assert await livemon.contents("c-1") == ["99 words, and the last"]


async def test_a_turn_that_came_to_nothing_is_retracted(livemon: Livemon, runtime: Runtime) -> None:
    call = runtime.call(call_id="c-1")
    await eventually(lambda: livemon.call("c-1"))
    turn = call.user_turn()

    async def speak() -> None:
        turn.partial("Hm")
        await asyncio.sleep(0.3)
        turn.retract()
        turn.partial("too late")

    seen = await partials_of(livemon, call, speak, "")
    assert seen[-1]["retracted"] is True
    await drained(runtime)
    assert await livemon.transcript("c-1") == []


async def test_turns_begun_without_end_are_bounded(runtime: Runtime) -> None:
    call = runtime.call(call_id="c-1")
    for _ in range(150):
        call.agent_turn().partial("Hm")
    assert runtime.counters["partial_too_many"] == 50


async def test_more_than_100_entries_a_second_are_dropped_and_counted(livemon: Livemon, runtime: Runtime) -> None:
    call = runtime.call(call_id="c-1")
    for _ in range(400):
        call.dtmf("1")
    await drained(runtime)
    kept = len(await livemon.transcript("c-1"))
    assert 200 <= kept < 250
    assert runtime.counters["entry_too_many"] == 400 - kept


class Hostile:
    """An object whose every word is an error."""

    def __str__(self) -> str:
        raise KeyError("no words")

    __repr__ = __str__

    def __iter__(self) -> Any:
        raise OSError("no items")

    def __bool__(self) -> bool:
        raise ArithmeticError

    __hash__ = None  # type: ignore[assignment]


def cyclic() -> Any:
    ring: dict[str, Any] = {}
    ring["again"] = [ring]
    return ring


def deep() -> Any:
    nest: Any = []
    for _ in range(5_000):
        nest = [nest]
    return nest


ODD = st.sampled_from(
    [
        lambda: None,
        lambda: math.nan,
        lambda: -math.inf,
        lambda: 10**5_000,
        lambda: -1,
        lambda: 2.5,
        lambda: True,
        lambda: "\ud800 lone",
        lambda: "x" * 300_000,
        lambda: b"\xff\xfe",
        lambda: object(),
        lambda: {1, 2},
        lambda: {(1, 2): 3},
        lambda: {"nan": math.nan},
        lambda: {"lone": "\udfff"},
        lambda: [object()],
        lambda: {"big": "x" * 60_000},
        lambda: "",
        lambda: "\x00",
        cyclic,
        deep,
        Hostile,
        lambda: {"hostile": Hostile()},
        lambda: [{"word": "a", "start": math.nan, "end": 1.0}],
        lambda: print,
    ]
).map(lambda make: make())
NAMES = st.sampled_from([*CallData.model_fields, "something_else"])


def say_all(call: Call, value: Any, fields: dict[str, Any]) -> None:
    call.update(**fields)
    call.update(metadata=value)
    turn = call.agent_turn()
    turn.partial(value)
    turn.final(value, interrupted=value, words=value)
    turn.retract()
    call.caller_turn().final("fine", words=value)
    call.tool_call(value, value, value)
    call.tool_call("t", "find", value)
    call.tool_result(value, value, successful=value)
    call.tool_result("t", value)
    call.node_transition(value, value, value, value, value)
    call.sms(value, direction=value, multimedia=value)
    call.sms("picture", multimedia=[value])
    call.dtmf(value)
    call.injected(value, value)
    call.say_entry(value)
    call.say_entry({"id": value, "role": "agent", "time_ms": value, "content": "x", "odd": value})
    call.say_partial(value, {"id": "x", "role": "agent", "time_ms": 0, "content": value})
    call.voices.caller_on = call.voices.agent_on = True
    call.caller_audio(value)
    call.agent_audio(value)
    call.on_end(value)
    call.on_inject(value)
    call.on_take_over(value)
    call.on_agent_silenced(value)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(ODD, st.dictionaries(NAMES, ODD, max_size=5))
def test_no_value_is_raised_into_the_bot_and_what_is_kept_can_be_read(value: Any, fields: dict[str, Any]) -> None:
    runtime = Runtime("redis://127.0.0.1:1", name="odd")
    call = runtime.call(**fields)
    assert runtime.call(capabilities=value).call_id
    say_all(call, value, {name: field for name, field in fields.items() if name != "call_status"})
    good = call.user_turn()
    good.final("still heard")
    call.end(value)
    assert call.ended
    for request in call.record.commands(runtime.clock.now_ms()):
        assert CALL.validate_json(request.command[11])
    _, batch = call.record.outbox.batch(1_000)
    entries = [read(ENTRY, entry) for entry in batch]
    assert entries[-1].id == good.id


async def test_bad_fields_are_dropped_and_the_rest_stands(livemon: Livemon, runtime: Runtime) -> None:
    runtime.call(
        call_id="c-1",
        call_type="telepathy",
        direction="sideways",
        agent_name="Ada",
        metadata={"object": object()},
        audio={"caller": "mp3", "agent": "opus"},
        from_number="+1" * 600,
    )
    stored = await eventually(lambda: livemon.call("c-1"))
    data = {name: value for name, value in stored["data"].items() if name != "start_timestamp"}
    assert data == {
        "call_id": "c-1",
        "call_type": "phone_call",
        "agent_name": "Ada",
        "call_status": "ongoing",
        "metadata": {},
        "capabilities": [],
    }
    counted = {f"call_{name}" for name in ("call_type", "direction", "metadata", "audio", "from_number")}
    assert counted <= runtime.counters.keys()


async def test_what_is_dropped_is_logged_once_a_minute(runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    call = runtime.call()
    for _ in range(50):
        call.dtmf("")
    assert runtime.counters["entry_malformed"] == 50
    said = [record.getMessage() for record in caplog.records if "entry_malformed" in record.getMessage()]
    assert len(said) == 1
    assert call.call_id in said[0]


async def test_a_dict_that_the_bot_goes_on_changing_changes_nothing(livemon: Livemon, runtime: Runtime) -> None:
    plan: dict[str, Any] = {"plan": {"name": "gold"}}
    call = runtime.call(call_id="c-1", metadata=plan)
    plan["plan"]["name"] = object()
    stored = await eventually(lambda: livemon.call("c-1"))
    assert stored["data"]["metadata"] == {"plan": {"name": "gold"}}
    call.update(agent_name="Ada")
    await eventually(lambda: livemon.events("call_updated"))


async def test_one_call_that_cannot_be_sent_hurts_no_other(livemon: Livemon, runtime: Runtime) -> None:
    broken = runtime.call(call_id="broken")
    broken.record.become(broken.record.call.model_copy(update={"metadata": {"x": object()}}))
    whole = runtime.call(call_id="whole")
    whole.user_turn().final("Hello")
    await eventually(lambda: livemon.contents("whole"))
    assert await livemon.call("broken") is None
    broken.record.become(broken.record.call.model_copy(update={"metadata": {}}))
    await eventually(lambda: livemon.call("broken"))


async def test_capabilities_are_what_the_bot_has_handlers_and_audio_for(livemon: Livemon, runtime: Runtime) -> None:
    call = runtime.call(call_id="c-1", audio=Audio(caller="opus", agent="opus"))

    @call.on_end
    async def hang_up() -> None: ...

    @call.on_inject
    def hint(command: Any) -> None: ...

    stored = await eventually(lambda: livemon.call("c-1"))
    assert stored["data"]["capabilities"] == ["listen", "end", "inject"]
    plain = runtime.call(call_id="c-2", capabilities=("end", "take_over"))
    assert plain.record.call.capabilities == ["end", "take_over"]


async def test_a_take_over_is_not_offered_unless_the_bot_says_that_it_can_be_heard(runtime: Runtime) -> None:
    call = runtime.call()
    call.on_take_over(lambda: True)
    assert call.record.call.capabilities == []


async def test_a_registered_call_is_listed_once_it_is_ongoing(livemon: Livemon, runtime: Runtime) -> None:
    call = runtime.call(call_id="c-1", call_status="registered")
    await eventually(lambda: livemon.call("c-1"))
    assert await livemon.status("c-1") == "registered"
    call.update(call_status="taken_over")
    call.update(call_status="ended")
    assert runtime.counters["update"] == 2
    call.update(call_status="ongoing")
    await eventually(lambda: is_status(livemon, "ongoing"))


async def is_status(livemon: Livemon, status: str) -> bool:
    return await livemon.status("c-1") == status


async def test_a_tool_result_after_the_end_still_comes_and_goes_with_the_call(
    livemon: Livemon, runtime: Runtime, valkey: redis.asyncio.Redis
) -> None:
    call = runtime.call(call_id="c-1")
    call.tool_call("t-1", "slow")
    call.end("user_hangup")
    await eventually(lambda: livemon.events("call_ended"))
    runtime.calls()
    call.tool_result("t-1", "late")
    await eventually(lambda: has_role(livemon, "tool_call_result"))
    assert 0 < await valkey.ttl(livemon.keys.transcript("c-1")) <= 3_600


async def has_role(livemon: Livemon, role: str) -> bool:
    return any(entry["role"] == role for entry in await livemon.transcript("c-1"))
