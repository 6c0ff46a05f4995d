"""One connection: answers in order, errors as answers, and neither a timeout nor a cancellation is ever swallowed."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

import pytest
from redis.exceptions import RedisError, ResponseError

from livemon_runtime.connection import AWAY, Backoff, Connection
from livemon_runtime.scripts import script
from tests.conftest import ValkeyProcess, free_port


async def test_answers_come_in_order_and_a_refused_command_answers_its_error(valkey_url: str) -> None:
    connection = Connection(valkey_url)
    ok, error, number = await connection.run([("SET", "a", "x"), ("INCR", "a"), ("INCR", "b")])
    assert (ok, number) == (b"OK", 1)
    assert isinstance(error, ResponseError)
    await connection.close()


async def test_a_new_connection_has_the_scripts(valkey_url: str) -> None:
    connection = Connection(valkey_url)
    (known,) = await connection.run([("SCRIPT", "EXISTS", script("announce").sha)])
    assert known == [1]
    await connection.close()


async def test_a_server_that_is_not_there_is_away() -> None:
    with pytest.raises(AWAY):
        await Connection(f"redis://127.0.0.1:{free_port()}/0").run([("PING",)])


async def test_a_frozen_server_is_away_and_its_late_answer_is_nobodys(own_valkey: ValkeyProcess) -> None:
    connection = Connection(own_valkey.url, timeout=0.3)
    await connection.run([("SET", "a", "1")])
    assert own_valkey.process
    os.kill(own_valkey.process.pid, signal.SIGSTOP)
    try:
        with pytest.raises((TimeoutError, RedisError)):
            await connection.run([("GET", "a")])
    finally:
        os.kill(own_valkey.process.pid, signal.SIGCONT)
    assert await connection.run([("ECHO", "fresh")]) == [b"fresh"]
    await connection.close()


async def run(connection: Connection) -> None:
    await connection.run([("PING",)])


async def send_and_receive(connection: Connection) -> None:
    await connection.send("PING")
    await connection.receive(10)


@pytest.mark.parametrize("work", [run, send_and_receive])
async def test_a_cancellation_is_never_swallowed_wherever_it_comes(
    valkey_url: str, work: Callable[[Connection], Awaitable[None]]
) -> None:
    cancelled = 0
    for steps in range(80):
        connection = Connection(valkey_url)
        running = asyncio.ensure_future(work(connection))
        for _ in range(steps):
            await asyncio.sleep(0)
        too_late = running.done()
        running.cancel()
        await asyncio.wait([running], timeout=60)
        assert too_late or running.cancelled(), f"cancelled after {steps} steps of the loop"
        cancelled += not too_late
        await connection.close()
    assert cancelled >= 10


def test_waiting_grows_and_is_bounded() -> None:
    backoff = Backoff()
    waits = [backoff.next() for _ in range(20)]
    assert waits[0] <= 0.125
    assert max(waits) <= 2.5
    assert min(waits[-5:]) >= 1.5
    backoff.reset()
    assert backoff.next() <= 0.125


class OddCancellation(asyncio.CancelledError):
    """As the `asyncio.wait_for` raises it that Pipecat puts in the place of Python's, and redis-py uses."""


async def test_a_time_that_is_over_while_an_odd_cancellation_is_raised_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = Connection("redis://127.0.0.1:1/0", timeout=0.1)

    async def hang(commands: object) -> list[object]:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise OddCancellation from None
        return []

    monkeypatch.setattr(connection, "_run", hang)
    with pytest.raises(TimeoutError):
        await connection.run([("PING",)])
