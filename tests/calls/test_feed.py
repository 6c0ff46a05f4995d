"""Following a workspace's calls in a real Valkey: snapshot, tail, repair, and what is malformed."""

import asyncio
import json

import pytest
from redis.asyncio import Redis

from livemon_runtime import Runtime
from livemon_runtime.keys import Keys
from tests.calls.conftest import Nodes
from tests.calls.live_part import LivePart, RawRuntime, quick, until
from tests.calls.making import call_data, state_json

SNAPSHOTS = "livemon_snapshots"


# --- snapshot and tail


async def test_a_node_that_starts_has_the_calls_that_are_there_and_none_of_them_is_new(
    node: Nodes, runtime: RawRuntime
):
    for number in range(1_200):
        await runtime.announce(f"call-{number}")
    await runtime.end("call-7")
    async with node() as part:
        assert part.calls.registry.ids() == {f"call-{number}" for number in range(1_200)} - {"call-7"}
        assert not any(change.started for change in part.changes)
        assert part.count(SNAPSHOTS, cause="start") == 1


async def test_a_call_appears_changes_and_goes_as_its_runtime_says(part: LivePart, runtime: RawRuntime):
    await runtime.announce(agent_name="Ada")
    await part.call(agent_name="Ada")
    await runtime.update(agent_name="Bob")
    await part.call(agent_name="Bob", rev=2)
    await runtime.end()
    assert (await part.ended()).call.disconnection_reason == "user_hangup"
    assert part.calls.get("call-1") is None
    assert [change.started for change in part.changes] == [True, False, False]


async def test_a_bots_own_calls_appear_change_and_go(part: LivePart, valkey_url: str, keys: Keys):
    """The SDK is the other end."""
    async with Runtime(valkey_url, name="front-desk", workspace=keys.workspace) as bot:
        async with bot.call(call_id="call-1", agent_name="Ada", from_number="+1555") as call:
            await part.call(agent_name="Ada", from_number="+1555", runtime=bot.runtime_id, quiet_since=None)
            call.update(agent_name="Bob", metadata={"order": 7})
            await part.call(agent_name="Bob", metadata={"order": 7})
        assert (await part.ended()).call.disconnection_reason == "agent_hangup"


async def test_a_call_that_was_resumed_is_not_new(part: LivePart, runtime: RawRuntime):
    await runtime.announce(resumed=True)
    await part.call()
    assert not any(change.started for change in part.changes)


async def test_a_new_incarnation_replaces_the_old_and_its_late_events_change_nothing(
    part: LivePart, runtime: RawRuntime
):
    await runtime.announce(agent_name="Ada")
    old = runtime.revs["call-1"]
    await runtime.announce(resumed=True, agent_name="Bob")
    new = runtime.revs["call-1"]
    await part.call(incarnation=new[0])
    runtime.revs["call-1"] = old
    await runtime.say("call_updated", "call-1", state_json(call_data(agent_name="late")), rev=9)
    await runtime.say("call_ended", "call-1", state_json(call_data(call_status="ended")), rev=10)
    runtime.revs["call-1"] = new
    await runtime.announce("call-2")
    await part.call("call-2")
    assert (await part.call(incarnation=new[0])).call.agent_name == "Bob"


async def test_a_late_event_does_not_revive_a_call_that_its_runtime_ended(part: LivePart, runtime: RawRuntime):
    await runtime.announce()
    await part.call()
    await runtime.end()
    await part.ended()
    await runtime.say("call_updated", "call-1", state_json(call_data()), rev=9)
    await runtime.announce(resumed=True)  # its own runtime would not; a confused one might
    await runtime.announce("call-2")
    await part.call("call-2")
    assert part.calls.get("call-1") is None


async def test_an_ended_call_is_found_for_as_long_as_redis_keeps_it(part: LivePart, runtime: RawRuntime):
    await runtime.announce()
    await runtime.end()
    await part.ended()
    found = await part.calls.find("call-1")
    assert found.over
    assert found.call.disconnection_reason == "user_hangup"
    assert await part.calls.find("call-2") is None


