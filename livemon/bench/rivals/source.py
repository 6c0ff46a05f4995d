"""The rivals' data: the same calls and events in Redis, read the plainest way."""

import os
from collections.abc import AsyncIterator
from typing import Any, cast

import orjson
import redis.asyncio

from livemon_runtime.keys import Keys

Row = dict[str, Any]
Answer = list[tuple[bytes, list[tuple[bytes, dict[bytes, bytes]]]]]
"""What XREAD answers under RESP2: a list of (stream, [(id, fields)])."""


def port() -> int:
    return int(os.environ["RIVAL_PORT"])


def client() -> "redis.asyncio.Redis":
    return redis.asyncio.Redis.from_url(os.environ["RIVAL_REDIS_URL"], socket_timeout=30, protocol=2)


def row(call: dict[str, Any]) -> Row:
    return {
        "id": call["call_id"],
        "start": call["start_timestamp"],
        "type": call["call_type"],
        "agent": call.get("agent_name", ""),
        "from": call.get("from_number", ""),
        "status": call["call_status"],
    }


async def all_rows(keys: Keys) -> list[Row]:
    """Every live call, the newest first."""
    redis_client = client()
    ids = cast(list[bytes], await redis_client.zrevrange(keys.calls, 0, -1))
    async with redis_client.pipeline(transaction=False) as pipe:
        for call_id in ids:
            pipe.hget(keys.call(call_id.decode()), "data")
        found = cast(list[bytes | None], await pipe.execute())
    await redis_client.aclose()
    return [row(orjson.loads(data)) for data in found if data]


async def changes(keys: Keys) -> AsyncIterator[list[Row]]:
    """Changed rows, some at a time, from now on."""
    redis_client = client()
    cursor = "$"
    while True:
        answer = cast(Answer, await redis_client.xread({keys.events: cursor}, block=5_000, count=1_000))
        for _stream, entries in answer:
            cursor = entries[-1][0].decode()
            yield [row(orjson.loads(fields[b"data"])["call"]) for _, fields in entries]
