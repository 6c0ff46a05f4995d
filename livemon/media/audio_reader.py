"""This node's one subscription to the audio of the calls that somebody listens to here.

It brings packets and judges none of them. A connection that Redis or the network cuts off (a subscriber that is too
slow, a restart, silence where a PING should be answered) is made anew with all its channels; what was said meanwhile is
lost, as it is for everyone who listens live.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from .metrics import READER_BROKEN
from .resp import BadReply, PushReader

Sink = Callable[[bytes], None]

CHUNK = 256 * 1024
PING_EVERY_S = 2.0
SILENCE_S = 6.0
MAX_BACKOFF_S = 2.0

_log = structlog.get_logger(__name__)


class SubscriptionLost(ConnectionError):
    """Redis no longer answers on this connection."""


class AudioReader:
    """Brings each message of the subscribed channels to its sink, in the loop's thread, as soon as it is there."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._sinks: dict[bytes, Sink] = {}
        self._wanted = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self._watching: asyncio.TimerHandle | None = None
        self._heard_at = 0.0

    def subscribe(self, channel: str, sink: Sink) -> None:
        """Bring `channel`'s messages to `sink`, from when Redis has taken the subscription."""
        self._sinks[channel.encode()] = sink
        self._wanted.set()
        self._command(b"SSUBSCRIBE", channel.encode())

    def unsubscribe(self, channel: str) -> None:
        if self._sinks.pop(channel.encode(), None) is not None:
            self._command(b"SUNSUBSCRIBE", channel.encode())
        if not self._sinks:
            self._wanted.clear()

    async def run(self) -> None:
        """Follow what is subscribed to, until cancelled."""
        backoff = 0.1
        while True:
            await self._wanted.wait()
            started = asyncio.get_running_loop().time()
            try:
                await self._follow()
            except (RedisError, OSError, BadReply, asyncio.IncompleteReadError) as error:
                READER_BROKEN.inc()
                _log.warning("the audio subscription was cut off; subscribing again", error=str(error))
            backoff = 0.1 if asyncio.get_running_loop().time() - started > 5 else min(MAX_BACKOFF_S, backoff * 2)
            await asyncio.sleep(backoff * random.uniform(0.5, 1))  # noqa: S311

    async def _follow(self) -> None:
        connection = self._connection()
        await connection.connect()
        try:
            # redis-py has connected, authenticated and secured it; from here on the bytes are read by `resp`
            self._writer = connection._writer
            self._heard_at = asyncio.get_running_loop().time()
            for channel in self._sinks:
                self._command(b"SSUBSCRIBE", channel)
            self._watch()
            await self._read(connection._reader)
        finally:
            self._writer = None
            if self._watching is not None:
                self._watching.cancel()
            with contextlib.suppress(RedisError, OSError):
                await connection.disconnect(nowait=True)

    def _connection(self) -> Any:
        pool = self._redis.connection_pool
        given: dict[str, Any] = pool.connection_kwargs  # pyright: ignore
        # the pool's notices of maintenance (and the copies of its settings for them) need RESP3
        settings = {name: value for name, value in given.items() if not name.startswith(("maint_", "orig_"))}
        make: Any = pool.connection_class
        return make(**{**settings, "protocol": 2})

    async def _read(self, reader: asyncio.StreamReader) -> None:
        pushes = PushReader()
        while data := await reader.read(CHUNK):
            self._heard_at = asyncio.get_running_loop().time()
            for push in pushes.feed(data):
                if push.kind == b"smessage":
                    self._deliver(push.channel, push.data)
            await asyncio.sleep(0)  # a backlog must not keep the loop from everyone else
        raise SubscriptionLost("Redis closed the connection")

    def _deliver(self, channel: bytes, data: bytes) -> None:
        sink = self._sinks.get(channel)
        if sink is None:
            return
        try:
            sink(data)
        except Exception:
            # whatever is wrong with one call must not stop the others' audio, which comes the same way
            _log.exception("a packet could not be passed on", channel=channel.decode())

    def _watch(self) -> None:
        """Every 2 s: notice a Redis that is frozen, or a network that swallows everything; `_read` then ends."""
        assert self._writer is not None
        loop = asyncio.get_running_loop()
        if not self._sinks:
            self._heard_at = loop.time()
        elif loop.time() - self._heard_at > SILENCE_S:
            _log.warning("Redis has not answered on the audio subscription", seconds=SILENCE_S)
            self._writer.transport.abort()
            return
        else:
            self._command(b"PING")
        self._watching = loop.call_later(PING_EVERY_S, self._watch)

    def _command(self, *words: bytes) -> None:
        """Send it if connected; a new connection subscribes to everything anyway."""
        if self._writer is not None:
            self._writer.write(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words))