@pytest.mark.parametrize("name", ["call-1:transcript", "a b", "", "x" * 129, "*"])
async def test_what_is_no_calls_name_is_found_nowhere(part: LivePart, runtime: RawRuntime, name: str):
    await runtime.announce()
    await runtime.append("call-1", 1, id="t", role="agent", content="Hello", time_ms=1)
    assert await part.calls.find(name) is None
    assert part.dropped("call", "malformed", "unknown") == 0, "nor does it count as a runtime's mistake"


async def test_its_clock_is_redis_clock(part: LivePart, valkey: Redis):
    seconds, microseconds = await valkey.time()
    assert abs(part.calls.now() - (seconds * 1_000 + microseconds / 1_000)) < 60_000
    assert part.calls.state.since is None


# --- what was missed


async def test_events_that_were_trimmed_past_the_cursor_are_made_good_by_a_snapshot(
    part: LivePart, runtime: RawRuntime, valkey: Redis
):
    await runtime.announce("a", agent_name="Ada")
    await part.call("a")
    lost = valkey.pipeline(transaction=True)  # as one, so that nobody reads in between
    key, incarnation = runtime.keys.call("b"), "i-b"
    data = call_data("b", agent_name="Bob")
    lost.hset(key, mapping={"incarnation": incarnation, "rev": 1, "runtime": "rt-1", "data": json.dumps(data)})
    lost.zadd(runtime.keys.calls, {"b": 1})
    lost.xadd(runtime.keys.events, runtime.event("call_started", "b", incarnation, 1, state_json(data)))
    lost.xadd(runtime.keys.events, {"type": "later-protocol"})
    lost.xtrim(runtime.keys.events, maxlen=1, approximate=False)
    await lost.execute()
    await part.call("b", agent_name="Bob")
    assert part.count(SNAPSHOTS, cause="trimmed") == 1
    assert part.calls.state.state == "live"


async def test_a_stream_that_was_trimmed_to_nothing_is_noticed_too(part: LivePart, runtime: RawRuntime, valkey: Redis):
    await runtime.announce("a")
    await part.call("a")
    lost = valkey.pipeline(transaction=True)
    data = call_data("a", agent_name="changed")
    incarnation, _ = runtime.revs["a"]
    lost.hset(runtime.keys.call("a"), mapping={"rev": 2, "data": json.dumps(data)})
    lost.xadd(runtime.keys.events, runtime.event("call_updated", "a", incarnation, 2, state_json(data)))
    lost.xtrim(runtime.keys.events, maxlen=0, approximate=False)
    await lost.execute()
    await part.call("a", agent_name="changed")


async def test_a_redis_restored_from_before_is_noticed_by_its_last_id(
    part: LivePart, runtime: RawRuntime, valkey: Redis
):
    await runtime.announce("kept", agent_name="Ada")
    await runtime.announce("lost")
    await part.call("lost")
    dump = {name: await valkey.dump(name) for name in (runtime.keys.events, runtime.keys.call("kept"))}
    await runtime.update("kept", agent_name="Bob")
    await part.call("kept", agent_name="Bob")
    restored = valkey.pipeline(transaction=True)
    for name, value in dump.items():
        restored.restore(name, 0, value, replace=True)
    restored.delete(runtime.keys.call("lost"))
    restored.zrem(runtime.keys.calls, "lost")
    await restored.execute()
    await part.call("kept", agent_name="Ada", rev=1, quiet_since=None)
    lost = await until(lambda: (one := part.calls.get("lost")).quiet_since and one)
    assert lost.listed, "it stays, as not reporting: nobody said that it ended"
    assert part.count(SNAPSHOTS, cause="trimmed") == 1


async def test_a_call_restored_as_live_that_its_runtime_has_ended_stays_gone(
    part: LivePart, runtime: RawRuntime, valkey: Redis
):
    await runtime.announce()
    await part.call()
    dump = {name: await valkey.dump(name) for name in (runtime.keys.events, runtime.keys.call("call-1"))}
    await runtime.end()
    await part.ended()
    restored = valkey.pipeline(transaction=True)
    for name, value in dump.items():
        restored.restore(name, 0, value, replace=True)
    restored.zadd(runtime.keys.calls, {"call-1": 1})
    await restored.execute()
    await until(lambda: part.count(SNAPSHOTS, cause="trimmed"))
    await runtime.announce("call-2")
    await part.call("call-2")
    assert part.calls.get("call-1") is None


