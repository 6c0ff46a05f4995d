"""Reading calls, the index and the stream's position from a real Valkey."""

import json
from itertools import chain

import pytest
from redis.asyncio import Redis

from livemon.calls.stored import (
    StreamPosition,
    entry_id,
    index_revs,
    live_ids,
    read_calls,
    stream_position,
)
from livemon_runtime.errors import ProtocolError
from livemon_runtime.keys import Keys
from tests.calls.making import call_data, ended_data

KEYS = Keys()


def test_ids_are_compared_as_numbers():
    assert entry_id("9-2") < entry_id("10-1") < entry_id("10-10")
    assert entry_id("7") == (7, 0)


@pytest.mark.parametrize(
    ("position", "cursor", "read", "broken"),
    [
        (StreamPosition("1-0", "9-0", 9, 9), "5-0", 5, False),
        (StreamPosition("5-0", "9-0", 5, 9), "5-0", 5, False),
        (StreamPosition("6-0", "9-0", 4, 9), "5-0", 5, True),
        (StreamPosition("1-0", "4-0", 4, 4), "5-0", 5, True),
        (StreamPosition(), "5-0", 5, True),
        (StreamPosition(), "0-0", 0, False),
        (StreamPosition(None, "5-0", 0, 5), "5-0", 5, False),
        (StreamPosition(None, "9-0", 0, 9), "5-0", 5, True),
        (StreamPosition("1-0", "9-0", 9, 9), "0-0", 0, False),
        (StreamPosition("4-0", "9-0", 6, 9), "0-0", 0, True),
        (StreamPosition("9-0", "9-0", 1, 9), "9-0", 9, False),
        (StreamPosition("9-0", "9-0", 1, 9), "9-0", 6, True),
        (StreamPosition("9-0", "9-0", 1, 1), "9-0", 6, True),
    ],
)
def test_a_reader_is_cut_off_where_entries_may_have_gone_past_it_or_the_stream_is_behind_it(
    position: StreamPosition, cursor: str, read: int, broken: bool
):
    assert position.broken(cursor, read) is broken


async def test_without_a_stream_its_position_is_the_beginning_and_redis_tells_the_time(valkey: Redis):
    position, (seconds, _) = await stream_position(valkey, KEYS)
    assert position == StreamPosition()
    assert seconds > 1_700_000_000


async def test_the_position_of_a_stream_says_what_is_left_of_it(valkey: Redis):
    ids = [(await valkey.xadd(KEYS.events, {"n": str(n)})).decode() for n in range(3)]
    assert (await stream_position(valkey, KEYS))[0] == StreamPosition(ids[0], ids[2], 3, 3)
    await valkey.xtrim(KEYS.events, maxlen=1, approximate=False)
    assert (await stream_position(valkey, KEYS))[0] == StreamPosition(ids[2], ids[2], 1, 3)
    await valkey.xtrim(KEYS.events, maxlen=0, approximate=False)
    position, _ = await stream_position(valkey, KEYS)
    assert position == StreamPosition(None, ids[2], 0, 3)
    assert position.broken(ids[0], 1), "what was trimmed away entirely was missed, too"


async def test_live_ids_come_in_pieces_without_those_that_the_protocol_forbids(valkey: Redis):
    await valkey.zadd(KEYS.calls, {f"c{n:04}": n for n in range(1_100)} | {"a b": 5, b"\xff": 6, "x" * 129: 7})
    pieces = await live_ids(valkey, KEYS)
    assert [len(piece) for piece in pieces] == [100] * 11
    assert sorted(chain(*pieces)) == [f"c{n:04}" for n in range(1_100)]


async def write(valkey: Redis, call_id: str, *, indexed: bool = True, **fields: str) -> None:
    written = {"incarnation": "i1", "rev": "1", "runtime": "rt-1", "data": json.dumps(call_data(call_id)), **fields}
    await valkey.hset(KEYS.call(call_id), mapping=written)
    if indexed:
        await valkey.zadd(KEYS.calls, {call_id: 1})


async def test_the_index_tells_incarnations_and_revs_and_leaves_out_what_has_none(valkey: Redis):
    await write(valkey, "a", rev="7")
    await write(valkey, "b", rev="many")
    await write(valkey, "c", rev="9" * 5_000)
    await valkey.set(KEYS.call("d"), "not a hash")
    assert await index_revs(valkey, KEYS, ["a", "b", "c", "d", "e"]) == {"a": ("i1", 7)}


async def test_calls_are_read_and_the_malformed_refused_by_name(valkey: Redis):
    await write(valkey, "good")
    await write(valkey, "bad", data="{}", runtime="rt-9")
    await write(valkey, "huge-rev", rev="9" * 5_000)
    await valkey.set(KEYS.call("string"), "not a hash")
    await valkey.zadd(KEYS.calls, {"string": 1})
    refused: list[tuple[str, str | None, str]] = []

    def refuse(call_id: str, runtime: str | None, error: ProtocolError) -> None:
        refused.append((call_id, runtime, error.reason))

    found = await read_calls(valkey, KEYS, ["good", "bad", "huge-rev", "string", "absent"], refuse)
    assert list(found.calls) == ["good"]
    assert found.unreadable == {"bad", "huge-rev", "string"}
    assert refused == [
        ("bad", "rt-9", "malformed"),
        ("huge-rev", "rt-1", "malformed"),
        ("string", None, "malformed"),
    ]


async def test_a_live_call_outside_the_index_counts_only_when_asked_without_it(valkey: Redis):
    await write(valkey, "stray", indexed=False)
    await write(valkey, "over", indexed=False, data=json.dumps(ended_data("over")))
    await write(valkey, "bad", indexed=False, data="{}")
    names = ["stray", "over", "bad"]
    found = await read_calls(valkey, KEYS, names, lambda *_: None)
    assert (set(found.calls), found.unreadable) == ({"over"}, set())
    assert set((await read_calls(valkey, KEYS, names, lambda *_: None, index=False)).calls) == {"stray", "over"}
