"""The same node and runtime as the tests of the calls have; its take-overs, and a bot."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from livemon.control.take_overs import TakeOvers
from livemon_runtime import Runtime
from livemon_runtime.keys import Keys
from tests.calls.conftest import keys, node, part, runtime
from tests.calls.live_part import LivePart, running

__all__ = ["keys", "node", "part", "runtime"]


@pytest.fixture
async def take_overs(part: LivePart) -> AsyncIterator[TakeOvers]:
    made = TakeOvers(part.redis, part.keys, part.calls, answer_ms=1_000)
    async with running(made.run()):
        await asyncio.sleep(0)
        yield made


@pytest.fixture
async def bot(valkey_url: str, keys: Keys) -> AsyncIterator[Runtime]:
    async with Runtime(valkey_url, name="front-desk", workspace=keys.workspace) as made:
        await made.alive.wait()
        yield made
