"""Who listens to which call, over two nodes on one Valkey."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from livemon.calls.presence import FORGOTTEN_MS, Listener, Presence, listeners_key
from livemon.redis_client import connect
from livemon_runtime.keys import Keys
from tests.calls.live_part import running, until
from tests.conftest import ValkeyProcess

GRACE = Listener("l-1", "u-1", "Grace")
ADA = Listener("l-2", "u-2", "Ada")


@pytest.fixture
async def redis(valkey_url: str) -> AsyncIterator[Redis]:
    """As a node connects."""
    client = connect(valkey_url)
    yield client
    await client.aclose()


def presence(redis: Redis, keys: Keys, node_id: str, now=lambda: 1_000_000) -> Presence:
    return Presence(redis, keys, node_id, now=now, poll_s=0.02)


async def test_each_node_sees_its_own_listeners_at_once_and_the_others_soon(redis: Redis, keys: Keys):
    one, two = presence(redis, keys, "node-1"), presence(redis, keys, "node-2")
    changed: list[set[str]] = []
    two.changed.append(changed.append)
    async with running(one.run(), two.run()):
        one.join("call-1", "l-1", "u-1", "Grace")
        assert one.of("call-1") == [GRACE]
        await until(lambda: two.of("call-1") == [GRACE])
        assert changed == [{"call-1"}]
        two.join("call-1", "l-2", "u-2", "Ada")
        assert two.of("call-1") == [ADA, GRACE]
        await until(lambda: one.of("call-1") == [GRACE, ADA])
        one.leave("l-1")
        await until(lambda: two.of("call-1") == [ADA])
        assert one.of("call-2") == []


async def test_two_listeners_of_one_call_on_one_node_are_both_seen_and_one_may_leave(redis: Redis, keys: Keys):
    one, two = presence(redis, keys, "node-1"), presence(redis, keys, "node-2")
    async with running(one.run(), two.run()):
        one.join("call-1", "l-1", "u-1", "Grace")
        one.join("call-1", "l-2", "u-2", "Ada")
        await until(lambda: two.of("call-1") == [GRACE, ADA])
        one.leave("l-1")
        await until(lambda: two.of("call-1") == [ADA])


async def test_a_node_that_ends_takes_its_listeners_along(redis: Redis, keys: Keys):
    two = presence(redis, keys, "node-2")
    async with running(two.run()):
        one = presence(redis, keys, "node-1")
        async with running(one.run()):
            one.join("call-1", "l-1", "u-1", "Grace")
            await until(lambda: two.of("call-1") == [GRACE])
        await until(lambda: two.of("call-1") == [])


async def test_a_node_that_died_drops_out_after_fifteen_seconds_and_its_field_later(redis: Redis, keys: Keys):
    clock = [1_000_000]
    one, two = presence(redis, keys, "node-1"), presence(redis, keys, "node-2", now=lambda: clock[0])
    one.join("call-1", "l-1", "u-1", "Grace")
    await one._exchange()
    async with running(two.run()):
        two.join("call-2", "l-2", "u-2", "Ada")
        await until(lambda: two.of("call-1") == [GRACE])
        clock[0] += 15_000
        await until(lambda: two.of("call-1") == [])
        assert await redis.hexists(listeners_key(keys), "node-1")
        clock[0] += FORGOTTEN_MS
        await until(lambda: _forgotten(redis, keys, "node-1"))
        assert await redis.hexists(listeners_key(keys), "node-2")


async def _forgotten(redis: Redis, keys: Keys, node: str) -> bool:
    return not await redis.hexists(listeners_key(keys), node)


async def test_a_redis_clock_that_is_set_back_does_not_stop_a_node_from_saying_who_listens(redis: Redis, keys: Keys):
    clock = [10_000_000]
    one = presence(redis, keys, "node-1", now=lambda: clock[0])
    one.join("call-1", "l-1", "u-1", "Grace")
    async with running(one.run()):
        await until(lambda: redis.hexists(listeners_key(keys), "node-1"))
        clock[0] -= 3_600_000
        await until(lambda: _until(redis, keys, clock[0] + 15_000))


async def _until(redis: Redis, keys: Keys, moment: int) -> bool:
    return json.loads(await redis.hget(listeners_key(keys), "node-1"))["until"] == moment


async def test_what_another_version_wrote_is_passed_over(redis: Redis, keys: Keys):
    for node, value in {"a": b"\xff", "b": b"[]", "c": b'{"until": 9e15, "calls": {"call-1": [{"who": 1}]}}'}.items():
        await redis.hset(listeners_key(keys), node, value)
    one, two = presence(redis, keys, "node-1"), presence(redis, keys, "node-2")
    async with running(one.run(), two.run()):
        one.join("call-1", "l-1", "u-1", "Grace")
        await until(lambda: two.of("call-1") == [GRACE])


@pytest.mark.parametrize("bad", [{"user_id": []}, {"name": {"a": 1}}, {"name": "x" * 1_000}, {"listener_id": None}])
async def test_what_is_no_listener_is_passed_over(redis: Redis, keys: Keys, bad: dict[str, object]):
    """Whoever may write the workspace's keys can write here; a list row must not break on it."""
    one = presence(redis, keys, "node-1")
    listener = {"listener_id": "l-9", "user_id": "u-9", "name": "Eve", **bad}
    await redis.hset(listeners_key(keys), "evil", json.dumps({"until": 2_000_000, "calls": {"call-1": [listener]}}))
    good = {"listener_id": "l-2", "user_id": "u-2", "name": "Ada"}
    await redis.hset(listeners_key(keys), "node-2", json.dumps({"until": 2_000_000, "calls": {"call-1": [good]}}))
    async with running(one.run()):
        await until(lambda: one.of("call-1") == [ADA])


async def test_through_an_outage_of_redis_it_goes_on_by_itself(own_valkey: ValkeyProcess, keys: Keys):
    redis = connect(own_valkey.url)
    one, two = presence(redis, keys, "node-1"), presence(redis, keys, "node-2")
    async with running(one.run(), two.run()):
        one.join("call-1", "l-1", "u-1", "Grace")
        await until(lambda: two.of("call-1") == [GRACE])
        await asyncio.to_thread(own_valkey.kill)
        one.join("call-1", "l-2", "u-2", "Ada")
        assert one.of("call-1") == [GRACE, ADA]
        await asyncio.to_thread(own_valkey.start)
        await until(lambda: two.of("call-1") == [GRACE, ADA])
    await redis.aclose()


async def test_leaving_what_is_not_known_does_no_harm(redis: Redis, keys: Keys):
    presence(redis, keys, "node-1").leave("l-9")
