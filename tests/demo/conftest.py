"""Livemon's end of the protocol, to look at the demo with."""

import pytest
import redis.asyncio

from tests.demo.demo_process import Watcher


@pytest.fixture
def watcher(valkey: redis.asyncio.Redis) -> Watcher:
    return Watcher(valkey)
