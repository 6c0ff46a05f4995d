"""A workspace of the test's own on the shared Valkey, and runtimes and nodes for it."""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial

import pytest
from redis.asyncio import Redis

from livemon_runtime.keys import Keys
from tests.calls.live_part import LivePart, RawRuntime, live_part

Nodes = Callable[..., AbstractAsyncContextManager[LivePart]]


@pytest.fixture
def keys() -> Keys:
    """Nobody else's, so that counters begin at nothing."""
    return Keys(f"test-{secrets.token_hex(4)}")


@pytest.fixture
async def runtime(valkey: Redis, keys: Keys) -> RawRuntime:
    """A runtime that is alive."""
    raw = RawRuntime(valkey, keys)
    await raw.alive()
    return raw


@pytest.fixture
def node(valkey_url: str, keys: Keys) -> Nodes:
    """`async with node(timing=…) as part`."""
    return partial(live_part, valkey_url, keys)


@pytest.fixture
async def part(node: Nodes) -> AsyncIterator[LivePart]:
    """One node, live."""
    async with node() as running:
        yield running
