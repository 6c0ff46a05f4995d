"""Ending a call: through Redis to its runtime, and back as an event, or a word on why not."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from livemon.calls.feed import State
from livemon.control.outcomes import Declined, NoAnswer, RedisAway, TooMany
from livemon_runtime import Refusal, Runtime
from livemon_runtime.keys import Keys
from tests.calls.conftest import Nodes
from tests.calls.live_part import LivePart, RawRuntime, live_part, quick, until
from tests.conftest import ValkeyProcess

WHO = ("u-1", "Grace")


@pytest.fixture
async def bot(valkey_url: str, keys: Keys) -> AsyncIterator[Runtime]:
    """A runtime as bots have it, ready for commands."""
    async with Runtime(valkey_url, name="front-desk", workspace=keys.workspace) as running:
        await running.alive.wait()
        yield running


async def commands_to(runtime: RawRuntime, count: int = 1) -> list[dict]:
    """What was sent to the runtime, once so many have come."""
    key = runtime.keys.commands(runtime.runtime_id)
    await until(lambda: _as_many(runtime, key, count))
    return [json.loads(fields[b"data"]) for _, fields in await runtime.redis.xrange(key)]


async def _as_many(runtime: RawRuntime, key: str, count: int) -> bool:
    return await runtime.redis.xlen(key) >= count


async def answer(runtime: RawRuntime, command: dict, **result) -> None:
    data = {"command_id": command["command_id"], "call_id": command["call_id"], "ok": True, **result}
    await runtime.say("command_result", command["call_id"], json.dumps(data))


def outcomes(part: LivePart, outcome: str) -> float:
    return part.count("livemon_commands", type="end", outcome=outcome)


# --- done


async def test_end_ends_the_call_for_everyone(part: LivePart, bot: Runtime):
    call = bot.call(call_id="call-1")
    hung_up = asyncio.Event()

    @call.on_end
    async def hang_up(_command):
        hung_up.set()

    await part.call(capabilities=["end"])
    await part.control.end("call-1", *WHO)
    assert hung_up.is_set()
    assert (await part.ended()).call.disconnection_reason == "manual_stopped"
    assert outcomes(part, "ok") == 1
    assert len(part.control) == 0


async def test_the_command_says_who_asks_and_until_when(part: LivePart, runtime: RawRuntime):
    await runtime.announce()
    await part.call()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(part.control.end("call-1", "u-1", "Grace " * 200))
        (command,) = await commands_to(runtime)
        await answer(runtime, command)
    assert (command["type"], command["call_id"], command["by"]) == ("end", "call-1", "u-1")
    assert len(command["by_name"]) == 512
    assert 0 < command["deadline"] - part.calls.now() <= 5_000


async def test_twice_is_harmless(part: LivePart, bot: Runtime):
    call = bot.call(call_id="call-1")
    asked = []

    @call.on_end
    async def hang_up(command):
        asked.append(command.command_id)

    await part.call(capabilities=["end"])
    await asyncio.gather(*(part.control.end("call-1", *WHO) for _ in range(3)))
    await part.control.end("call-1", *WHO)
    assert (await part.ended()).call.disconnection_reason == "manual_stopped"
    assert outcomes(part, "ok") == 4
    assert sum(change.now.over for change in part.changes) == 1


async def test_a_call_that_has_ended_already_is_ended(part: LivePart, runtime: RawRuntime):
    await runtime.announce()
    await runtime.end()
    await part.ended()
    await part.control.end("call-1", *WHO)
    assert await runtime.redis.xlen(runtime.keys.commands("rt-1")) == 0, "nobody is asked"


async def test_a_call_that_ends_while_the_runtime_is_being_asked_is_ended(part: LivePart, runtime: RawRuntime):
    await runtime.announce()
    await part.call()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(part.control.end("call-1", *WHO))
        await commands_to(runtime)
        await runtime.end(reason="user_hangup")
    assert outcomes(part, "ok") == 1


async def test_already_ended_is_as_good_as_ended(part: LivePart, runtime: RawRuntime):
    await runtime.announce()
    await part.call()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(part.control.end("call-1", *WHO))
        (command,) = await commands_to(runtime)
        await answer(runtime, command, ok=False, error={"code": "already_ended", "message": ""})


async def test_an_end_that_only_redis_knows_of_by_the_deadline_counts(node: Nodes, runtime: RawRuntime):
    """The events were lost: at the deadline Redis is asked once more."""
    async with node(deadline_ms=300) as part:
        runtime.revs["call-1"] = ("i1", 0)
        await runtime.announce()
        await part.call()
        async with asyncio.TaskGroup() as tasks:
            ending = tasks.create_task(part.control.end("call-1", *WHO))
            await commands_to(runtime)
            part.calls.registry._forget("call-1")
            await runtime.end(told=False)
        assert ending.exception() is None


# --- not done


async def test_a_call_that_nobody_knows_is_not_found(part: LivePart):
    with pytest.raises(Declined, match="probably over") as caught:
        await part.control.end("call-9", *WHO)
    assert caught.value.code == "not_found"
    assert outcomes(part, "not_found") == 1


@pytest.mark.parametrize("name", ["call-1:transcript", "", "a b"])
async def test_what_is_no_calls_name_is_not_found(part: LivePart, name: str):
    with pytest.raises(Declined, match="probably over"):
        await part.control.end(name, *WHO)


async def test_a_runtime_that_cannot_end_calls_is_not_asked(part: LivePart, runtime: RawRuntime):
    await runtime.announce(capabilities=["listen"])
    await part.call()
    with pytest.raises(Declined, match="cannot do that"):
        await part.control.end("call-1", *WHO)
    assert await runtime.redis.xlen(runtime.keys.commands("rt-1")) == 0


async def test_a_refusal_is_passed_on_with_its_reason_and_the_call_goes_on(part: LivePart, bot: Runtime):
    call = bot.call(call_id="call-1")

    @call.on_end
    async def hang_up(_command):
        raise Refusal("An emergency call stays up")

    await part.call(capabilities=["end"])
    with pytest.raises(Declined, match=r"refused: An emergency call stays up\. The call goes on") as caught:
        await part.control.end("call-1", *WHO)
    assert caught.value.code == "refused"
    assert part.calls.get("call-1").listed
    assert outcomes(part, "refused") == 1


async def test_an_error_that_only_the_runtime_knows_is_passed_on_and_counted_as_other(
    part: LivePart, runtime: RawRuntime
):
    await runtime.announce()
    await part.call()
    ending = asyncio.create_task(part.control.end("call-1", *WHO))
    (command,) = await commands_to(runtime)
    await answer(runtime, command, ok=False, error={"code": "carrier_busy", "message": "busy"})
    with pytest.raises(Declined, match="said no: busy") as caught:
        await ending
    assert caught.value.code == "carrier_busy"
    assert outcomes(part, "other") == 1


async def test_a_no_without_a_reason_is_a_failure(part: LivePart, runtime: RawRuntime):
    await runtime.announce()
    await part.call()
    ending = asyncio.create_task(part.control.end("call-1", *WHO))
    (command,) = await commands_to(runtime)
    await answer(runtime, command, ok=False)
    with pytest.raises(Declined, match="gave no reason"):
        await ending


async def test_a_runtime_that_does_not_answer_is_told_after_the_deadline(node: Nodes, runtime: RawRuntime):
    async with node(deadline_ms=200) as part:
        await runtime.announce()
        await part.call()
        with pytest.raises(NoAnswer, match="the call goes on"):
            await part.control.end("call-1", *WHO)
        assert part.calls.get("call-1").listed
        assert outcomes(part, "no_answer") == 1
        assert len(part.control) == 0, "the next attempt is free"


async def test_a_call_of_which_the_registry_knows_nothing_is_not_taken_for_ended_without_an_answer(
    node: Nodes, runtime: RawRuntime
):
    async with node(deadline_ms=200) as part:
        await runtime.announce(call_status="ongoing")
        await part.call()
        part.calls.registry._forget("call-1")
        with pytest.raises(NoAnswer):
            await part.control.end("call-1", *WHO)


async def test_answers_to_others_and_for_other_calls_are_not_taken(node: Nodes, runtime: RawRuntime):
    async with node(deadline_ms=1_000) as part:
        await runtime.announce()
        await part.call()
        ending = asyncio.create_task(part.control.end("call-1", *WHO))
        (command,) = await commands_to(runtime)
        await answer(runtime, {**command, "command_id": "another"})
        await answer(runtime, {**command, "call_id": "call-2"})
        with pytest.raises(NoAnswer):
            await ending


async def test_an_answer_that_comes_too_late_or_twice_does_no_harm(node: Nodes, runtime: RawRuntime):
    async with node(deadline_ms=200) as part:
        await runtime.announce()
        await part.call()
        with pytest.raises(NoAnswer):
            await part.control.end("call-1", *WHO)
        (command,) = await commands_to(runtime)
        await answer(runtime, command)
        ending = asyncio.create_task(part.control.end("call-1", *WHO))
        second = (await commands_to(runtime, 2))[1]
        await answer(runtime, second)
        await answer(runtime, second)
        await ending


async def test_a_runtime_that_is_not_reporting_is_sent_nothing(part: LivePart, runtime: RawRuntime):
    await runtime.announce()
    await part.call()
    await runtime.gone()
    with pytest.raises(NoAnswer, match="not reporting"):
        await part.control.end("call-1", *WHO)
    assert await runtime.redis.xlen(runtime.keys.commands("rt-1")) == 0


async def test_with_redis_away_nobody_says_that_it_was_done(own_valkey: ValkeyProcess, keys: Keys):
    async with live_part(own_valkey.url, keys) as part:
        runtime = RawRuntime(part.redis, keys)
        await runtime.alive()
        await runtime.announce()
        await part.call()
        await asyncio.to_thread(own_valkey.kill)
        with pytest.raises(RedisAway):
            await part.control.end("call-1", *WHO)
        with pytest.raises(RedisAway):
            await part.control.end("not-here", *WHO)
        assert outcomes(part, "redis_away") == 2


async def test_a_redis_that_is_back_is_no_outage(own_valkey: ValkeyProcess, keys: Keys):
    """The connections from before are dead, and the first command on one of them finds it out."""
    async with (
        Runtime(own_valkey.url, name="front-desk", workspace=keys.workspace) as bot,
        live_part(own_valkey.url, keys, timing=quick()) as part,
    ):
        bot.call(call_id="call-1").on_end(lambda: None)
        await part.call(capabilities=["end"])
        await asyncio.gather(*(part.redis.ping() for _ in range(10)))
        await asyncio.to_thread(own_valkey.stop)
        await until(lambda: part.calls.state.state is State.STALE)
        with pytest.raises(RedisAway):
            await part.control.end("call-1", *WHO)
        await asyncio.to_thread(own_valkey.start)
        await until(lambda: part.calls.state.state is State.LIVE)
        await part.control.end("call-1", *WHO)
        assert (await part.ended()).call.disconnection_reason == "manual_stopped"


async def test_redis_that_goes_away_while_the_answer_is_awaited_is_told_as_that(own_valkey: ValkeyProcess, keys: Keys):
    async with live_part(own_valkey.url, keys, timing=quick(), deadline_ms=500) as part:
        runtime = RawRuntime(part.redis, keys)
        await runtime.alive()
        await runtime.announce()
        await part.call()
        ending = asyncio.create_task(part.control.end("call-1", *WHO))
        await commands_to(runtime)
        await asyncio.to_thread(own_valkey.kill)
        with pytest.raises(RedisAway, match="not known whether"):
            await ending


async def test_more_commands_than_may_wait_are_refused(
    part: LivePart, runtime: RawRuntime, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("livemon.control.commands.MAX_WAITING", 1)
    await runtime.announce()
    await part.call()
    first = asyncio.create_task(part.control.end("call-1", *WHO))
    (command,) = await commands_to(runtime)
    with pytest.raises(TooMany):
        await part.control.end("call-1", *WHO)
    await answer(runtime, command)
    await first
    assert len(part.control) == 0


async def test_who_asks_and_leaves_is_forgotten_and_not_counted_as_done(part: LivePart, runtime: RawRuntime):
    await runtime.announce()
    await part.call()
    ending = asyncio.create_task(part.control.end("call-1", *WHO))
    await commands_to(runtime)
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    assert len(part.control) == 0
    assert (outcomes(part, "ok"), outcomes(part, "broken_off")) == (0, 1)


async def test_commands_are_not_kept_without_bound(part: LivePart, runtime: RawRuntime):
    await runtime.announce()
    await part.call()
    pipeline = runtime.redis.pipeline(transaction=False)
    for _ in range(3_000):
        pipeline.xadd(runtime.keys.commands("rt-1"), {"data": "old"})
    await pipeline.execute()
    ending = asyncio.create_task(part.control.end("call-1", *WHO))
    await until(lambda: _newest(runtime))
    assert await runtime.redis.xlen(runtime.keys.commands("rt-1")) < 1_300
    await answer(runtime, await _newest(runtime))
    await ending


async def _newest(runtime: RawRuntime) -> dict | None:
    ((_, fields),) = await runtime.redis.xrevrange(runtime.keys.commands("rt-1"), count=1)
    return json.loads(fields[b"data"]) if fields[b"data"] != b"old" else None
