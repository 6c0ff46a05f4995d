"""Redis away and back, and runtimes that go and come: no call is falsely ended, and the page knows how old it is."""

import asyncio
import contextlib
import os
import signal

import pytest
from redis.exceptions import ConnectionError

from livemon_runtime import Runtime
from livemon_runtime.keys import Keys
from tests.calls.conftest import Nodes
from tests.calls.live_part import RawRuntime, live_part, quick, until
from tests.conftest import ValkeyProcess

# --- Redis away


async def test_while_redis_is_stopped_rows_stay_and_the_state_says_since_when(
    own_valkey: ValkeyProcess, keys: Keys, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("livemon_runtime.heartbeat.HEARTBEAT_S", 0.3)
    async with (
        Runtime(own_valkey.url, name="front-desk", workspace=keys.workspace) as bot,
        live_part(own_valkey.url, keys, timing=quick(lost_after_s=2)) as part,
    ):
        calls = [bot.call(call_id=f"call-{n}") for n in range(5)]
        for call in calls:
            await part.call(call.call_id)
        before = part.calls.now()
        await asyncio.to_thread(own_valkey.stop)
        stale = await part.state("stale")
        assert before <= stale.since <= part.calls.now()
        calls[0].update(agent_name="said meanwhile")
        await asyncio.sleep(2.5)  # longer than a silent runtime has: an outage of Redis is no runtime's silence
        assert part.calls.state == stale, "it says since when it was live last, and says it once"
        assert part.calls.registry.ids() == {call.call_id for call in calls}
        await asyncio.to_thread(own_valkey.start)
        assert (await part.state("live")).since is None
        await part.call("call-0", agent_name="said meanwhile")
        for call in calls:
            await part.call(call.call_id, quiet_since=None)
        assert not any(change.now.over for change in part.changes), "no call was falsely ended"


async def test_a_redis_that_hangs_makes_the_state_stale_and_ends_no_call(own_valkey: ValkeyProcess, keys: Keys):
    async with live_part(own_valkey.url, keys, timing=quick(lost_after_s=3)) as part:
        raw = RawRuntime(part.redis, keys)
        await raw.alive(ttl_ms=3_000)
        await raw.announce()
        await part.call()
        os.kill(own_valkey.process.pid, signal.SIGSTOP)
        try:
            await part.state("stale")
        finally:
            os.kill(own_valkey.process.pid, signal.SIGCONT)
        await part.state("live")
        await part.call()
        await raw.alive()
        await part.call(quiet_since=None)
        assert not any(change.now.over for change in part.changes)


async def alive_again(raw: RawRuntime) -> None:
    """After a restart of Redis: the client may have connections left that were closed by that."""
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(ConnectionError):
                return await raw.alive()
            await asyncio.sleep(0.01)


async def test_the_silence_of_a_runtime_is_not_counted_through_an_outage_of_redis(
    own_valkey: ValkeyProcess, keys: Keys
):
    """It was quiet before, and nobody could see whether it came back meanwhile: it has its whole time again."""
    async with live_part(own_valkey.url, keys, timing=quick(lost_after_s=3)) as part:
        raw = RawRuntime(part.redis, keys)
        await raw.announce()
        await until(lambda: (one := part.calls.get("call-1")) and one.quiet_since)
        await asyncio.to_thread(own_valkey.stop)
        await part.state("stale")
        await asyncio.sleep(3)
        await asyncio.to_thread(own_valkey.start)
        await alive_again(raw)
        await part.state("live")
        await part.call(quiet_since=None)
        assert not any(change.now.over for change in part.changes)


async def test_without_redis_at_the_start_it_is_stale_since_nobody_knows_when_and_then_live(
    own_valkey: ValkeyProcess, keys: Keys
):
    own_valkey.stop()
    async with live_part(own_valkey.url, keys, live=False) as part:
        assert (part.calls.state.state, part.calls.state.since) == ("stale", None)
        await asyncio.to_thread(own_valkey.start)
        await part.state("live")
        await RawRuntime(part.redis, keys).announce()
        await part.call()


async def test_a_call_that_ended_while_redis_could_not_be_read_is_gone_afterwards(valkey_url: str, keys: Keys, runtime):
    await runtime.announce("ends")
    await runtime.announce("stays")
    async with live_part(valkey_url, keys) as part:
        await part.call("ends")
        clients = [one["id"] for one in await runtime.redis.client_list() if one["name"] == "livemon"]
        cut = runtime.redis.pipeline(transaction=True)
        for client in clients:
            cut.client_kill_filter(_id=client)
        await cut.execute()
        await runtime.end("ends")
        assert (await part.ended("ends")).call.disconnection_reason == "user_hangup"
        assert part.calls.registry.ids() == {"stays"}


# --- runtimes


async def test_a_runtime_that_is_gone_makes_its_calls_not_reporting_and_no_others(node: Nodes, runtime: RawRuntime):
    other = RawRuntime(runtime.redis, runtime.keys, "rt-2")
    await other.alive()
    async with node() as part:
        await runtime.announce("a")
        await other.announce("b")
        await part.call("b")
        before = part.calls.now()
        await runtime.gone()
        quiet = await until(lambda: (one := part.calls.get("a")).quiet_since and one)
        assert before - 20_000 <= quiet.quiet_since <= part.calls.now()
        assert part.calls.get("b").quiet_since is None


async def test_it_is_ended_as_lost_after_the_time_once_however_many_nodes_watch(node: Nodes, runtime: RawRuntime):
    timing = quick(lost_after_s=0.8)
    async with node(timing=timing) as one, node(timing=timing, node_id="node-2") as two:
        await runtime.announce("a", metadata={"order": 2**70})
        await runtime.announce("b")
        await one.call("b")
        await two.call("b")
        await runtime.gone()
        for part in (one, two):
            for call_id in "ab":
                lost = await part.ended(call_id)
                assert lost.call.disconnection_reason == "runtime_lost"
                assert lost.call.end_timestamp <= part.calls.now()
            assert len(part.calls.registry) == 0
        events = [fields for _, fields in await runtime.redis.xrange(runtime.keys.events)]
        assert [fields[b"type"] for fields in events].count(b"call_ended") == 2
        assert one.count("livemon_runtime_lost") == 2
        assert (await one.calls.find("a")).call.metadata == {"order": 2**70}, "all else stays as its runtime said it"
        assert await runtime.redis.zcard(runtime.keys.calls) == 0
        assert 0 < await runtime.redis.ttl(runtime.keys.call("a")) <= 3_600


async def test_a_runtime_that_comes_back_in_time_keeps_its_calls(node: Nodes, runtime: RawRuntime):
    async with node(timing=quick(lost_after_s=600)) as part:
        await runtime.announce()
        await part.call()
        await runtime.gone()
        await until(lambda: part.calls.get("call-1").quiet_since)
        await runtime.alive()
        await part.call(quiet_since=None)
        assert not any(change.now.over for change in part.changes)


async def test_a_runtime_given_up_that_comes_back_has_its_calls_back(
    node: Nodes, valkey, valkey_url: str, keys: Keys, monkeypatch: pytest.MonkeyPatch
):
    """Its process was frozen: the SDK finds at its next heartbeat that livemon has ended the call, and says otherwise."""
    monkeypatch.setattr("livemon_runtime.heartbeat.HEARTBEAT_S", 600)
    async with (
        node(timing=quick(lost_after_s=0.5)) as part,
        Runtime(valkey_url, name="front-desk", workspace=keys.workspace) as bot,
    ):
        call = bot.call(call_id="call-1", agent_name="Ada")
        await part.call(quiet_since=None)
        await bot.alive.wait()
        await valkey.delete(keys.runtime(bot.runtime_id))
        assert (await part.ended()).call.disconnection_reason == "runtime_lost"
        await bot.heartbeat._beat()
        back = await part.call(agent_name="Ada", quiet_since=None)
        assert back.listed
        assert not any(change.started and change.before is None for change in part.changes[1:]), "it is not new"
        call.end("user_hangup")
        await until(lambda: part.calls.get("call-1") is None)
        assert part.calls.registry.ended("call-1"), "its own runtime's word is final"
