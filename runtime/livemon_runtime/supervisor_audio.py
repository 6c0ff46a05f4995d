"""Reads the supervisors' voices of all taken-over calls on one connection, which is there only while there are any.

It hands each message on as it comes; what is in it, and what becomes of it, is the business of whoever joined.
"""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from .connection import AWAY, Backoff, Connection

PING_EVERY_S = 5.0
SILENCE_S = 15.0
"""A connection on which not even a ping is answered for this long is dead."""

Take = Callable[[bytes], None]
"""Must not raise."""


class SupervisorAudio:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._wanted: dict[str, Take] = {}
        self._changed = asyncio.Event()

    def join(self, channel: str, take: Take) -> None:
        """Every message on `channel` goes to `take`, until `leave`."""
        self._wanted[channel] = take
        self._changed.set()

    def leave(self, channel: str) -> None:
        """Not one message more of that channel; harmless if it was left already."""
        self._wanted.pop(channel, None)
        self._changed.set()

    async def run(self) -> None:
        backoff = Backoff()
        while True:
            await self._changed.wait()
            self._changed.clear()
            while self._wanted:
                try:
                    await self._follow()
                except* AWAY:
                    await asyncio.sleep(backoff.next())
                else:
                    backoff.reset()
                finally:
                    await self._connection.close()

    async def _follow(self) -> None:
        """Read until nothing is wanted any more. Raises a group of `AWAY`."""
        await self._connection.send("PING")
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(self._read())
            await self._subscribe()
            reading.cancel()

    async def _subscribe(self) -> None:
        """Keep the subscriptions as they are wanted."""
        there: set[str] = set()
        while self._wanted:
            self._changed.clear()
            wanted = set(self._wanted)
            for channel in wanted - there:
                await self._connection.send("SSUBSCRIBE", channel)
            for channel in there - wanted:
                await self._connection.send("SUNSUBSCRIBE", channel)
            there = wanted
            try:
                async with asyncio.timeout(PING_EVERY_S):
                    await self._changed.wait()
            except TimeoutError:
                await self._connection.send("PING")

    async def _read(self) -> None:
        while True:
            push = await self._connection.receive(SILENCE_S)
            if not isinstance(push, list) or len(cast("list[Any]", push)) != 3:
                continue
            kind, channel, data = cast("list[bytes]", push)
            take = self._wanted.get(channel.decode(errors="replace")) if kind == b"smessage" else None
            if take is not None:
                take(data)
