"""Reading calls, the index and the position of the events stream from Redis, in pipelines of 100. It decides nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from livemon_runtime.errors import InvalidName, ProtocolError
from livemon_runtime.keys import Keys, check_id

from .events import MAX_DIGITS, StoredCall, read_hash, runtime_of
from .pace import Pace

PIPELINE = 100
Pair = tuple[str, int]
"""A call's incarnation and rev."""

Refuse = Callable[[str, str | None, ProtocolError], None]
"""Told of a malformed hash: call id, runtime, what is wrong."""


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """First and last id of the events stream, how many entries it has, and how many were ever added."""

    first: str | None = None
    last: str = "0-0"
    length: int = 0
    added: int = 0

    def broken(self, cursor: str, read: int) -> bool:
        """Whether a reader may have missed entries, or is ahead of a Redis restored from before.

        It has come to `cursor` with the `read`th entry. An XREAD passes over what was trimmed away without a word, so
        that at the end of the stream only the count shows it.
        """
        at = entry_id(cursor)
        if entry_id(self.last) <= at:
            return entry_id(self.last) < at or read != self.added
        if self.first is not None and entry_id(self.first) <= at:
            return False
        return at != (0, 0) or self.added > self.length


def entry_id(text: str) -> tuple[int, int]:
    """A stream's id as numbers, to be compared."""
    time, _, number = text.partition("-")
    return int(time), int(number or 0)


async def stream_position(redis: Redis, keys: Keys) -> tuple[StreamPosition, tuple[int, int]]:
    """Where the events stream stands, and Redis's time (seconds, microseconds)."""
    pipeline = redis.pipeline(transaction=False)
    pipeline.xinfo_stream(keys.events)
    pipeline.time()
    info, now = cast("tuple[object, object]", await pipeline.execute(raise_on_error=False))
    if isinstance(now, Exception):
        raise now
    redis_time = cast("tuple[int, int]", now)
    if isinstance(info, ResponseError) and "no such key" in str(info):
        return StreamPosition(), redis_time
    if isinstance(info, Exception):
        raise info
    about = cast("Mapping[str, object]", info)
    first = cast("tuple[bytes, object] | None", about["first-entry"])
    last = cast(bytes, about["last-generated-id"]).decode()
    length, added = cast(int, about["length"]), cast(int, about["entries-added"])
    return StreamPosition(first[0].decode() if first else None, last, length, added), redis_time


async def live_ids(redis: Redis, keys: Keys) -> list[list[str]]:
    """The ids of the live calls, in pieces of 100. Ids that the protocol does not allow are left out."""
    members = cast("list[bytes]", await redis.zrange(keys.calls, 0, -1))
    ids = [member.decode() for member in members if _valid(member)]
    return [ids[start : start + PIPELINE] for start in range(0, len(ids), PIPELINE)]


async def index_revs(redis: Redis, keys: Keys, call_ids: Sequence[str]) -> dict[str, Pair]:
    """Incarnation and rev by call id; a call without them is left out."""
    pipeline = redis.pipeline(transaction=False)
    for call_id in call_ids:
        pipeline.hmget(keys.call(call_id), "incarnation", "rev")
    answers = cast("list[list[bytes | None] | Exception]", await pipeline.execute(raise_on_error=False))
    found: dict[str, Pair] = {}
    for call_id, answer in zip(call_ids, answers, strict=True):
        if isinstance(answer, Exception):
            continue
        incarnation, rev = answer
        if incarnation and rev and rev.isdigit() and len(rev) <= MAX_DIGITS:
            found[call_id] = (incarnation.decode(errors="replace"), int(rev))
    return found


@dataclass(frozen=True, slots=True)
class Found:
    """What Redis holds of some calls. `unreadable` are in the index, but their hashes break the protocol."""

    calls: dict[str, StoredCall] = field(default_factory=dict[str, StoredCall])
    unreadable: set[str] = field(default_factory=set[str])

    def add(self, other: "Found") -> None:
        self.calls.update(other.calls)
        self.unreadable.update(other.unreadable)


async def read_calls(redis: Redis, keys: Keys, call_ids: Sequence[str], refuse: Refuse, *, index: bool = True) -> Found:
    """The calls that Redis holds. With `index`, one that is live but not in the index is left out."""
    pipeline = redis.pipeline(transaction=False)
    for call_id in call_ids:
        pipeline.hgetall(keys.call(call_id))
        pipeline.zscore(keys.calls, call_id)
    answers = cast("list[object]", await pipeline.execute(raise_on_error=False))
    found = Found()
    pace = Pace()
    for number, call_id in enumerate(call_ids):
        fields, score = answers[2 * number], answers[2 * number + 1]
        await pace.after(_size(fields))
        try:
            stored = _read(call_id, fields)
        except ProtocolError as error:
            runtime = None if isinstance(fields, Exception) else runtime_of(cast("Mapping[bytes, bytes]", fields))
            refuse(call_id, runtime, error)
            if score is not None:
                found.unreadable.add(call_id)
            continue
        if stored and (score is not None or stored.call.call_status.final or not index):
            found.calls[call_id] = stored
    return found


def _read(call_id: str, fields: object) -> StoredCall | None:
    if isinstance(fields, Exception):
        if "WRONGTYPE" not in str(fields):
            raise fields
        raise ProtocolError("malformed", "the key of the call is not a hash")
    return read_hash(call_id, cast("Mapping[bytes, bytes]", fields))


def _size(fields: object) -> int:
    return len(cast("dict[bytes, bytes]", fields).get(b"data", b"")) if isinstance(fields, dict) else 0


def _valid(member: bytes) -> bool:
    try:
        check_id("call_id", member.decode())
    except (UnicodeDecodeError, InvalidName):
        return False
    return True
