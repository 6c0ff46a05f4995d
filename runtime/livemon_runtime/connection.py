"""One connection to Redis or Valkey that runs pipelines, each within a time, and never repeats a write.

The one place that touches redis-py. It does not reconnect by itself: after an error the next `run` opens a new
connection; whoever uses it waits as `Backoff` says.
"""

import asyncio
import contextlib
import logging
import math
import random
from collections.abc import Generator, Sequence
from typing import Any

from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, ReadOnlyError, RedisError, ResponseError

from . import scripts

_LOG = logging.getLogger("livemon_runtime")

Answer = Any
"""What Redis answered to one command, a `ResponseError` included."""

AWAY = (RedisError, OSError, TimeoutError)
"""What `Connection.run` raises when Redis cannot be reached or does not answer."""


class Connection:
    """Not for two tasks at once."""

    def __init__(self, url: str, *, timeout: float = 2.0, name: str = "livemon-runtime") -> None:
        """`timeout`: seconds for one pipeline, connecting included."""
        self._pool = ConnectionPool.from_url(
            url,
            max_connections=1,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            socket_keepalive=True,
            client_name=name,
        )
        self._connection: Any = None
        self._timeout = timeout

    async def run(self, commands: Sequence[scripts.Command], *, wait: float = 0.0) -> list[Answer]:
        """The answers in order; a command that Redis refused answers its `ResponseError`.

        `wait`: how many seconds longer than usual an answer may take (for commands that block). Raises one of `AWAY`;
        then nobody knows which of the commands were done.
        """
        try:
            with _cancellable():
                async with asyncio.timeout(self._timeout + wait):
                    return await self._run(commands)
        except BaseException:
            await self.close()
            raise

    async def send(self, *words: str) -> None:
        """Send one command whose answer comes by `receive`: subscriptions and their pings. Raises one of `AWAY`."""
        with _cancellable():
            async with asyncio.timeout(self._timeout):
                connection = self._connection
                if connection is None or not connection.is_connected:
                    connection = await self._open()
                await connection.send_packed_command(connection.pack_command(*words), check_health=False)

    async def receive(self, within: float) -> Answer:
        """The next thing that a subscription brings, within so many seconds. Raises one of `AWAY`."""
        with _cancellable():
            async with asyncio.timeout(within):
                if self._connection is None:
                    raise ConnectionError("not connected")
                return await self._read(self._connection)

    async def _run(self, commands: Sequence[scripts.Command]) -> list[Answer]:
        connection = self._connection
        if connection is None or not connection.is_connected:
            connection = await self._open()
        await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
        return [await self._read(connection) for _ in commands]

    async def _read(self, connection: Any) -> Answer:
        try:
            return await connection.read_response(timeout=math.inf)
        except ResponseError as error:
            return error

    async def _open(self) -> Any:
        connection: Any = self._pool.make_connection()
        self._connection = connection
        await connection.connect()
        loading = scripts.loading()
        await connection.send_packed_command(connection.pack_commands(loading), check_health=False)
        for _ in loading:
            answer = await self._read(connection)
            if isinstance(answer, ResponseError):
                raise answer
        return connection

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)


@contextlib.contextmanager
def _cancellable() -> Generator[None]:
    """Raise `CancelledError` if this task was cancelled in the block, and never otherwise. redis-py may have made an error of
    its own of it, and `asyncio.wait_for`, within redis-py, may swallow it before Python 3.12. Whoever replaces that function
    (Pipecat does) may raise a `CancelledError` of a kind of its own, which `asyncio.timeout` does not take for its own doing:
    a time that was over would end for good whoever was talking to Redis."""
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    try:
        yield
    except asyncio.CancelledError as error:
        if task and task.cancelling() <= before:
            raise TimeoutError("Redis did not answer in time") from error
        raise
    finally:
        if task and task.cancelling() > before:
            raise asyncio.CancelledError from None


class Outage:
    """Whether Redis is away, said once in the log however many connections find it out."""

    def __init__(self) -> None:
        self.away = False

    def began(self, error: BaseException) -> None:
        if not self.away:
            self.away = True
            words = str(error) or type(error).__name__
            _LOG.warning("Redis is away (%s): calls go on, and what they say is kept until it is back", words)

    def over(self) -> None:
        if self.away:
            self.away = False
            _LOG.info("Redis is back")


def connect_anew(answer: Answer) -> bool:
    """Whether a new connection helps: the server no longer knows the scripts, or has become a replica."""
    return isinstance(answer, NoScriptError | ReadOnlyError)


class Backoff:
    """How long to wait before trying again: 0.1 s, doubling to 2 s, with jitter."""

    def __init__(self, first: float = 0.1, longest: float = 2.0) -> None:
        self._first, self._longest = first, longest
        self._next = first

    def next(self) -> float:
        seconds = self._next * random.uniform(0.75, 1.25)  # noqa: S311 - no secret
        self._next = min(self._longest, self._next * 2)
        return seconds

    def reset(self) -> None:
        self._next = self._first
