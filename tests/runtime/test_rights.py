"""The ACL user that the README gives a runtime may do all that one needs, and no more."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio

from livemon_runtime import Audio, Call, Runtime
from livemon_runtime.keys import Keys
from livemon_runtime.rtp import RtpPacket
from tests.conftest import ValkeyProcess
from tests.runtime.conftest import Livemon, eventually

ROOT = Path(__file__).parents[2]


def acl() -> str:
    found = re.search(r"^ACL SETUSER (.+)$", (ROOT / "runtime/README.md").read_text("utf-8"), re.MULTILINE)
    assert found
    return found[1]


async def live_a_whole_life(url: str, livemon: Livemon) -> Runtime:
    """Everything that a runtime does with Redis, as this user."""
    async with Runtime(url, name="limited", workspace="default") as runtime:
        call = runtime.call(call_id="c-1", audio=Audio(caller="pcmu", agent="pcmu"))
        call.on_take_over(lambda: True)
        call.on_end(lambda: None)
        await eventually(lambda: livemon.call("c-1"))
        await livemon.redis.zadd(livemon.keys.tap("c-1"), {"node": await livemon.now() + 15_000})
        assert (await livemon.ask(runtime, call, "tap"))["ok"]
        await eventually(lambda: tapped(call))
        turn = call.agent_turn()
        turn.partial("Hel")
        call.caller_audio(bytes(160))
        await asyncio.wait_for(runtime.sender.drained(), 60)
        turn.final("Hello")
        call.update(metadata={"step": 1})
        for number, accepted in ((1, False), (2, True), (3, True)):
            call.on_take_over(lambda accepted=accepted: accepted)
            await livemon.claim("c-1", f"k-{number}", generation=number)
            asked = {"claim_id": f"k-{number}", "generation": number, "grace_ms": 30_000}
            assert (await livemon.ask(runtime, call, "take_over", **asked))["ok"] is accepted
            await eventually(lambda number=number, accepted=accepted: hears(livemon, f"k-{number}", accepted))
        await eventually(lambda: hears(livemon, "k-2", False))
        await livemon.redis.sadd(livemon.keys.runtime_calls(runtime.runtime_id), "stranger")
        await livemon.redis.hincrby(livemon.keys.call("c-1"), "rev", -1)
        await eventually(lambda: livemon.events("call_started"))
        await eventually(lambda: no_stranger(livemon, runtime))
        assert (await livemon.ask(runtime, call, "end"))["ok"] is True
    return runtime


async def hears(livemon: Livemon, claim_id: str, expected: bool) -> bool:
    """Whether somebody is subscribed to that claim's voice, as expected."""
    packet = RtpPacket(0, 1, 0, 1, b"x").pack()
    heard = await livemon.redis.execute_command("SPUBLISH", livemon.keys.supervisor("c-1", claim_id), packet)
    return bool(heard) is expected


async def tapped(call: Call) -> bool:
    return call.voices.caller_on


async def no_stranger(livemon: Livemon, runtime: Runtime) -> bool:
    return not await livemon.redis.sismember(livemon.keys.runtime_calls(runtime.runtime_id), "stranger")


@pytest.fixture
async def limited(own_valkey: ValkeyProcess, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A Valkey with the README's user; answers a runtime's address, and livemon's end."""
    monkeypatch.setattr("livemon_runtime.heartbeat.HEARTBEAT_S", 0.3)
    client = redis.asyncio.Redis.from_url(own_valkey.url)
    await client.execute_command("ACL", "SETUSER", *acl().split())
    yield own_valkey.url.replace("redis://", "redis://agent:password@"), Livemon(client, Keys())
    await client.aclose()


async def denied(livemon: Livemon) -> list[str]:
    entries = await livemon.redis.execute_command("ACL", "LOG")
    return [str(entry) for entry in entries]


async def test_the_acl_user_may_do_all_that_a_runtime_needs(limited: tuple[str, Livemon]) -> None:
    url, livemon = limited
    runtime = await live_a_whole_life(url, livemon)
    assert await denied(livemon) == []
    assert not runtime.counters
    assert await livemon.status("c-1") == "ended"


async def test_every_command_that_the_acl_user_has_is_needed(limited: tuple[str, Livemon]) -> None:
    """As Valkey counts what was called, in scripts too."""
    url, livemon = limited
    await livemon.redis.config_resetstat()
    await live_a_whole_life(url, livemon)
    called = {name.removeprefix("cmdstat_") for name in await livemon.redis.info("commandstats")}
    allowed = {word[1:] for word in acl().split() if word.startswith("+")}
    assert allowed - {"select"} <= called, f"never called: {allowed - called}"  # an address with another database


async def test_the_acl_user_reaches_no_other_workspace(limited: tuple[str, Livemon]) -> None:
    url, livemon = limited
    async with Runtime(url, name="nosy", workspace="other", drain_timeout=0.1) as runtime:
        runtime.call(call_id="c-1")
        await eventually(lambda: is_denied(livemon))
    assert await livemon.redis.exists(Keys("other").call("c-1")) == 0


async def is_denied(livemon: Livemon) -> bool:
    return bool(await denied(livemon))
