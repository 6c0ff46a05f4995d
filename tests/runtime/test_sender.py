"""Redis away, slow or losing answers: the bot is never kept waiting, nothing is lost or doubled, and the order stays."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator

import pytest
import redis.asyncio

from livemon_runtime import Audio, Call, Runtime
from livemon_runtime.keys import Keys
from livemon_runtime.scripts import script
from tests.conftest import ValkeyProcess
from tests.runtime.conftest import Livemon, eventually
from tests.runtime.lossy_proxy import LossyProxy, lossy_proxy


@pytest.fixture
async def proxy(valkey_server: ValkeyProcess, valkey_url: str) -> AsyncIterator[LossyProxy]:
    """Between the runtime and Valkey."""
    async with lossy_proxy(valkey_server.port) as running:
        yield running


@pytest.fixture
async def remote(proxy: LossyProxy) -> AsyncIterator[Runtime]:
    """A runtime that reaches Valkey through the proxy."""
    async with Runtime(proxy.url, name="remote") as running:
        yield running


async def has(livemon: Livemon, call_id: str, contents: list[str]) -> bool:
    return await livemon.contents(call_id) == contents


async def test_an_append_whose_answer_is_lost_is_not_doubled(
    proxy: LossyProxy, livemon: Livemon, remote: Runtime
) -> None:
    call = remote.call(call_id="c-1")
    call.user_turn().final("one")
    await eventually(lambda: has(livemon, "c-1", ["one"]))
    proxy.lose_answer_to(script("append").sha.encode())
    call.user_turn().final("two")
    await asyncio.wait_for(proxy.lost.wait(), 60)
    call.user_turn().final("three")
    await eventually(lambda: has(livemon, "c-1", ["one", "two", "three"]))
    await asyncio.wait_for(remote.sender.drained(), 60)
    assert await livemon.contents("c-1") == ["one", "two", "three"]
    assert await livemon.numbers("c-1") == ["1-0", "2-0", "3-0"]


async def test_an_announcement_whose_answer_is_lost_is_one_and_later_changes_come_too(
    proxy: LossyProxy, livemon: Livemon, remote: Runtime
) -> None:
    proxy.lose_answer_to(script("announce").sha.encode())
    call = remote.call(call_id="c-1", agent_name="Ada")
    await asyncio.wait_for(proxy.lost.wait(), 60)
    call.update(agent_name="Theo")  # said while it is not known that the first one has come
    await eventually(lambda: livemon.events("call_updated"))
    events = await livemon.events()
    assert [(event["type"], event["rev"]) for event in events] == [("call_started", "1"), ("call_updated", "2")]
    assert [event["data"]["call"]["agent_name"] for event in events] == ["Ada", "Theo"]


async def test_an_end_whose_answer_is_lost_is_one(proxy: LossyProxy, livemon: Livemon, remote: Runtime) -> None:
    call = remote.call(call_id="c-1")
    await eventually(lambda: livemon.call("c-1"))
    proxy.lose_answer_to(script("end").sha.encode())
    call.end("user_hangup")
    await asyncio.wait_for(proxy.lost.wait(), 60)
    await asyncio.wait_for(remote.sender.drained(), 60)
    assert [event["type"] for event in await livemon.events()] == ["call_started", "call_ended"]


async def test_while_redis_is_frozen_the_bots_loop_goes_on_and_everything_comes_after(
    own_valkey: ValkeyProcess,
) -> None:
    client = redis.asyncio.Redis.from_url(own_valkey.url)
    livemon = Livemon(client, Keys())
    async with Runtime(own_valkey.url, name="front-desk", socket_timeout=1, drain_timeout=20) as runtime:
        call = runtime.call(call_id="c-1", audio=Audio(caller="l16/16000", agent="l16/16000"))
        call.user_turn().final("before")
        await eventually(lambda: has(livemon, "c-1", ["before"]))
        assert own_valkey.process
        os.kill(own_valkey.process.pid, signal.SIGSTOP)
        try:
            longest_call, longest_step = await speak(call, 2.5)
        finally:
            os.kill(own_valkey.process.pid, signal.SIGCONT)
        print(f"longest call of the SDK {longest_call * 1000:.2f} ms, longest step of the loop {longest_step:.3f} s")
        said = ["before", *(str(number) for number in range(call_count(call)))]
        await eventually(lambda: has(livemon, "c-1", said))
        assert await livemon.numbers("c-1") == [f"{n + 1}-0" for n in range(len(said))]
    await client.aclose()


def call_count(call: Call) -> int:
    return call.record.outbox.last - 1


async def speak(call: Call, seconds: float) -> tuple[float, float]:
    """Say everything that a call can, 40 times a second; the longest that one word, and one step of the loop, took."""
    longest_call = longest_step = 0.0
    number = 0
    call.voices.caller_on = True
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.perf_counter()
        turn = call.agent_turn()
        assert turn.partial(str(number)) is None
        assert turn.final(str(number)) is None
        assert call.update(metadata={"number": number}) is None
        assert call.caller_audio(bytes(640)) is None
        number += 1
        said = time.perf_counter()
        await asyncio.sleep(0.025)
        longest_call = max(longest_call, (said - began) / 4)
        longest_step = max(longest_step, time.perf_counter() - said)
    assert number > 10, "the loop stood still"
    return longest_call, longest_step


async def test_a_killed_redis_that_comes_back_with_less_has_all_again(own_valkey: ValkeyProcess) -> None:
    client = redis.asyncio.Redis.from_url(own_valkey.url)
    livemon = Livemon(client, Keys())
    async with Runtime(own_valkey.url, name="front-desk", drain_timeout=20) as runtime:
        call = runtime.call(call_id="c-1")
        for number in range(50):
            call.dtmf(str(number % 10))
        await asyncio.wait_for(runtime.sender.drained(), 60)
        own_valkey.kill()
        call.user_turn().final("unheard")
        for file in (own_valkey.folder / "appendonlydir").iterdir():
            file.unlink()
        own_valkey.start()
        await eventually(lambda: has_count(livemon, 51))
        (event,) = await livemon.events("call_started")
        assert event["data"]["resumed"] is True
        assert await livemon.numbers("c-1") == [f"{n}-0" for n in range(1, 52)]
    await client.aclose()


async def has_count(livemon: Livemon, count: int) -> bool:
    return len(await livemon.transcript("c-1")) == count


async def test_past_the_limit_a_note_says_how_many_entries_were_lost(own_valkey: ValkeyProcess) -> None:
    own_valkey.stop()
    async with Runtime(own_valkey.url, name="front-desk", drain_timeout=30) as runtime:
        call = runtime.call(call_id="c-1")
        entry = b'{"id": "%d", "role": "dtmf", "time_ms": 1, "digit": "1"}'
        for number in range(10_020):  # past the limit of 100 a second, which is another promise
            call.record.add(entry % number, 1)
        own_valkey.start()
        client = redis.asyncio.Redis.from_url(own_valkey.url)
        livemon = Livemon(client, Keys())
        await eventually(lambda: has_count(livemon, 10_001), 90)
        entries = await livemon.transcript("c-1")
        await client.aclose()
    assert entries[0]["role"] == "note"
    assert entries[0]["content"].startswith("20 transcript entries were lost")
    assert [entry["id"] for entry in entries[1:]] == [str(number) for number in range(20, 10_020)]


async def test_scripts_that_redis_has_forgotten_are_loaded_again(
    livemon: Livemon, runtime: Runtime, valkey: redis.asyncio.Redis
) -> None:
    call = runtime.call(call_id="c-1")
    await eventually(lambda: livemon.call("c-1"))
    await valkey.script_flush()
    call.user_turn().final("still there")
    await eventually(lambda: has(livemon, "c-1", ["still there"]))


async def test_a_key_of_another_kind_holds_up_its_call_alone_and_is_counted(
    livemon: Livemon, runtime: Runtime, valkey: redis.asyncio.Redis
) -> None:
    await valkey.set(livemon.keys.call("bad"), "a string")
    runtime.call(call_id="bad").user_turn().final("unheard")
    runtime.call(call_id="good").user_turn().final("heard")
    await eventually(lambda: has(livemon, "good", ["heard"]))
    await eventually(lambda: counted(runtime, "refused_by_redis"))
    await valkey.delete(livemon.keys.call("bad"))
    await eventually(lambda: has(livemon, "bad", ["unheard"]))


async def counted(runtime: Runtime, reason: str) -> bool:
    return runtime.counters[reason] > 0
