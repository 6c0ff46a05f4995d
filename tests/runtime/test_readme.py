"""What the READMEs tell an agent's developer is true: their examples run, and the ACL user may do all that is needed."""

import asyncio
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio

from livemon_runtime import Audio, Call, Runtime
from livemon_runtime.keys import Keys
from tests.conftest import ValkeyProcess
from tests.runtime.conftest import Livemon, eventually

ROOT = Path(__file__).parents[2]
OPUS = bytes([0x78]) + b"opus"


def example(readme: str) -> str:
    """The Python of a README as a function that waits for `leave` before its call ends."""
    found = re.search(r"^```python\n(.*?)^```$", (ROOT / readme).read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert found, f"{readme} has no Python example"
    imports, body = found[1].split("\n\n", 1)
    deepest = max(len(line) - len(line.lstrip()) for line in body.splitlines() if line.strip().startswith("call."))
    body += " " * deepest + "await leave(call)\n"
    return f"{imports}\n\nasync def example():\n{textwrap.indent(body, '    ')}"


@pytest.mark.parametrize("readme", ["README.md", "runtime/README.md"])
async def test_the_example_does_what_it_says(livemon: Livemon, valkey_url: str, readme: str) -> None:
    source = example(readme).replace("redis://127.0.0.1:6379", valkey_url)
    left = asyncio.Event()
    seen: dict[str, Any] = {}

    async def leave(call: Call) -> None:
        seen["call"], seen["counters"] = call, call._runtime.counters
        await eventually(lambda: has(livemon, call.call_id, "Let me look."))
        await left.wait()

    async def line() -> None:
        seen["hung up"] = True

    names: dict[str, Any] = {"leave": leave, "hang_up": line, "close_the_line": line}
    names |= {"packet": OPUS, "opus_packet": OPUS, "pcm": bytes(960)}
    exec(compile(source, readme, "exec"), names)  # the reader's own way: as it stands there
    running = asyncio.create_task(names["example"]())
    (call_id,) = await eventually(livemon.listed)
    await eventually(lambda: has(livemon, call_id, "Let me look."))
    stored = await livemon.call(call_id)
    assert stored
    assert stored["data"]["agent_name"] == "Ada"
    assert {"listen", "end"} <= set(stored["data"]["capabilities"])
    command_id = await livemon.send(stored["runtime"], call_id, "end")
    results = await eventually(lambda: livemon.results(command_id))
    assert results[0]["ok"] is True
    assert seen["hung up"] is True
    left.set()
    await asyncio.wait_for(running, 20)
    assert not seen["counters"], "nothing that the example says is dropped"


async def has(livemon: Livemon, call_id: str, content: str) -> bool:
    return content in await livemon.contents(call_id)


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
        await asyncio.wait_for(runtime.sender.drained(), 20)
        turn.final("Hello")
        call.update(metadata={"step": 1})
        for number, accepted in ((1, False), (2, True)):
            call.on_take_over(lambda accepted=accepted: accepted)
            await livemon.claim("c-1", f"k-{number}", generation=number)
            asked = {"claim_id": f"k-{number}", "generation": number, "grace_ms": 1}
            assert (await livemon.ask(runtime, call, "take_over", **asked))["ok"] is accepted
        await livemon.redis.sadd(livemon.keys.runtime_calls(runtime.runtime_id), "stranger")
        await livemon.redis.hincrby(livemon.keys.call("c-1"), "rev", -1)
        await eventually(lambda: livemon.events("call_started"))
        await eventually(lambda: no_stranger(livemon, runtime))
        assert (await livemon.ask(runtime, call, "end"))["ok"] is True
    return runtime


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
    yield own_valkey.url.replace("redis://", "redis://agents:secret@"), Livemon(client, Keys())
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
    assert allowed <= called, f"never called: {allowed - called}"


async def test_the_acl_user_reaches_no_other_workspace(limited: tuple[str, Livemon]) -> None:
    url, livemon = limited
    async with Runtime(url, name="nosy", workspace="other", drain_timeout=0.1) as runtime:
        runtime.call(call_id="c-1")
        await eventually(lambda: is_denied(livemon))
    assert await livemon.redis.exists(Keys("other").call("c-1")) == 0


async def is_denied(livemon: Livemon) -> bool:
    return bool(await denied(livemon))
