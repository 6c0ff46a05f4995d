"""A runtime written from docs/protocol.md and docs/protocol-scripts.md alone, with redis-py and nothing of ours.

livemon shows its calls as it shows the SDK's: whoever writes a runtime in another language has all that is needed.
"""

import asyncio
import hashlib
import json
import re
import secrets
import struct
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio

from livemon.calls.feed import CallFeed
from livemon.calls.presence import Presence
from livemon.calls.transcript_feed import Transcripts
from livemon.control.commands import Control
from livemon.redis_client import connect
from livemon_runtime.keys import Keys
from tests.runtime.conftest import Livemon, eventually

PAGE = (Path(__file__).parents[2] / "docs" / "protocol-scripts.md").read_text("utf-8")


def lua(name: str) -> str:
    """A script's text as the page prints it."""
    found = re.search(rf"^## {name}\n.*?^```lua\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"the page has no {name}"
    return found[1]


class RawRuntime:
    """One call, `raw-1`, of a runtime `raw`, as the page says."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self.redis = client
        self.sha: dict[str, str] = {}
        self.incarnation = secrets.token_hex(8)
        self.call: dict[str, Any] = {
            "call_id": "raw-1",
            "call_type": "web_call",
            "start_timestamp": int(time.time() * 1000),
            "call_status": "ongoing",
            "audio": {"caller": "pcmu", "agent": "pcmu"},
            "capabilities": ["listen", "end"],
        }
        self.n = 0
        self.cursor = "0"

    async def load(self) -> None:
        for name in ("announce", "update", "append", "end", "accept", "refuse", "result"):
            self.sha[name] = (await self.redis.script_load(lua("common") + lua(name))) or ""

    async def run(self, name: str, keys: list[str], *arguments: Any) -> list[Any]:
        return await self.redis.evalsha(self.sha[name], len(keys), *keys, *arguments)

    @staticmethod
    def key(name: str) -> str:
        return "livemon:{default}:" + name

    async def heartbeat(self) -> None:
        alive = {"name": "raw", "version": "1", "protocol": 1}
        await self.redis.set(self.key("runtime:raw"), json.dumps(alive), ex=15)

    async def announce(self) -> None:
        keys = ["call:raw-1", "calls", "events", "runtime:raw:calls", "call:raw-1:transcript"]
        start = self.call["start_timestamp"]
        arguments = ("raw-1", "raw", self.incarnation, json.dumps(self.call), start, 0, 0, "?")
        answer = await self.run("announce", [self.key(key) for key in keys], *arguments)
        assert answer == [b"ok", 1, 0, b""]

    async def append(self, *entries: dict[str, Any]) -> None:
        keys = [self.key("call:raw-1:transcript"), self.key("call:raw-1")]
        said = [json.dumps(entry) for entry in entries]
        status, self.n = await self.run("append", keys, self.incarnation, self.n + 1, *said)
        assert status == b"ok"

    async def partial(self, entry: dict[str, Any]) -> None:
        await self.redis.spublish(self.key("call:raw-1:partials"), json.dumps(entry))

    async def command(self) -> dict[str, Any]:
        """The next command to this runtime."""
        while not (answer := await self.redis.xread({self.key("runtime:raw:commands"): self.cursor}, block=1_000)):
            pass
        entry_id, fields = answer[0][1][0]
        self.cursor = entry_id.decode()
        return json.loads(fields[b"data"])

    async def result(self, command: dict[str, Any]) -> None:
        result = {"command_id": command["command_id"], "call_id": "raw-1", "ok": True}
        await self.run("result", [self.key("call:raw-1"), self.key("events")], "raw-1", json.dumps(result))

    async def end(self, reason: str) -> None:
        final = {"call_status": "ended", "end_timestamp": int(time.time() * 1000), "disconnection_reason": reason}
        names = ["call:raw-1", "calls", "events", "runtime:raw:calls", "call:raw-1:transcript", "call:raw-1:tap"]
        data = json.dumps({**self.call, **final})
        status, _ = await self.run("end", [self.key(n) for n in names], "raw-1", self.incarnation, "raw", data)
        assert status == b"ok"

    async def tapped(self) -> bool:
        seconds, microseconds = await self.redis.time()
        newest = await self.redis.zrevrange(self.key("call:raw-1:tap"), 0, 0, withscores=True)
        return bool(newest) and newest[0][1] > seconds * 1000 + microseconds / 1000

    async def speak(self, sequence: int) -> None:
        packet = struct.pack("!BBHII", 0x80, 0, sequence, sequence * 160, 7) + b"\xff" * 160
        await self.redis.spublish("livemon:{default:raw-1}:audio:caller", packet)


@pytest.fixture
async def raw(valkey: redis.asyncio.Redis) -> RawRuntime:
    runtime = RawRuntime(valkey)
    await runtime.load()
    await runtime.heartbeat()
    return runtime


@pytest.fixture
async def node(valkey_url: str) -> AsyncIterator[redis.asyncio.Redis]:
    """livemon's own connection."""
    client = connect(valkey_url)
    yield client
    await client.aclose()


@pytest.fixture
async def feed(node: redis.asyncio.Redis) -> AsyncIterator[CallFeed]:
    following = CallFeed(node, Keys())
    task = asyncio.create_task(following.run())
    yield following
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def live(feed: CallFeed, call_id: str = "raw-1") -> Any:
    return feed.get(call_id)


async def test_livemon_shows_a_raw_runtimes_call_from_its_first_word_to_its_last(
    raw: RawRuntime, feed: CallFeed, node: redis.asyncio.Redis
) -> None:
    presence = Presence(node, Keys(), "node", now=feed.now)
    transcripts = Transcripts(node, Keys(), feed, presence)
    reading = asyncio.create_task(transcripts.run())
    await raw.announce()
    call = await eventually(lambda: live(feed))
    assert call.listed
    async with transcripts.watch(call) as (watched, _):
        await raw.append({"id": "a", "role": "agent", "time_ms": 0, "content": "Good morning", "final": True})
        await eventually(lambda: contents(watched, ["Good morning"]))
        words = {"id": "b", "role": "user", "time_ms": 900, "content": "Is ta", "final": False}

        async def seen() -> bool:
            await raw.partial(words)
            return await contents(watched, ["Good morning", "Is ta"])

        await eventually(seen)
        tool = {"id": "c", "role": "tool_call_invocation", "tool_call_id": "t", "name": "find", "arguments": "{}"}
        await raw.append({**words, "content": "Is table 4 free?", "final": True}, {**tool, "time_ms": 950})
        await eventually(lambda: contents(watched, ["Good morning", "Is table 4 free?", None]))
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await raw.end("user_hangup")
    await eventually(lambda: gone(feed))


async def contents(watched: Any, expected: list[str | None]) -> bool:
    items, _ = watched.transcript.newest(100)
    return [item.get("content") for item in items] == expected


async def gone(feed: CallFeed) -> bool:
    return feed.get("raw-1") is None


async def test_livemon_ends_a_raw_runtimes_call(raw: RawRuntime, feed: CallFeed, node: redis.asyncio.Redis) -> None:
    control = Control(node, Keys(), feed)
    await raw.announce()
    await eventually(lambda: live(feed))
    ending = asyncio.create_task(control.end("raw-1", "u-1", "Grace"))
    command = await asyncio.wait_for(raw.command(), 60)
    assert (command["type"], command["call_id"], command["by_name"]) == ("end", "raw-1", "Grace")
    await raw.end("manual_stopped")
    await raw.result(command)
    await asyncio.wait_for(ending, 60)
    await eventually(lambda: gone(feed))


async def test_a_raw_runtimes_audio_is_asked_for_by_the_tap_alone(raw: RawRuntime, livemon: Livemon) -> None:
    await raw.announce()
    assert not await raw.tapped()
    pubsub = livemon.redis.pubsub(ignore_subscribe_messages=True)
    await pubsub.ssubscribe(livemon.keys.audio("raw-1", "caller"))
    await pubsub.get_message(timeout=5)
    await livemon.redis.zadd(livemon.keys.tap("raw-1"), {"node": await livemon.now() + 15_000})
    await livemon.send("raw", "raw-1", "tap")
    assert (await asyncio.wait_for(raw.command(), 60))["type"] == "tap"
    assert await raw.tapped()
    await raw.speak(1)
    message = await eventually(lambda: pubsub.get_message(ignore_subscribe_messages=True, timeout=1))
    assert message["data"][12:] == b"\xff" * 160
    await pubsub.aclose()


async def test_what_redis_lost_of_a_raw_transcript_is_told_by_append(raw: RawRuntime, livemon: Livemon) -> None:
    await raw.announce()
    entries = [{"id": str(n), "role": "dtmf", "time_ms": n, "digit": "1"} for n in range(1, 6)]
    await raw.append(*entries)
    await livemon.redis.delete(livemon.keys.transcript("raw-1"))
    await raw.append({"id": "6", "role": "dtmf", "time_ms": 6, "digit": "1"})
    assert raw.n == 0, "nothing was added: the transcript stands at 0"
    await raw.append(*entries)
    raw.n = 2
    await raw.append(*entries[2:])
    assert raw.n == 5, "they are in already, and are not doubled"
    assert await livemon.numbers("raw-1") == [f"{n}-0" for n in range(1, 6)]


# --- the page and the files ---------------------------------------------------------------------------------------

FILES = sorted((Path(__file__).parents[2] / "runtime" / "livemon_runtime" / "scripts").glob("*.lua"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_page_prints_each_script_as_its_file_is(file: Path) -> None:
    assert lua(file.stem) == file.read_text("utf-8")


def test_the_page_tells_the_sum_of_each_script() -> None:
    sums = re.findall(r"^SHA-1: `([0-9a-f]{40})`$", PAGE, re.MULTILINE)
    names = re.findall(r"^## (\w+)$", PAGE, re.MULTILINE)[1:]
    assert sums == [hashlib.sha1((lua("common") + lua(name)).encode()).hexdigest() for name in names]
    assert {*names, "common"} == {file.stem for file in FILES}


@pytest.mark.parametrize("file", [file for file in FILES if file.stem != "common"], ids=lambda file: file.name)
def test_the_page_names_as_many_keys_as_the_script_takes(file: Path) -> None:
    header = re.search(r"^-- KEYS (.+)$", file.read_text("utf-8"), re.MULTILINE)
    section = re.search(rf"^## {file.stem}\n.*?^```lua$", PAGE, re.MULTILINE | re.DOTALL)
    assert header
    assert section
    listed = re.findall(r"^\d+\. `livemon:", section[0], re.MULTILINE)
    assert len(listed) == len(header[1].split(", "))
