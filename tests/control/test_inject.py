"""Giving an agent context: once, through Redis to its runtime, and a word on why not."""

import asyncio

import pytest

from livemon.control.outcomes import Declined, NoAnswer, RedisAway
from livemon_runtime import Refusal, Runtime
from livemon_runtime.keys import Keys
from livemon_runtime.protocol import InjectCommand
from tests.calls.conftest import Nodes
from tests.calls.live_part import LivePart, RawRuntime, live_part
from tests.conftest import ValkeyProcess
from tests.control.test_commands import answer, bot, commands_to

__all__ = ["bot"]

WHO = ("u-1", "Grace")


async def inject(part: LivePart, content: str = "Offer Tuesday.", *, trigger_response: bool = False) -> None:
    await part.control.inject("call-1", content, *WHO, trigger_response=trigger_response)


def outcomes(part: LivePart, outcome: str) -> float:
    return part.count("livemon_commands", type="inject", outcome=outcome)


@pytest.mark.parametrize("trigger_response", [True, False])
async def test_the_agent_is_told_who_says_what_and_whether_to_answer(
    part: LivePart, bot: Runtime, trigger_response: bool
):
    told: list[InjectCommand] = []
    bot.call(call_id="call-1").on_inject(told.append)
    await part.call(capabilities=["inject"])
    await inject(part, trigger_response=trigger_response)
    (command,) = told
    assert (command.content, command.trigger_response) == ("Offer Tuesday.", trigger_response)
    assert (command.by, command.by_name) == WHO
    assert outcomes(part, "ok") == 1
    assert len(part.control) == 0


async def test_it_is_sent_once_however_long_the_answer_takes(node: Nodes, runtime: RawRuntime):
    async with node(deadline_ms=200) as part:
        await runtime.announce(capabilities=["inject"])
        await part.call()
        with pytest.raises(NoAnswer, match="not known whether the agent was told"):
            await inject(part)
        assert len(await commands_to(runtime)) == 1
        assert outcomes(part, "no_answer") == 1


async def test_a_runtime_that_takes_no_context_is_not_asked(part: LivePart, runtime: RawRuntime):
    await runtime.announce(capabilities=["end", "listen"])
    await part.call()
    with pytest.raises(Declined, match="cannot do that") as caught:
        await inject(part)
    assert caught.value.code == "unsupported"
    assert await runtime.redis.xlen(runtime.keys.commands("rt-1")) == 0


async def test_a_refusal_comes_with_its_reason(part: LivePart, bot: Runtime):
    @bot.call(call_id="call-1").on_inject
    def take(_command: InjectCommand) -> None:
        raise Refusal("A supervisor has the caller")

    await part.call(capabilities=["inject"])
    with pytest.raises(Declined, match=r"refused: A supervisor has the caller\. The call goes on") as caught:
        await inject(part)
    assert caught.value.code == "refused"


async def test_a_call_that_is_over_is_told_nothing(part: LivePart, runtime: RawRuntime):
    await runtime.announce(capabilities=["inject"])
    await runtime.end()
    await part.ended()
    with pytest.raises(Declined) as caught:
        await inject(part)
    assert caught.value.code == "already_ended"
    assert await runtime.redis.xlen(runtime.keys.commands("rt-1")) == 0


async def test_a_call_that_ends_meanwhile_is_no_success(part: LivePart, runtime: RawRuntime):
    await runtime.announce(capabilities=["inject"])
    await part.call()
    asking = asyncio.create_task(inject(part))
    await commands_to(runtime)
    await runtime.end(reason="user_hangup")
    with pytest.raises(Declined) as caught:
        await asking
    assert caught.value.code == "already_ended"
    assert outcomes(part, "already_ended") == 1


async def test_already_ended_is_no_success_either(part: LivePart, runtime: RawRuntime):
    await runtime.announce(capabilities=["inject"])
    await part.call()
    asking = asyncio.create_task(inject(part))
    (command,) = await commands_to(runtime)
    await answer(runtime, command, ok=False, error={"code": "already_ended", "message": ""})
    with pytest.raises(Declined):
        await asking


async def test_with_redis_away_nobody_says_that_the_agent_was_told(own_valkey: ValkeyProcess, keys: Keys):
    async with live_part(own_valkey.url, keys) as part:
        runtime = RawRuntime(part.redis, keys)
        await runtime.alive()
        await runtime.announce(capabilities=["inject"])
        await part.call()
        await asyncio.to_thread(own_valkey.kill)
        with pytest.raises(RedisAway, match="whether the agent was told"):
            await inject(part)
