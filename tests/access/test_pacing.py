"""How often somebody may ask: counted for all nodes together, and by each alone while Redis is away."""

import asyncio
import signal

import pytest
from redis.asyncio import Redis

from livemon.access import pacing
from livemon.access.pacing import Pace, Pacing
from livemon.redis_client import connect
from tests.conftest import ValkeyProcess

LIMITS = {Pace.READ: 5, Pace.ACT: 5}


async def taken(node: Pacing, count: int, who: str = "key:1", pace: Pace = Pace.READ) -> int:
    """How many of so many requests are answered."""
    return [await node.take(pace, who) for _ in range(count)].count(None)


async def test_nodes_count_together(valkey_url: str, valkey: Redis):
    one, another = connect(valkey_url), connect(valkey_url)
    nodes = Pacing(lambda: one, LIMITS), Pacing(lambda: another, LIMITS)
    assert await taken(nodes[0], 3) == 3
    assert await taken(nodes[1], 4) == 2
    refused = await nodes[0].take(Pace.READ, "key:1")
    assert refused is not None
    assert refused.limit == 5
    assert 1 <= refused.wait_s <= 60
    assert await taken(nodes[0], 6, pace=Pace.ACT) == 5, "acts are counted by themselves"
    assert await taken(nodes[0], 6, who="key:2") == 5
    for redis in (one, another):
        await redis.aclose()


async def test_while_redis_is_away_each_node_counts_by_itself_and_asks_redis_again_later(
    own_valkey: ValkeyProcess, monkeypatch: pytest.MonkeyPatch
):
    redis = connect(own_valkey.url)
    node = Pacing(lambda: redis, LIMITS)
    assert await taken(node, 2) == 2
    await asyncio.to_thread(own_valkey.stop)
    assert await taken(node, 7) == 5, "nobody is refused because of it, nor may anybody ask without end"
    await asyncio.to_thread(own_valkey.start)
    monkeypatch.setattr(node, "_away_until", 0.0)
    await node.take(Pace.READ, "key:1")
    assert [key async for key in redis.scan_iter(match=f"{pacing.PREFIX}*")]
    await redis.aclose()


async def test_a_redis_that_does_not_answer_is_not_waited_for(
    own_valkey: ValkeyProcess, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pacing, "TIMEOUT_S", 0.1)
    redis = connect(own_valkey.url)
    node = Pacing(lambda: redis, LIMITS)
    assert await taken(node, 1) == 1
    assert own_valkey.process is not None
    own_valkey.process.send_signal(signal.SIGSTOP)
    try:
        assert await taken(node, 7) == 5
    finally:
        own_valkey.process.send_signal(signal.SIGCONT)
    await redis.aclose()
