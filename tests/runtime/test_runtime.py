"""A runtime's life, and what it says about its calls: the hash, the index and one event for each change."""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import redis.asyncio

from livemon.calls.feed import CallFeed
from livemon.redis_client import connect
from livemon_runtime import Audio, InvalidName, Runtime
from livemon_runtime.keys import Keys
from tests.conftest import ValkeyProcess
from tests.runtime.conftest import Livemon, eventually


async def announced(livemon: Livemon, call_id: str) -> dict[str, Any]:
    return await eventually(lambda: livemon.call(call_id))


async def test_a_call_is_announced_by_its_hash_the_index_and_one_event(livemon: Livemon, runtime: Runtime) -> None:
    call = runtime.call(call_id="c-1", from_number="+15550100", agent_name="Ada", metadata={"plan": "gold"})
    stored = await announced(livemon, "c-1")
    assert stored["rev"] == "1"
    assert stored["runtime"] == runtime.runtime_id
    assert (stored["generation"], stored["controller"], stored["claim"]) == ("0", "", "")
    assert stored["data"] == {
        "call_id": "c-1",
        "call_type": "phone_call",
        "from_number": "+15550100",
        "agent_name": "Ada",
        "start_timestamp": call.record.call.start_timestamp,
        "call_status": "ongoing",
        "metadata": {"plan": "gold"},
        "capabilities": [],
    }
    assert await livemon.listed() == ["c-1"]
    (event,) = await livemon.events()
    assert (event["type"], event["call_id"], event["rev"]) == ("call_started", "c-1", "1")
    assert event["incarnation"] == stored["incarnation"]
    expected = {"controller": None, "claim": None, "runtime": runtime.runtime_id, "resumed": False}
    assert event["data"] == {"call": stored["data"], **expected}


async def test_updates_and_the_end_raise_rev_and_say_the_call_as_it_now_is(livemon: Livemon, runtime: Runtime) -> None:
    call = runtime.call(call_id="c-1")
    await announced(livemon, "c-1")
    call.update(agent_name="Theo", metadata={"step": 2})
    await eventually(lambda: livemon.events("call_updated"))
    call.end("user_hangup")
    await eventually(lambda: livemon.events("call_ended"))
    events = await livemon.events()
    assert [(event["type"], event["rev"]) for event in events] == [
        ("call_started", "1"),
        ("call_updated", "2"),
        ("call_ended", "3"),
    ]
    assert events[1]["data"]["call"]["agent_name"] == "Theo"
    last = events[2]["data"]["call"]
    assert (last["call_status"], last["disconnection_reason"]) == ("ended", "user_hangup")
    assert last["end_timestamp"] >= last["start_timestamp"]
    assert await livemon.listed() == []
    assert 0 < await livemon.redis.ttl(livemon.keys.call("c-1")) <= 3_600


async def test_a_second_end_changes_nothing(livemon: Livemon, runtime: Runtime) -> None:
    call = runtime.call(call_id="c-1")
    call.end("user_hangup")
    call.end("agent_hangup")
    await eventually(lambda: livemon.events("call_ended"))
    await runtime.sender.drained()
    ended = await livemon.events("call_ended")
    assert [event["data"]["call"]["disconnection_reason"] for event in ended] == ["user_hangup"]


async def test_a_call_that_ended_before_redis_heard_of_it_is_announced_and_ended(
    livemon: Livemon, runtime: Runtime
) -> None:
    runtime.call(call_id="c-1").end()
    await eventually(lambda: livemon.events("call_ended"))
    assert [event["type"] for event in await livemon.events()] == ["call_started", "call_ended"]
    assert (await livemon.events())[0]["data"]["call"]["call_status"] == "ongoing"


async def test_leaving_the_call_ends_it_as_the_agents_hang_up(livemon: Livemon, runtime: Runtime) -> None:
    async with runtime.call(call_id="c-1"):
        await announced(livemon, "c-1")
    ended = await eventually(lambda: livemon.events("call_ended"))
    assert ended[0]["data"]["call"]["disconnection_reason"] == "agent_hangup"


async def test_leaving_the_call_by_an_error_says_so(livemon: Livemon, runtime: Runtime) -> None:
    with pytest.raises(ZeroDivisionError):
        async with runtime.call(call_id="c-1"):
            raise ZeroDivisionError
    ended = await eventually(lambda: livemon.events("call_ended"))
    call = ended[0]["data"]["call"]
    assert (call["call_status"], call["disconnection_reason"]) == ("error", "error_zero_division_error")


async def test_leaving_the_runtime_ends_what_is_left_and_takes_its_keys_away(valkey_url: str, livemon: Livemon) -> None:
    async with Runtime(valkey_url, name="front-desk", version="1.2") as runtime:
        runtime.call(call_id="c-1").user_turn().final("Bye")
        await eventually(lambda: livemon.redis.exists(livemon.keys.runtime(runtime.runtime_id)))
        alive = json.loads(await livemon.redis.get(livemon.keys.runtime(runtime.runtime_id)))
        assert alive == {"name": "front-desk", "version": "1.2", "protocol": 1}
        assert 0 < await livemon.redis.ttl(livemon.keys.runtime(runtime.runtime_id)) <= 15
    assert await livemon.status("c-1") == "ended"
    assert await livemon.contents("c-1") == ["Bye"]
    assert await livemon.redis.keys(f"*{runtime.runtime_id}*") == []


async def test_a_call_without_an_id_gets_one_and_each_is_another(livemon: Livemon, runtime: Runtime) -> None:
    ids = {runtime.call().call_id for _ in range(20)}
    assert len(ids) == 20
    await eventually(lambda: is_true(livemon, ids))


