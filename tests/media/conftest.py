"""A real listening service on a real Valkey, and an aiortc client that listens as a browser would."""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import numpy as np
import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from redis.asyncio import Redis

from livemon.calls.feed import CallFeed, FeedTiming
from livemon.calls.presence import Presence
from livemon.media.listening import Answer, Listening
from livemon.redis_client import connect
from livemon_runtime.codecs import Codec
from livemon_runtime.keys import Keys
from tests.media.call_source import CallSource, loudest, running


@dataclass
class Stage:
    """Everything that a test of listening needs."""

    redis: Redis
    feed: CallFeed
    listening: Listening
    presence: Presence
    call: CallSource

    async def until(self, condition: Callable[[], object], timeout: float = 20) -> float:
        """Wait for the condition; return the seconds that it took."""
        started = time.monotonic()
        async with asyncio.timeout(timeout):
            while not condition():
                await asyncio.sleep(0.01)
        return time.monotonic() - started


StageMaker = Callable[..., AbstractAsyncContextManager[Stage]]


@contextlib.asynccontextmanager
async def _stage(url: str, codec: Codec = Codec.OPUS, supervisor: Codec | None = None) -> AsyncIterator[Stage]:
    call_id = "call-1"
    redis, source = connect(url), connect(url)
    feed = CallFeed(redis, Keys(), timing=FeedTiming(max_backoff_s=0.5))
    presence = Presence(redis, Keys(), "node-1", now=feed.now)
    listening = Listening(redis, Keys(), "node-1", feed, presence)
    call = CallSource(source, call_id, codec, supervisor=supervisor)
    await call.announce()
    stage = Stage(redis, feed, listening, presence, call)
    try:
        async with running(feed.run(), presence.run(), listening.run(), call.run()):
            await stage.until(lambda: feed.get(call_id))
            yield stage
    finally:
        await redis.aclose()
        await source.aclose()


@pytest.fixture
def stage_on() -> StageMaker:
    """A stage on a Valkey of the test's choice."""
    return _stage


@pytest.fixture
def stage(valkey_url: str) -> StageMaker:
    """A stage on the shared Valkey: `async with stage(codec) as at`."""
    return lambda codec=Codec.OPUS, supervisor=None: _stage(valkey_url, codec, supervisor)


class Ear:
    """A WebRTC client that receives a call's voices, as a browser does."""

    def __init__(self, voices: tuple[str, ...] = ("caller", "agent", "supervisor")) -> None:
        self.connection = RTCPeerConnection()
        self.heard: dict[str, list[np.ndarray]] = {voice: [] for voice in voices}
        self.tasks: list[asyncio.Task[None]] = []
        for voice in self.heard:
            transceiver = self.connection.addTransceiver("audio", direction="recvonly")
            self.tasks.append(asyncio.ensure_future(self._hear(voice, transceiver)))

    async def offer(self) -> str:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return receive_only(self.connection.localDescription.sdp)

    async def accept(self, answer: Answer) -> None:
        await self.connection.setRemoteDescription(RTCSessionDescription(answer.sdp, "answer"))

    async def tone(self, voice: str, timeout: float = 20) -> float:
        """The frequency that is loudest in the next 0.5 s of the voice."""
        self.heard[voice].clear()
        async with asyncio.timeout(timeout):
            while sum(map(len, self.heard[voice])) < 24_000:
                await asyncio.sleep(0.01)
        return loudest(np.concatenate(self.heard[voice])[-24_000:], 48_000)

    async def _hear(self, voice: str, transceiver) -> None:
        while transceiver.receiver.track is None:
            await asyncio.sleep(0.005)
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await transceiver.receiver.track.recv()
                sound = frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0]
                self.heard[voice].append(np.repeat(sound, 48_000 // frame.sample_rate))

    async def close(self) -> None:
        await self.connection.close()
        for task in self.tasks:
            task.cancel()


def receive_only(sdp: str) -> str:
    """aiortc names a track even where it only receives; browsers don't (RFC 9429, section 5.2.1)."""
    return re.sub(r"^a=(msid|ssrc):.*\r\n", "", sdp, flags=re.MULTILINE)


@pytest.fixture
async def ear() -> AsyncIterator[Callable[..., Ear]]:
    """Makes listeners, and closes them after the test."""
    ears: list[Ear] = []

    def make(*voices: str) -> Ear:
        ears.append(Ear(voices) if voices else Ear())
        return ears[-1]

    yield make
    for made in ears:
        await made.close()
