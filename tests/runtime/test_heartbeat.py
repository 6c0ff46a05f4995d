"""What a runtime finds out at its heartbeat: what Redis has lost comes back by itself, and strangers are ended."""

import asyncio
import json

import pytest
import redis.asyncio

from livemon_runtime import Runtime
from tests.runtime.conftest import Livemon, eventually


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heartbeats come more often than the protocol asks, so that nobody waits 5 s for each."""
    monkeypatch.setattr("livemon_runtime.heartbeat.HEARTBEAT_S", 0.3)


async def spoken(livemon: Livemon, runtime: Runtime, count: int = 20) -> list[str]:
    """A call `c-1` with a transcript that Redis has; answers its contents."""
    call = runtime.call(call_id="c-1")
    for number in range(count):
        call.user_turn().final(f"{number}")
    await eventually(lambda: livemon.call("c-1"))
    await asyncio.wait_for(runtime.sender.drained(), 60)
    return [f"{number}" for number in range(count)]


async def has(livemon: Livemon, contents: list[str]) -> bool:
    return await livemon.contents("c-1") == contents


async def test_a_lost_tail_comes_back_by_itself(
    livemon: Livemon, runtime: Runtime, valkey: redis.asyncio.Redis
) -> None:
    contents = await spoken(livemon, runtime)
    key = livemon.keys.transcript("c-1")
    await valkey.delete(key)  # XDEL would leave the stream's last id, which no failover does
    for number, content in enumerate(contents[:7], start=1):
        entry = {"id": content, "role": "user", "time_ms": 0, "content": content}
        await valkey.xadd(key, {"data": json.dumps(entry)}, id=f"{number}-0")
    await eventually(lambda: has(livemon, contents))
    assert await livemon.numbers("c-1") == [f"{n}-0" for n in range(1, 21)]


async def test_a_transcript_that_is_gone_comes_back_by_itself(
    livemon: Livemon, runtime: Runtime, valkey: redis.asyncio.Redis
) -> None:
    contents = await spoken(livemon, runtime)
    await valkey.delete(livemon.keys.transcript("c-1"))
    await eventually(lambda: has(livemon, contents))


async def test_a_lost_tail_is_made_whole_by_the_next_entry_already(
    livemon: Livemon, runtime: Runtime, valkey: redis.asyncio.Redis
) -> None:
    contents = await spoken(livemon, runtime)
    await valkey.delete(livemon.keys.transcript("c-1"))
    call = runtime.call_of("c-1")
    assert call
    call.user_turn().final("next")
    await asyncio.wait_for(runtime.sender.drained(), 60)
    assert await livemon.contents("c-1") == [*contents, "next"]


async def test_after_flushall_the_whole_call_is_back_with_its_holder(
    livemon: Livemon, runtime: Runtime, valkey: redis.asyncio.Redis
) -> None:
    contents = await spoken(livemon, runtime)
    call = runtime.call_of("c-1")
    assert call
    call.on_take_over(lambda: True)
    await livemon.claim("c-1", "claim-7", generation=7)
    result = await livemon.ask(runtime, call, "take_over", claim_id="claim-7", generation=7, grace_ms=30_000)
    assert result["ok"]
    before = await livemon.call("c-1")
    assert before
    await valkey.flushall()
    after = await eventually(lambda: livemon.call("c-1"))
    assert after["incarnation"] != before["incarnation"]
    assert (after["rev"], after["generation"]) == ("1", "7")
    assert after["controller"] == before["controller"]
    assert after["controller"]["claim_id"] == "claim-7"
    assert after["data"]["call_status"] == "taken_over"
    await eventually(lambda: has(livemon, contents))
    (event,) = await livemon.events("call_started")
    assert event["data"]["resumed"] is True
    assert event["data"]["controller"]["claim_id"] == "claim-7"
    assert await livemon.listed() == ["c-1"]
    assert await livemon.redis.smembers(livemon.keys.runtime_calls(runtime.runtime_id)) == {b"c-1"}
    assert call.agent_silent


async def test_a_controller_that_redis_has_otherwise_is_set_right(livemon: Livemon, runtime: Runtime) -> None:
    await spoken(livemon, runtime, 1)
    stranger = {"user_id": "u-9", "name": "Eve", "claim_id": "x", "generation": 1, "since": 1}
    await livemon.redis.hset(livemon.keys.call("c-1"), "controller", json.dumps(stranger))
    await eventually(lambda: is_free(livemon))
    call = runtime.call_of("c-1")
    assert call
    assert not call.agent_silent


async def is_free(livemon: Livemon) -> bool:
    stored = await livemon.call("c-1")
    return stored is not None and stored["controller"] == ""


async def test_a_claim_newer_than_what_is_announced_again_is_left_alone(
    livemon: Livemon, runtime: Runtime, valkey: redis.asyncio.Redis
) -> None:
    await spoken(livemon, runtime, 1)
    claim = await livemon.claim("c-1", "claim-1", generation=1, lasts_ms=60_000)
    await valkey.hset(livemon.keys.call("c-1"), "incarnation", "from before")
    await eventually(lambda: livemon.events("call_started"))
    await eventually(lambda: is_another(livemon, "from before"))
    stored = await livemon.call("c-1")
    assert stored
    assert stored["claim"] == claim


async def is_another(livemon: Livemon, incarnation: str) -> bool:
    stored = await livemon.call("c-1")
    return stored is not None and stored["incarnation"] != incarnation


async def test_a_call_that_livemon_gave_up_is_back_when_its_runtime_is(livemon: Livemon, runtime: Runtime) -> None:
    await spoken(livemon, runtime, 1)
    key = livemon.keys.call("c-1")
    stored = await livemon.call("c-1")
    assert stored
    lost = {**stored["data"], "call_status": "ended", "disconnection_reason": "runtime_lost"}
    await livemon.redis.hset(key, "data", json.dumps(lost))
    await livemon.redis.hincrby(key, "rev", 1)
    await livemon.redis.zrem(livemon.keys.calls, "c-1")
    await livemon.redis.expire(key, 3_600)
    await eventually(lambda: is_listed(livemon))
    assert await livemon.status("c-1") == "ongoing"
    assert await livemon.redis.ttl(key) == -1


async def is_listed(livemon: Livemon) -> bool:
    return await livemon.listed() == ["c-1"]


async def test_a_call_that_its_process_no_longer_has_is_ended(livemon: Livemon, runtime: Runtime) -> None:
    await spoken(livemon, runtime, 1)
    stored = await livemon.call("c-1")
    assert stored
    data = {**stored["data"], "call_id": "zombie"}
    ours = {"incarnation": "i", "rev": 1, "runtime": runtime.runtime_id, "generation": 0}
    await livemon.redis.hset(livemon.keys.call("zombie"), mapping={**ours, "data": json.dumps(data)})
    await livemon.redis.zadd(livemon.keys.calls, {"zombie": 1})
    await livemon.redis.sadd(livemon.keys.runtime_calls(runtime.runtime_id), "zombie", "a name without a call")
    await eventually(lambda: is_listed(livemon))
    ended = await eventually(lambda: livemon.events("call_ended"))
    assert ended[0]["data"]["call"]["disconnection_reason"] == "error_call_lost"
    members = livemon.keys.runtime_calls(runtime.runtime_id)
    await eventually(lambda: only(livemon, members))
    assert await livemon.status("c-1") == "ongoing"


async def only(livemon: Livemon, members: str) -> bool:
    return await livemon.redis.smembers(members) == {b"c-1"}


async def test_an_ended_call_in_a_redis_restored_from_before_is_ended_again(livemon: Livemon, runtime: Runtime) -> None:
    await spoken(livemon, runtime, 1)
    key, members = livemon.keys.call("c-1"), livemon.keys.runtime_calls(runtime.runtime_id)
    before = await livemon.redis.hgetall(key)
    call = runtime.call_of("c-1")
    assert call
    call.end("user_hangup")
    await eventually(lambda: livemon.events("call_ended"))
    await livemon.redis.hset(key, mapping=before)
    await livemon.redis.zadd(livemon.keys.calls, {"c-1": 1})
    await livemon.redis.sadd(members, "c-1")
    await eventually(lambda: is_ended(livemon))
    stored = await livemon.call("c-1")
    assert stored
    assert stored["data"]["disconnection_reason"] == "user_hangup"
    assert await livemon.listed() == []


async def is_ended(livemon: Livemon) -> bool:
    return await livemon.status("c-1") == "ended"


async def crashed(livemon: Livemon, valkey_url: str, *, taken_over: bool) -> list[str]:
    """A runtime had the call `c-1` and is gone without a word; answers the transcript's contents."""
    runtime = Runtime(valkey_url, name="about to crash")
    await runtime.__aenter__()
    contents = await spoken(livemon, runtime, 3)
    call = runtime.call_of("c-1")
    assert call
    if taken_over:
        call.on_take_over(lambda: True)
        await livemon.claim("c-1", "claim-3", generation=3)
        result = await livemon.ask(runtime, call, "take_over", claim_id="claim-3", generation=3, grace_ms=30_000)
        assert result["ok"]
    await runtime._stop()
    return contents


