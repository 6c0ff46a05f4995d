"""Reading one call's transcript from Redis: the partials' channel and the stream, from its beginning. It shows nothing."""

import asyncio
from typing import Protocol, cast

from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from livemon.redis_client import BLOCK_MS
from livemon_runtime.errors import ProtocolError
from livemon_runtime.keys import Keys
from livemon_runtime.protocol import ENTRY, Turn, read

from .feed import AWAY, CallFeed
from .pace import Pace
from .registry import LiveCall
from .stored import entry_id
from .transcript import MAX_PARTIALS, Transcript, Update

COUNT = 100
"""Entries a read: as many as may have the protocol's 256 kB each without filling this process."""
SHOW_PARTIALS_S = 0.05
_BACKOFF_S = 0.25
_MAX_BACKOFF_S = 5.0


class Shown(Protocol):
    """What a reader fills."""

    live: LiveCall
    transcript: Transcript
    loaded: bool

    def load_done(self) -> None: ...
    def has_read(self, n: int) -> None: ...
    def update(self, update: Update) -> None: ...


class TranscriptReader:
    """Fills one `Shown` from Redis until cancelled, through outages."""

    def __init__(self, redis: Redis, keys: Keys, calls: CallFeed, shown: Shown) -> None:
        self._redis = redis
        self._calls = calls
        self._shown = shown
        self._transcript = shown.transcript
        """Of the incarnation that this reader was made for."""
        self._call_id = shown.live.call.call_id
        self._stream = keys.transcript(self._call_id)
        self._channel = keys.partials(self._call_id)
        self._cursor = "0-0"
        self._spoken: dict[str, Turn] = {}
        """The newest partial of each turn that has not been shown yet."""
        self._spoke = asyncio.Event()

    async def run(self) -> None:
        backoff = _BACKOFF_S
        while True:
            pubsub = self._redis.pubsub(ignore_subscribe_messages=True)
            try:
                await pubsub.ssubscribe(self._channel)
                self._spoken.clear()
                self._update(self._transcript.forget_partials())
                await self._read(None)
                backoff = _BACKOFF_S
                await self._follow(pubsub)
            except* AWAY:
                pass
            finally:
                await _close(pubsub)
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, _MAX_BACKOFF_S)

    async def _follow(self, pubsub: PubSub) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read_entries(), name=f"entries:{self._call_id}")
            tasks.create_task(self._read_partials(pubsub), name=f"partials:{self._call_id}")
            tasks.create_task(self._show_partials(), name=f"shown:{self._call_id}")

    async def _read_entries(self) -> None:
        while True:
            await self._read(BLOCK_MS)

    async def _read(self, block_ms: int | None) -> None:
        """Read what there is; without `block_ms`, to the stream's present end."""
        pace = Pace()
        while True:
            answer = await self._redis.xread({self._stream: self._cursor}, count=COUNT, block=block_ms)
            batches = cast("list[tuple[bytes, list[tuple[bytes, dict[bytes, bytes]]]]]", answer)
            entries = batches[0][1] if batches else []
            for stream_id, fields in entries:
                self._cursor = stream_id.decode()
                data = fields.get(b"data", b"")
                self._entry(n := entry_id(self._cursor)[0], data)
                if self._shown.transcript is self._transcript:
                    self._shown.has_read(n)
                await pace.after(len(data))
            if block_ms is not None:
                return
            if len(entries) < COUNT:
                self._shown.load_done()
                return

    def _entry(self, n: int, data: bytes) -> None:
        try:
            entry = read(ENTRY, data)
            self._update(self._transcript.entry(n, entry, len(data), show=self._shown.loaded))
        except ProtocolError as error:
            self._drop("entry", error)

    async def _read_partials(self, pubsub: PubSub) -> None:
        pace = Pace()
        while True:
            message = cast(
                "dict[str, bytes] | None",
                await pubsub.get_message(ignore_subscribe_messages=True, timeout=BLOCK_MS / 1000),
            )
            if message is not None:
                self._partial(message["data"])
                await pace.after(len(message["data"]))

    async def _show_partials(self) -> None:
        """However fast a turn grows, it is shown as it is now and no more than twenty times a second."""
        while True:
            await self._spoke.wait()
            self._spoke.clear()
            self._show_spoken()
            await asyncio.sleep(SHOW_PARTIALS_S)

    def _show_spoken(self) -> None:
        spoken, self._spoken = self._spoken, {}
        for turn in spoken.values():
            self._update(self._transcript.partial(turn))

    def _partial(self, data: bytes) -> None:
        try:
            turn = read(ENTRY, data)
            if not isinstance(turn, Turn):
                raise ProtocolError("malformed", f"a partial with the role {turn.role}")
            self._spoken[turn.id] = turn
            self._spoke.set()
            if len(self._spoken) >= MAX_PARTIALS:
                self._show_spoken()
        except ProtocolError as error:
            self._drop("partial", error)

    def _update(self, update: Update) -> None:
        """Show it, unless a new incarnation is shown by now, and another reader fills that."""
        if self._shown.transcript is self._transcript:
            self._shown.update(update)

    def _drop(self, kind: str, error: ProtocolError) -> None:
        self._calls.drops.drop(kind, error, self._shown.live.runtime, self._calls.now(), self._call_id)


async def _close(pubsub: PubSub) -> None:
    """Leave Redis; a connection that is broken already is none to leave."""
    try:
        await pubsub.aclose()
    except AWAY:
        return
