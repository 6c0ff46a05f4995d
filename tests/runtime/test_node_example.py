"""The example of a runtime in Node: outages and its end. That it keeps every rule is in test_conform.py."""

import json
import re
from pathlib import Path

import pytest
import redis.asyncio

from livemon_runtime.keys import Keys
from tests.conftest import ValkeyProcess
from tests.node_example import EXAMPLE, install, running
from tests.runtime.conftest import Livemon, eventually


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("node"))


async def test_it_outlives_redis_and_tells_it_all_that_was_said_meanwhile(program: Path, own_valkey: ValkeyProcess):
    async with running(program, own_valkey.url) as example:
        call_id = (await example.says("it rings")).split(":")[0]
        own_valkey.kill()
        await example.says("calls go on")
        own_valkey.start()
        client = redis.asyncio.Redis.from_url(own_valkey.url)
        livemon = Livemon(client, Keys())

        async def several() -> bool:
            return len(await livemon.contents(call_id)) >= 4

        await eventually(several)
        numbers = await livemon.numbers(call_id)
        assert numbers == [f"{n}-0" for n in range(1, len(numbers) + 1)]
        ids = [entry["id"] for entry in await livemon.transcript(call_id)]
        assert ids == [f"e-{n}" for n in range(1, len(ids) + 1)]
        await client.aclose()


async def test_stopped_in_order_it_ends_its_call_and_takes_its_keys_away(
    program: Path, valkey: redis.asyncio.Redis, valkey_url: str, livemon: Livemon
):
    async with running(program, valkey_url) as example:
        call_id, runtime_id = re.findall(r"^(.+): it rings, runtime (.+)$", await example.says("it rings"))[0]
        await eventually(lambda: livemon.status(call_id))
    assert await livemon.status(call_id) == "ended"
    assert await livemon.listed() == []
    assert await valkey.keys(f"*{runtime_id}*") == []


def test_its_dependencies_are_pinned_and_name_no_registry():
    wanted = json.loads((EXAMPLE / "package.json").read_text())["dependencies"]
    pinned = json.loads((EXAMPLE / "npm-shrinkwrap.json").read_text())["packages"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())
    for name, package in pinned.items():
        assert "resolved" not in package
        assert not name or package["integrity"].startswith("sha512-")
