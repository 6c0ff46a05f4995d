"""Asking runtimes for audio: the tap key and the `tap` command, against a real Valkey."""

import asyncio
import json

import pytest
from redis.exceptions import RedisError

from livemon.media import taps as taps_module
from livemon.media.taps import Taps
from livemon.redis_client import connect
from livemon_runtime.keys import Keys
from tests.media.call_source import running

KEYS = Keys()
CALL = "call-1"


class Runtimes(dict):
    """Which runtime holds which call."""

    def of(self, call_id: str) -> str | None:
        return self.get(call_id)


@pytest.fixture
def runtimes() -> Runtimes:
    return Runtimes({CALL: "r1"})


@pytest.fixture
def taps(valkey, runtimes) -> Taps:
    return Taps(valkey, KEYS, "node-1", runtimes.of)


@pytest.fixture
def quickly(monkeypatch):
    monkeypatch.setattr(taps_module, "RENEW_EVERY_S", 0.02)
    monkeypatch.setattr(taps_module, "TRY_AGAIN_S", 0.02)


async def commands(valkey, runtime: str = "r1") -> list[dict]:
    return [json.loads(fields[b"data"]) for _, fields in await valkey.xrange(KEYS.commands(runtime))]


async def until(condition, timeout: float = 20) -> None:
    async with asyncio.timeout(timeout):
        while not await condition():
            await asyncio.sleep(0.01)


async def redis_ms(valkey) -> int:
    seconds, micros = await valkey.time()
    return seconds * 1000 + micros // 1000


async def test_wanting_a_call_taps_it_for_15_s_in_redis_own_time_and_wakes_its_runtime(valkey, taps):
    before = await redis_ms(valkey)
    await taps.want(CALL, "u1", "Ada")
    after = await redis_ms(valkey)
    ((node, until_ms),) = await valkey.zrange(KEYS.tap(CALL), 0, -1, withscores=True)
    assert node == b"node-1"
    assert before + 15_000 <= until_ms <= after + 15_000
    assert 0 < await valkey.ttl(KEYS.tap(CALL)) <= 3_600
    (command,) = await commands(valkey)
    assert (command["type"], command["call_id"], command["by"], command["by_name"]) == ("tap", CALL, "u1", "Ada")
    assert before + 5_000 <= command["deadline"] <= after + 5_000


async def test_a_second_listener_renews_the_tap_and_wakes_nobody(valkey, taps):
    await taps.want(CALL, "u1", "Ada")
    await taps.want(CALL, "u2", "Ben")
    assert len(await commands(valkey)) == 1


async def test_dropping_takes_away_this_nodes_tap_alone(valkey, taps):
    await valkey.zadd(KEYS.tap(CALL), {"node-2": 1})
    await taps.want(CALL, "u1", "Ada")
    await taps.drop(CALL)
    assert await valkey.zrange(KEYS.tap(CALL), 0, -1) == [b"node-2"]


async def test_after_a_drop_the_next_listener_wakes_the_runtime_again(valkey, taps):
    await taps.want(CALL, "u1", "Ada")
    await taps.drop(CALL)
    await taps.want(CALL, "u1", "Ada")
    assert len(await commands(valkey)) == 2
    assert await valkey.zcard(KEYS.tap(CALL)) == 1


async def test_taps_are_renewed_and_the_runtime_is_left_in_peace(valkey, taps, quickly):
    await taps.want(CALL, "u1", "Ada")
    first = await valkey.zscore(KEYS.tap(CALL), "node-1")

    async def renewed() -> bool:
        return (await valkey.zscore(KEYS.tap(CALL), "node-1") or 0) > first + 100

    async with running(taps.run()):
        await until(renewed)
    assert len(await commands(valkey)) == 1


async def test_a_call_that_another_runtime_has_now_wakes_that_one(valkey, taps, runtimes, quickly):
    await taps.want(CALL, "u1", "Ada")
    runtimes[CALL] = "r2"
    async with running(taps.run()):
        await until(lambda: commands(valkey, "r2"))
    assert (len(await commands(valkey)), len(await commands(valkey, "r2"))) == (1, 1)


async def test_a_tap_that_redis_has_lost_is_there_again_and_the_runtime_is_woken(valkey, taps, quickly):
    await taps.want(CALL, "u1", "Ada")
    await valkey.flushall()
    async with running(taps.run()):
        await until(lambda: commands(valkey))
    assert await valkey.zcard(KEYS.tap(CALL)) == 1


async def test_a_call_whose_runtime_is_not_known_yet_is_woken_once_it_is(valkey, taps, runtimes, quickly):
    del runtimes[CALL]
    await taps.want(CALL, "u1", "Ada")
    runtimes[CALL] = "r1"
    async with running(taps.run()):
        await until(lambda: commands(valkey))


async def test_with_redis_away_wanting_raises_and_dropping_does_not(own_valkey, runtimes):
    redis = connect(own_valkey.url)
    taps = Taps(redis, KEYS, "node-1", runtimes.of)
    own_valkey.kill()
    with pytest.raises((RedisError, OSError)):
        await taps.want(CALL, "u1", "Ada")
    await taps.drop(CALL)
    await redis.aclose()


async def test_after_an_outage_taps_are_there_again_and_the_runtimes_are_woken(own_valkey, runtimes, quickly):
    redis = connect(own_valkey.url)
    taps = Taps(redis, KEYS, "node-1", runtimes.of)
    await taps.want(CALL, "u1", "Ada")
    async with running(taps.run()):
        own_valkey.kill()
        await until(lambda: asyncio.sleep(0, result=taps._asked[CALL] is None))
        own_valkey.start()

        async def woken() -> bool:
            return taps._asked[CALL] == "r1" and await redis.zcard(KEYS.tap(CALL)) == 1

        await until(woken)
    assert len(await commands(redis)) >= 1
    await redis.aclose()
