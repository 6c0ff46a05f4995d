"""Ending a lost call by script: only if its runtime is still missing and the call is as it was read."""

import pytest

from livemon.calls.ending import end_lost
from livemon.calls.registry import LiveCall
from tests.calls.live_part import RawRuntime
from tests.calls.making import START, live

NOW = START + 60_000


async def as_read(runtime: RawRuntime) -> LiveCall:
    incarnation, rev = runtime.revs["call-1"]
    return live(incarnation=incarnation, rev=rev)


async def test_it_ends_the_call_once(runtime: RawRuntime):
    await runtime.announce()
    await runtime.append("call-1", 1, id="t", role="agent", content="Hello", time_ms=1)
    await runtime.gone()
    known = await as_read(runtime)
    assert [await end_lost(runtime.redis, runtime.keys, known, NOW) for _ in range(2)] == [True, False]
    stored = await runtime.redis.hgetall(runtime.keys.call("call-1"))
    assert (stored[b"rev"], stored[b"controller"], stored[b"claim"]) == (b"2", b"", b"")
    assert b"runtime_lost" in stored[b"data"]
    assert await runtime.redis.zcard(runtime.keys.calls) == 0
    for key in (runtime.keys.call("call-1"), runtime.keys.transcript("call-1")):
        assert 0 < await runtime.redis.ttl(key) <= 3_600


async def alive_again(runtime: RawRuntime) -> None:
    await runtime.alive()


async def changed(runtime: RawRuntime) -> None:
    await runtime.update(agent_name="Ada")


async def announced_anew(runtime: RawRuntime) -> None:
    await runtime.announce(resumed=True)


async def lost_by_redis(runtime: RawRuntime) -> None:
    await runtime.redis.delete(runtime.keys.call("call-1"))


@pytest.mark.parametrize("meanwhile", [alive_again, changed, announced_anew, lost_by_redis])
async def test_it_leaves_a_call_alone_of_which_something_was_heard_meanwhile(runtime: RawRuntime, meanwhile):
    await runtime.announce()
    await runtime.gone()
    known = await as_read(runtime)
    await meanwhile(runtime)
    before = await runtime.redis.xlen(runtime.keys.events), await runtime.redis.hgetall(runtime.keys.call("call-1"))
    assert await end_lost(runtime.redis, runtime.keys, known, NOW) is False
    assert before == (
        await runtime.redis.xlen(runtime.keys.events),
        await runtime.redis.hgetall(runtime.keys.call("call-1")),
    )
