"""What the SDK's documents say is so: their examples run, and their page of scripts holds the scripts."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import redis.asyncio

from livemon_runtime import Audio, Runtime
from livemon_runtime.keys import Keys
from livemon_runtime.rtp import RtpPacket
from livemon_runtime.scripts import NAMES, script
from tests.runtime.conftest import Livemon

ROOT = Path(__file__).parents[2]
KEYS = Keys()


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


def test_the_page_of_scripts_is_made_from_the_scripts():
    done = subprocess.run(
        [sys.executable, "scripts/protocol_scripts.py", "--check"], cwd=ROOT, timeout=180, check=False
    )
    assert done.returncode == 0, "run scripts/protocol_scripts.py"


@pytest.mark.parametrize("name", NAMES)
async def test_a_script_taken_from_the_page_is_the_one_that_the_sdk_runs(name: str, valkey: redis.asyncio.Redis):
    """Whoever writes another runtime gets the same SHA from the page's text."""
    common, *others = blocks("docs/protocol-scripts.md", "lua")
    text = dict(zip(NAMES, others, strict=True))[name]
    assert await valkey.script_load(common + text) == script(name).sha


async def entries_of(valkey: redis.asyncio.Redis, call_id: str) -> list[dict[bytes, bytes]]:
    return [fields for _, fields in await valkey.xrange(KEYS.transcript(call_id))]


async def until(found: Any, timeout: float = 20) -> Any:
    """What `found` gives, once it is something."""
    async with asyncio.timeout(timeout):
        while not (what := await found()):
            await asyncio.sleep(0.02)
    return what


async def test_the_sdks_example_runs_and_its_call_is_seen_and_ended(valkey_url: str, valkey: redis.asyncio.Redis):
    example, _ = blocks("runtime/README.md", "python")
    names: dict[str, Any] = {}
    exec(compile(example.replace("redis://127.0.0.1:6379", valkey_url), "runtime/README.md", "exec"), names)
    hang_up = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        answering = tasks.create_task(names["answer"](hang_up))
        (call_id,) = await until(lambda: valkey.zrange(KEYS.calls, 0, -1))
        (entry,) = await until(lambda: entries_of(valkey, call_id.decode()))
        assert b"Good morning, how can I help?" in entry[b"data"]
        hang_up.set()
        await answering
    assert await valkey.zcard(KEYS.calls) == 0


async def test_the_sdks_example_of_a_take_over_hands_the_supervisors_voice_to_the_bot(
    valkey_url: str, valkey: redis.asyncio.Redis
):
    """`agent` and `phone` are the reader's own."""
    _, example = blocks("runtime/README.md", "python")
    silent: list[bool] = []
    played: list[bytes] = []
    async with Runtime(valkey_url, name="front-desk") as runtime:
        call = runtime.call(call_id="c-1", audio=Audio(caller="pcmu", agent="pcmu"))
        agent = SimpleNamespace(be_silent=silent.append)
        phone = SimpleNamespace(play=played.append, hold_music=lambda lost: None)
        exec(example, {"call": call, "agent": agent, "phone": phone})
        livemon = Livemon(valkey, KEYS)
        await until(lambda: livemon.call("c-1"))
        await livemon.claim("c-1", "k-1")
        assert (await livemon.ask(runtime, call, "take_over", claim_id="k-1", generation=1, grace_ms=30_000))["ok"]
        packet = RtpPacket(0, 1, 160, 7, b"\x55" * 160).pack()
        await until(lambda: valkey.execute_command("SPUBLISH", KEYS.supervisor("c-1", "k-1"), packet))
        await until(lambda: asyncio.sleep(0, played))
    assert (silent, played) == ([True], [b"\x55" * 160])


async def test_the_readmes_example_runs(valkey_url: str, valkey: redis.asyncio.Redis):
    """`hang_up` and `packet` are the reader's own; everything else stands there."""
    (example,) = blocks("README.md", "python")
    body = example.replace("redis://127.0.0.1:6379", valkey_url)
    head, *lines = body.splitlines(keepends=True)
    source = head + "async def run(hang_up, packet):\n" + "".join(f"    {line}" for line in lines)
    names: dict[str, Any] = {}
    exec(compile(source, "README.md", "exec"), names)
    ended: list[str] = []
    await names["run"](lambda: ended.append("hung up"), b"\xf8\xff\xfe")
    events = await valkey.xrange(KEYS.events)
    assert [fields[b"type"] for _, fields in events][0 :: len(events) - 1] == [b"call_started", b"call_ended"]
    call_id = events[0][1][b"call_id"].decode()
    said = b"".join(fields[b"data"] for fields in await entries_of(valkey, call_id))
    assert b"Is table 4 free?" in said
    assert b"Let me look." in said
