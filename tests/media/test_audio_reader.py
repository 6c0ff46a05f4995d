"""The subscription to the audio: brings messages, is made again when it breaks, and notices a Redis that is frozen."""

import asyncio
import contextlib
import signal

import pytest
from prometheus_client import REGISTRY
from redis.exceptions import RedisError

from livemon.media import audio_reader
from livemon.media.audio_reader import AudioReader
from livemon.redis_client import connect
from tests.media.call_source import running

A, B = "livemon:{default:a}:audio:caller", "livemon:{default:b}:audio:caller"


class Ears:
    """Keeps what a channel brings."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def __call__(self, data: bytes) -> None:
        self.heard.append(data)


def broken() -> float:
    return REGISTRY.get_sample_value("livemon_audio_reader_broken_total") or 0


async def publish(redis, channel: str, data: bytes) -> int:
    return await redis.execute_command("SPUBLISH", channel, data)


async def published(redis, channel: str, data: bytes, takers: int = 1) -> None:
    """Publish until as many as expected have taken it."""
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(RedisError, OSError):  # it may be away just now
                if await publish(redis, channel, data) == takers:
                    return
            await asyncio.sleep(0.01)


async def until(condition, timeout: float = 30) -> None:
    async with asyncio.timeout(timeout):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
async def redis(own_valkey):
    client = connect(own_valkey.url)
    yield client
    await client.aclose()


async def test_each_channel_reaches_its_own_sink_as_long_as_it_is_subscribed_to(redis):
    reader, a, b = AudioReader(redis), Ears(), Ears()
    reader.subscribe(A, a)
    async with running(reader.run()):
        await published(redis, A, b"\r\n$3\0")
        reader.subscribe(B, b)
        await published(redis, B, b"two")
        reader.unsubscribe(A)
        await published(redis, A, b"lost", takers=0)
        await published(redis, B, b"three")
        await until(lambda: b.heard == [b"two", b"three"])
        assert a.heard == [b"\r\n$3\0"]


async def test_a_connection_that_redis_cuts_off_is_made_again_with_all_channels(redis):
    reader, a, b, before = AudioReader(redis), Ears(), Ears(), broken()
    reader.subscribe(A, a)
    reader.subscribe(B, b)
    async with running(reader.run()):
        await published(redis, A, b"1")
        await published(redis, B, b"1")
        await redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        await published(redis, A, b"2")
        await published(redis, B, b"2")
        await until(lambda: a.heard == b.heard == [b"1", b"2"])
    assert broken() == before + 1


async def test_redis_started_again_is_found_again(redis, own_valkey):
    reader, a = AudioReader(redis), Ears()
    reader.subscribe(A, a)
    async with running(reader.run()):
        await published(redis, A, b"1")
        await until(lambda: a.heard == [b"1"])
        own_valkey.kill()
        own_valkey.start()
        await published(redis, A, b"2")
        await until(lambda: a.heard == [b"1", b"2"])


async def test_a_frozen_redis_is_noticed_and_left(redis, own_valkey, monkeypatch):
    monkeypatch.setattr(audio_reader, "PING_EVERY_S", 0.1)
    monkeypatch.setattr(audio_reader, "SILENCE_S", 0.5)
    reader, a, before = AudioReader(redis), Ears(), broken()
    reader.subscribe(A, a)
    async with running(reader.run()):
        await published(redis, A, b"1")
        await until(lambda: a.heard == [b"1"])
        own_valkey.process.send_signal(signal.SIGSTOP)
        try:
            await until(lambda: broken() > before)
        finally:
            own_valkey.process.send_signal(signal.SIGCONT)
        async with asyncio.timeout(60):
            while a.heard[-1] != b"2":  # the thawed server may hand one more to the connection that was left
                await published(redis, A, b"2")
                await asyncio.sleep(0.01)


async def test_a_quiet_channel_is_no_reason_to_leave(redis, monkeypatch):
    """PINGs are answered: nobody speaks, and everything is in order."""
    monkeypatch.setattr(audio_reader, "PING_EVERY_S", 0.05)
    monkeypatch.setattr(audio_reader, "SILENCE_S", 0.4)
    reader, a, before = AudioReader(redis), Ears(), broken()
    reader.subscribe(A, a)
    async with running(reader.run()):
        await published(redis, A, b"1")
        loop = asyncio.get_running_loop()
        quiet_since = loop.time()
        await until(lambda: loop.time() - quiet_since > 1.5)
        await published(redis, A, b"2")
        await until(lambda: a.heard == [b"1", b"2"])
    assert broken() == before


async def test_a_sink_that_fails_does_not_take_the_others_audio_away(redis):
    def failing(_data: bytes) -> None:
        raise ZeroDivisionError

    reader, b = AudioReader(redis), Ears()
    reader.subscribe(A, failing)
    reader.subscribe(B, b)
    async with running(reader.run()):
        await published(redis, A, b"1")
        await published(redis, B, b"1")
        await until(lambda: b.heard == [b"1"])


async def test_a_monstrous_message_hurts_only_its_own_call(redis):
    reader, a, b, before = AudioReader(redis), Ears(), Ears(), broken()
    reader.subscribe(A, a)
    reader.subscribe(B, b)
    async with running(reader.run()):
        await published(redis, A, b"x" * 3_000_000)
        await published(redis, B, b"fine")
        await until(lambda: b.heard == [b"fine"])
    assert len(a.heard[0]) < 3_000
    assert broken() == before


async def test_after_everyone_has_left_the_next_one_is_served(redis):
    reader, a, b = AudioReader(redis), Ears(), Ears()
    reader.subscribe(A, a)
    async with running(reader.run()):
        await published(redis, A, b"1")
        reader.unsubscribe(A)
        await published(redis, A, b"lost", takers=0)
        reader.subscribe(B, b)
        await published(redis, B, b"2")
        await until(lambda: b.heard == [b"2"])