async def test_a_call_adopted_by_the_next_process_goes_on_where_its_transcript_ends(
    livemon: Livemon, valkey_url: str
) -> None:
    contents = await crashed(livemon, valkey_url, taken_over=False)
    async with Runtime(valkey_url, name="its next process") as successor:
        adopted = successor.call(call_id="c-1")
        adopted.user_turn().final("from the next")
        await eventually(lambda: has(livemon, [*contents, "from the next"]))
        started = await livemon.events("call_started")
        assert [event["data"]["resumed"] for event in started] == [False, True]
        stored = await livemon.call("c-1")
        assert stored
        assert stored["runtime"] == successor.runtime_id
        assert not adopted.agent_silent


async def test_an_adopted_call_that_a_supervisor_has_stays_the_supervisors(livemon: Livemon, valkey_url: str) -> None:
    await crashed(livemon, valkey_url, taken_over=True)
    async with Runtime(valkey_url, name="its next process") as successor:
        adopted = successor.call(call_id="c-1")
        silenced = asyncio.Event()
        adopted.on_agent_silenced(lambda silent: silenced.set() if silent else silenced.clear())
        await asyncio.wait_for(silenced.wait(), 60)
        assert adopted.agent_silent
        stored = await eventually(lambda: taken(livemon, successor.runtime_id))
        assert stored["controller"]["claim_id"] == "claim-3"
        assert stored["generation"] == "3"
        assert stored["data"]["call_status"] == "taken_over"


async def test_a_runtime_whose_call_was_adopted_elsewhere_does_not_end_it(
    livemon: Livemon, runtime: Runtime, valkey: redis.asyncio.Redis
) -> None:
    await spoken(livemon, runtime, 1)
    call = runtime.call_of("c-1")
    assert call
    theirs = {"incarnation": "theirs", "rev": 5, "runtime": "another"}
    await valkey.hset(livemon.keys.call("c-1"), mapping=theirs)
    call.end("agent_hangup")
    members = livemon.keys.runtime_calls(runtime.runtime_id)
    await eventually(lambda: nobody(livemon, members))
    assert await livemon.status("c-1") == "ongoing"
    assert await livemon.listed() == ["c-1"]


async def nobody(livemon: Livemon, members: str) -> bool:
    return not await livemon.redis.exists(members)


async def taken(livemon: Livemon, runtime_id: str) -> dict[str, object] | None:
    stored = await livemon.call("c-1")
    return stored if stored and stored["runtime"] == runtime_id else None