async def is_true(livemon: Livemon, ids: set[str]) -> bool:
    return set(await livemon.listed()) == ids


async def test_an_id_that_was_announced_already_is_replaced_and_counted(livemon: Livemon, runtime: Runtime) -> None:
    first, second = runtime.call(call_id="c-1"), runtime.call(call_id="c-1")
    assert first.call_id == "c-1"
    assert second.call_id != "c-1"
    assert runtime.counters["call_twice"] == 1
    await eventually(lambda: is_true(livemon, {"c-1", second.call_id}))


async def test_an_id_that_ended_in_redis_is_not_revived(livemon: Livemon, valkey_url: str, runtime: Runtime) -> None:
    runtime.call(call_id="c-1").end("user_hangup")
    await eventually(lambda: livemon.events("call_ended"))
    async with Runtime(valkey_url, name="another") as another:
        late = another.call(call_id="c-1")
        await eventually(lambda: refused(another))
        assert late.record.given_up
    assert await livemon.status("c-1") == "ended"
    assert await livemon.listed() == []


async def refused(runtime: Runtime) -> bool:
    runtime.calls()
    return runtime.counters["call_refused"] == 1


async def test_livemon_sees_each_call_as_it_is(runtime: Runtime, valkey_url: str) -> None:
    client = connect(valkey_url)
    feed = CallFeed(client, Keys())
    watching = asyncio.create_task(feed.run())
    try:
        voices = Audio(caller="pcmu", agent="l16/24000")
        call = runtime.call(call_id="c-1", call_type="web_call", audio=voices, agent_version=3)
        call.on_end(lambda: None)
        live = await eventually(lambda: found(feed, "c-1"))
        assert live.call.model_dump() == call.record.call.model_dump()
        assert live.call.capabilities == ["listen", "end"]
        call.update(agent_name="Ada")
        await eventually(lambda: found(feed, "c-1", "Ada"))
        call.end("user_hangup")
        await eventually(lambda: gone(feed, "c-1"))
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await client.aclose()


async def found(feed: CallFeed, call_id: str, agent: str | None = None) -> Any:
    live = feed.get(call_id)
    return live if live and live.call.agent_name == agent else None


async def gone(feed: CallFeed, call_id: str) -> bool:
    return feed.get(call_id) is None


async def test_a_call_that_began_before_redis_time_was_known_is_set_right(
    livemon: Livemon, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = time.time
    monkeypatch.setattr("livemon_runtime.clock.Clock.__init__.__defaults__", (lambda: real() - 3_600, time.monotonic))
    async with Runtime(valkey_url, name="an hour late") as runtime:
        runtime.call(call_id="assumed")
        runtime.call(call_id="said", start_timestamp=1_700_000_000_000)
        stored = await announced(livemon, "assumed")
        assert abs(stored["data"]["start_timestamp"] - await livemon.now()) < 60_000
        assert (await announced(livemon, "said"))["data"]["start_timestamp"] == 1_700_000_000_000


async def test_a_runtime_starts_and_ends_though_redis_is_not_there(own_valkey: ValkeyProcess) -> None:
    own_valkey.stop()
    async with Runtime(own_valkey.url, name="early", drain_timeout=15) as runtime:
        runtime.call(call_id="c-1").user_turn().final("Hello")
        own_valkey.start()
    client = redis.asyncio.Redis.from_url(own_valkey.url)
    livemon = Livemon(client, Keys())
    assert await livemon.contents("c-1") == ["Hello"]
    assert await livemon.status("c-1") == "ended"
    await client.aclose()


async def test_a_handler_that_will_not_end_does_not_keep_the_runtime_from_leaving(
    livemon: Livemon, valkey_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("livemon_runtime.runtime._STOP_S", 0.2)
    stubborn, let_go = asyncio.Event(), asyncio.Event()

    async def hang_up() -> None:
        stubborn.set()
        while not let_go.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await let_go.wait()

    async with Runtime(valkey_url, name="stubborn", drain_timeout=0.2, handler_timeout=60) as runtime:
        call = runtime.call(call_id="c-1")
        call.on_end(hang_up)
        await eventually(lambda: livemon.call("c-1"))
        await livemon.send(runtime.runtime_id, "c-1", "end")
        await asyncio.wait_for(stubborn.wait(), 60)
    assert any("left behind" in record.getMessage() for record in caplog.records)
    let_go.set()
    assert runtime._task
    await asyncio.wait([runtime._task], timeout=60)
    assert runtime._task.done()


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ({"name": "x", "workspace": "No Slug"}, InvalidName),
        ({"name": "x", "runtime_id": "a b"}, InvalidName),
        ({"name": "x" * 1_000}, ValueError),
    ],
)
def test_a_bad_name_is_told_at_once(what: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        Runtime(**what)


async def failing() -> None:
    raise KeyError("claim_id")


async def awaiting_what_was_cancelled() -> None:
    other = asyncio.ensure_future(asyncio.Event().wait())
    other.cancel()
    await other


@pytest.mark.parametrize("work", [failing, awaiting_what_was_cancelled])
async def test_what_fails_for_one_call_is_counted_and_no_other_call_notices(
    livemon: Livemon, runtime: Runtime, work: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    call = runtime.call(call_id="c-1")
    await announced(livemon, "c-1")
    task = runtime.spawn(work())
    assert task
    await asyncio.wait([task], timeout=60)
    assert runtime.counters["call_work_failed"] == 1
    call.update(agent_name="Ada")
    await eventually(lambda: livemon.events("call_updated"))
