"""The runtimes' feed on a real Valkey: whom it finds, what it tells, and that it asks nothing while nobody follows."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

from livemon.calls import runtime_feed
from livemon.calls.outbox import Outbox
from livemon.calls.runtime_feed import RuntimeFeed
from livemon.calls.sight import EVERYTHING, Sight
from livemon.redis_client import connect
from livemon_runtime.keys import Keys
from tests.calls.live_part import LivePart, RawRuntime, live_part, running, until
from tests.conftest import ValkeyProcess

MASKED = Sight(unmasked=False)


class Follower:
    """One who reads what the feed tells."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self.told: list[dict[str, Any]] = []

    async def until(self, wanted: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """The first message that is so, of those that were not read yet."""
        async with asyncio.timeout(60):
            while True:
                for message in map(json.loads, await self._outbox.take()):
                    self.told.append(message)
                    if message["t"] == "runtimes" and wanted(message):
                        return message

    async def state(self, state: str) -> dict[str, Any]:
        return await self.until(lambda message: message["state"] == state)


@asynccontextmanager
async def following(feed: RuntimeFeed, sight: Sight = EVERYTHING) -> AsyncIterator[Follower]:
    with feed.connect(sight) as outbox:
        yield Follower(outbox)


@pytest.fixture
async def feed(part: LivePart) -> AsyncIterator[RuntimeFeed]:
    feed = RuntimeFeed(part.redis, part.keys, part.calls, look_s=0.05)
    async with running(feed.run()):
        yield feed


async def test_it_goes_from_waiting_over_a_runtime_to_connected_and_back(feed: RuntimeFeed, valkey: Redis, keys: Keys):
    runtime = RawRuntime(valkey, keys)
    async with following(feed) as follower:
        waiting = await follower.until(lambda message: message["looked"])
        assert (waiting["state"], waiting["runtimes"], waiting["call"], waiting["masked"]) == (
            "waiting",
            [],
            None,
            False,
        )
        await runtime.alive()
        there = await follower.state("runtime")
        (one,) = there["runtimes"]
        assert (one["id"], one["name"], one["calls"], one["call"], one["caps"]) == ("rt-1", "raw", 0, None, None)
        await runtime.announce("c-1", agent_name="Ada", capabilities=["end"])
        connected = await follower.state("connected")
        assert (connected["call"]["id"], connected["call"]["agent"], connected["call"]["there"]) == ("c-1", "Ada", True)
        (one,) = connected["runtimes"]
        assert (one["calls"], one["caps"], one["audio"]) == (1, ["end"], False)
        await runtime.end("c-1")
        over = await follower.until(lambda message: message["call"]["over"])
        assert (over["state"], over["runtimes"][0]["calls"]) == ("connected", 0)
        await runtime.gone()
        left = await follower.state("waiting")
        assert (left["runtimes"], left["call"]["there"]) == ([], False)


async def test_a_call_whose_runtime_has_no_key_turns_nothing_green(feed: RuntimeFeed, valkey: Redis, keys: Keys):
    ghost, other = RawRuntime(valkey, keys, "rt-ghost"), RawRuntime(valkey, keys, "rt-other")
    async with following(feed) as follower:
        await ghost.announce("c-1")
        await follower.until(lambda message: message["call"] and message["call"]["id"] == "c-1")
        await other.alive()
        there = await follower.state("runtime")
        assert [one["id"] for one in there["runtimes"]] == ["rt-other"]
    assert "connected" not in {message.get("state") for message in follower.told}


async def test_whoever_comes_later_is_told_at_once_and_nothing_before_it_is_known(
    feed: RuntimeFeed, part: LivePart, runtime: RawRuntime
):
    await runtime.announce("c-1")
    await part.call("c-1")
    async with following(feed) as first:
        assert (await first.until(lambda _: True))["state"] == "connected"  # and not: waiting
        async with following(feed) as second:
            assert (await second.until(lambda _: True))["state"] == "connected"


async def test_a_call_of_a_runtime_that_was_not_found_yet_is_told_without_waiting_for_the_next_look(
    part: LivePart, valkey: Redis, keys: Keys
):
    feed = RuntimeFeed(part.redis, part.keys, part.calls, look_s=3_600)
    runtime = RawRuntime(valkey, keys)
    async with running(feed.run()), following(feed) as follower:
        await follower.state("waiting")
        await runtime.alive()
        await runtime.announce("c-1")
        await follower.state("connected")


async def test_in_a_large_database_it_goes_on_from_look_to_look(
    feed: RuntimeFeed, valkey: Redis, runtime: RawRuntime, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(runtime_feed, "KEYS_A_STEP", 10)
    monkeypatch.setattr(runtime_feed, "STEPS_A_LOOK", 2)
    await valkey.mset({f"somebody-elses-{n}": "x" for n in range(3_000)})
    async with following(feed) as follower:
        await follower.until(lambda message: message["looked"] and message["state"] == "runtime")


async def test_what_is_no_runtimes_key_is_none(feed: RuntimeFeed, valkey: Redis, keys: Keys):
    await valkey.set(keys.runtime("x y"), "{}")
    await valkey.set(keys.runtime("a:b"), "{}")
    await valkey.set(keys.runtime(""), "{}")
    await valkey.sadd(keys.runtime("set"), "{}")
    await valkey.set(Keys("another").runtime("stranger"), "{}")
    async with following(feed) as follower:
        message = await follower.until(lambda message: message["looked"])
    assert (message["state"], message["runtimes"]) == ("waiting", [])


async def test_names_are_masked_for_whoever_sees_no_numbers(feed: RuntimeFeed, valkey: Redis, keys: Keys):
    await valkey.set(keys.runtime("rt-1"), json.dumps({"name": "line +12125550184", "version": "1", "protocol": 1}))
    runtime = RawRuntime(valkey, keys)
    await runtime.announce("c-1", agent_name="Ada 4242424242424242")
    async with following(feed) as seeing, following(feed, MASKED) as masked:
        assert "2125550184" in json.dumps(await seeing.state("connected"))
        message = await masked.state("connected")
    assert message["masked"] is True
    told = json.dumps(masked.told)
    assert not [secret for secret in ("2125550184", "4242") if secret in told]
    assert message["runtimes"][0]["id"] == "rt-1"


async def test_so_many_runtimes_are_told_of_and_the_others_counted(feed: RuntimeFeed, valkey: Redis, keys: Keys):
    for n in range(60):
        await RawRuntime(valkey, keys, f"rt-{n}").alive()
    async with following(feed) as follower:
        message = await follower.until(lambda message: message["more"] == 10)
    assert len(message["runtimes"]) == 50


async def test_a_redis_that_lets_nobody_look_says_so_and_calls_still_connect(
    part: LivePart, valkey: Redis, keys: Keys, valkey_url: str
):
    await valkey.execute_command("ACL", "SETUSER", "narrow", "on", "nopass", "~*", "&*", "+@all", "-scan")
    narrow = connect(valkey_url.replace("redis://", "redis://narrow:x@"))
    feed = RuntimeFeed(narrow, part.keys, part.calls, look_s=0.05)
    runtime = RawRuntime(valkey, keys)
    try:
        async with running(feed.run()), following(feed) as follower:
            assert (await follower.until(lambda message: message["refused"]))["looked"] is False
            await runtime.alive()
            await runtime.announce("c-1")
            assert (await follower.state("connected"))["refused"] is True
    finally:
        await narrow.aclose()
        await valkey.execute_command("ACL", "DELUSER", "narrow")


async def test_redis_is_asked_only_while_somebody_follows(feed: RuntimeFeed, valkey: Redis, runtime: RawRuntime):
    async def scans() -> int:
        return (await valkey.info("commandstats")).get("cmdstat_scan", {}).get("calls", 0)

    before = await scans()
    await runtime.announce("c-1")
    assert await scans() == before
    async with following(feed) as follower:
        await follower.state("connected")
        await until(lambda: _more_than(scans, before + 2))
    settled = await scans()
    await runtime.update("c-1", agent_name="Bob")
    await asyncio.sleep(0.5)  # ten looks, if there were any
    assert await scans() <= settled + 1


async def _more_than(count: Callable[[], Any], least: int) -> bool:
    return await count() > least


async def test_while_redis_is_away_it_says_so(own_valkey: ValkeyProcess, keys: Keys):
    async with live_part(own_valkey.url, keys) as part:
        feed = RuntimeFeed(part.redis, part.keys, part.calls, look_s=0.05)
        async with running(feed.run()), following(feed) as follower:
            await follower.state("waiting")
            own_valkey.stop()
            await follower.until(lambda message: message["feed"]["state"] == "stale")
            own_valkey.start()
            await follower.until(lambda message: message["feed"]["state"] == "live")