async def test_after_flushall_rows_stay_as_not_reporting_and_come_back_with_their_runtime(
    part: LivePart, valkey_url: str, valkey: Redis, keys: Keys, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("livemon_runtime.heartbeat.HEARTBEAT_S", 1.0)
    async with Runtime(valkey_url, name="front-desk", workspace=keys.workspace) as bot:
        calls = [bot.call(call_id=f"call-{n}", agent_name="Ada") for n in range(20)]
        before = {call.call_id: (await part.call(call.call_id)).incarnation for call in calls}
        part.changes.clear()
        await valkey.flushall()
        for call_id, incarnation in before.items():
            back = await until(lambda call_id=call_id, was=incarnation: _back(part, call_id, was))
            assert back.call.agent_name == "Ada"
        assert {change.call_id for change in part.changes if change.now.over} == set()
        assert not any(change.started for change in part.changes), "none is highlighted as new"


def _back(part: LivePart, call_id: str, was: str):
    live = part.calls.get(call_id)
    assert live is not None, "a row went away"
    return live if live.incarnation != was and live.quiet_since is None else None


# --- repair


async def test_a_call_that_changed_without_an_event_is_mended_and_counted(node: Nodes, runtime: RawRuntime):
    async with node(timing=quick(repair_s=0.2)) as part:
        await runtime.announce("told", agent_name="Ada")
        await runtime.announce("changed", agent_name="Ada")
        await part.call("told")
        await part.call("changed")
        await runtime.update("changed", told=False, agent_name="Bob")
        await part.call("changed", agent_name="Bob")
        await until(lambda: part.count("livemon_repairs") == 1)


async def test_a_start_and_an_end_without_events_are_mended(node: Nodes, runtime: RawRuntime):
    async with node(timing=quick(repair_s=0.2)) as part:
        await runtime.announce("ends")
        await part.call("ends")
        runtime.revs["starts"] = ("i1", 0)
        await runtime.write("call_started", call_data("starts"), told=False)
        await part.call("starts")
        await runtime.end("ends", told=False)
        assert (await part.ended("ends")).call.disconnection_reason == "user_hangup"
        await until(lambda: part.count("livemon_repairs") == 2)


async def test_where_nothing_differs_nothing_is_counted_however_much_happens(node: Nodes, runtime: RawRuntime):
    async with node(timing=quick(repair_s=0.05)) as part:
        await runtime.announce("busy")
        for number in range(150):
            await runtime.update("busy", agent_name=f"Ada {number}")
            await asyncio.sleep(0.002)
        await part.call("busy", agent_name="Ada 149")
        assert part.count("livemon_repairs") == 0


async def test_a_call_that_redis_has_lost_alone_is_given_up_only_after_the_time(
    node: Nodes, runtime: RawRuntime, valkey
):
    async with node(timing=quick(repair_s=0.2, lost_after_s=1)) as part:
        await runtime.announce("lost")
        await runtime.announce("kept")
        await part.call("lost")
        pipeline = valkey.pipeline(transaction=True)
        pipeline.delete(runtime.keys.call("lost"))
        pipeline.zrem(runtime.keys.calls, "lost")
        await pipeline.execute()
        await until(lambda: (one := part.calls.get("lost")) is None or one.quiet_since)
        assert (await part.ended("lost")).call.disconnection_reason == "runtime_lost"
        assert part.calls.get("kept").quiet_since is None


# --- malformed input


MALFORMED = [
    {"type": "call_updated"},
    {"type": "call_updated", "call_id": "call-1", "incarnation": "i", "rev": "9" * 5_000, "data": "{}"},
    {"type": b"\xff", "call_id": "call-1"},
    {"type": "command_result", "data": "not JSON"},
    {"colour": "red"},
]


async def test_malformed_events_are_dropped_and_counted_and_hurt_no_call(
    part: LivePart, runtime: RawRuntime, valkey: Redis
):
    await runtime.announce()
    await part.call()
    for fields in MALFORMED:
        await valkey.xadd(runtime.keys.events, fields)
    await runtime.say("call_updated", "call-1", b"rubbish")
    await runtime.say("call_updated", "call-1", state_json(call_data("another")))
    await runtime.say("call_updated", "call-1", b"x" * 300_000)
    await runtime.update(agent_name="Ada")
    await part.call(agent_name="Ada")
    assert part.dropped("event", "malformed", "unknown") == len(MALFORMED)
    assert part.dropped("event", "malformed", "rt-1") == 1, "of a call that is known, its runtime is named"
    assert part.dropped("event", "other_call", "rt-1") == 1
    assert part.dropped("event", "too_large", "unknown") == 1


async def test_malformed_hashes_are_dropped_and_counted_and_hurt_no_call(
    node: Nodes, runtime: RawRuntime, valkey: Redis
):
    await runtime.announce("good")
    await runtime.announce("bad")
    await valkey.hset(runtime.keys.call("bad"), "data", "{}")
    await valkey.zadd(runtime.keys.calls, {"string": 1, "a b": 2})
    await valkey.set(runtime.keys.call("string"), "no hash")
    async with node() as part:
        assert part.calls.registry.ids() == {"good"}
        assert part.dropped("call", "malformed", "rt-1") == 1
        assert part.dropped("call", "malformed", "unknown") == 1


async def test_a_call_whose_hash_becomes_unreadable_stays_as_it_was_while_its_runtime_is_heard(
    node: Nodes, runtime: RawRuntime, valkey: Redis
):
    """A bot that writes one field wrong must not lose its row: nobody said that the call ended."""
    async with node(timing=quick(repair_s=0.1, lost_after_s=0.5)) as part:
        await runtime.announce(agent_name="Ada")
        await part.call()
        await valkey.hset(runtime.keys.call("call-1"), mapping={"data": "{}", "rev": 2})
        await until(lambda: part.dropped("call", "malformed", "rt-1") >= 10)
        assert (await part.call(agent_name="Ada")).quiet_since is None
        await runtime.gone()
        assert (await part.ended()).call.disconnection_reason == "runtime_lost", "with its runtime gone it goes, too"


async def test_numbers_beyond_64_bits_hurt_nobody(part: LivePart, runtime: RawRuntime):
    """They are JSON, so they are the protocol's; one once stopped the whole feed."""
    await runtime.announce("big", agent_version=2**70, metadata={"order": 2**70})
    await part.call("big", agent_version=2**70)
    await runtime.announce("next")
    await part.call("next")
    with part.list_feed.connect() as outbox:
        row = next(one for one in await until(lambda: _rows(outbox)) if one["id"] == "big")
    assert row["version"] == str(2**70)


async def _rows(outbox):
    outbox.renew()
    (snapshot,) = await outbox.take()
    return len(rows := json.loads(snapshot)["calls"]) == 2 and rows


async def test_a_flood_from_one_call_is_cut_and_its_end_is_taken_all_the_same(part: LivePart, runtime: RawRuntime):
    await runtime.announce("loud")
    await runtime.announce("quiet")
    await part.call("quiet")
    incarnation, _ = runtime.revs["loud"]
    flood = runtime.redis.pipeline(transaction=True)
    for number in range(2, 1_002):
        data = state_json(call_data("loud", agent_name=f"Ada {number}"))
        flood.xadd(runtime.keys.events, runtime.event("call_updated", "loud", incarnation, number, data))
    await flood.execute()
    runtime.revs["loud"] = (incarnation, 1_001)
    await runtime.update("quiet", agent_name="Bob")
    await part.call("quiet", agent_name="Bob")
    dropped = part.dropped("event", "too_fast", "rt-1")
    assert 500 <= dropped <= 801, "a burst of 200 passes, and what the time in between allows"
    await runtime.end("loud")
    await part.ended("loud")


async def test_what_a_flood_lost_is_mended_by_the_next_repair(node: Nodes, runtime: RawRuntime):
    async with node(timing=quick(repair_s=0.3)) as part:
        await runtime.announce()
        await part.call()
        for number in range(400):
            await runtime.update(agent_name=f"Ada {number}")
        await part.call(agent_name="Ada 399")
