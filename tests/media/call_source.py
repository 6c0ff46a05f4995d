"""A runtime's side of the protocol, written from docs/protocol.md alone: announces a call, and speaks while it is tapped."""

import asyncio
import contextlib
import json
import math
import secrets
from collections.abc import AsyncIterator, Iterator
from fractions import Fraction

import av
import numpy as np
from redis.asyncio import Redis
from redis.exceptions import RedisError

from livemon_runtime.codecs import Codec
from livemon_runtime.keys import Keys, Voice
from livemon_runtime.rtp import RtpPacket

CALLER_HZ, AGENT_HZ = 440, 880
AMPLITUDE = 12_000


def tone_packets(codec: Codec, hz: float, ssrc: int | None = None) -> Iterator[RtpPacket]:
    """An endless tone as the codec's usual packets."""
    form, ssrc = codec.form, ssrc or secrets.randbits(32)
    rate = 48_000 if codec is Codec.OPUS else form.clock
    encode = _payload_maker(codec, rate)
    samples = rate * form.packet_ms // 1000
    sequence, timestamp = secrets.randbits(16), secrets.randbits(32)
    for n in range(1 << 30):
        at = (np.arange(samples) + n * samples) / rate
        sound = (np.sin(2 * math.pi * hz * at) * AMPLITUDE).astype(np.int16)
        yield RtpPacket(
            form.payload_type,
            (sequence + n) & 0xFFFF,
            (timestamp + n * form.packet_ticks) & 0xFFFFFFFF,
            ssrc,
            encode(sound),
            marker=n == 0,
        )


def _payload_maker(codec: Codec, rate: int):
    if codec.startswith("l16/"):
        return lambda sound: sound.astype(">i2").tobytes()
    name = {Codec.OPUS: "libopus", Codec.PCMU: "pcm_mulaw", Codec.PCMA: "pcm_alaw"}[codec]
    context = av.AudioCodecContext.create(name, "w")
    context.sample_rate, context.layout, context.format = rate, "mono", "s16"
    context.time_base = Fraction(1, rate)

    def encode(sound) -> bytes:
        frame = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = rate
        return b"".join(bytes(packet) for packet in context.encode(frame))

    return encode


class CallSource:
    """A live call whose caller is heard as 440 Hz and whose agent as 880 Hz, while a tap wants them."""

    def __init__(self, redis: Redis, call_id: str, codec: Codec, *, keys: Keys | None = None) -> None:
        self.redis, self.keys, self.call_id = redis, keys or Keys(), call_id
        self.runtime_id = f"test-{secrets.token_hex(4)}"
        self.tapped = asyncio.Event()
        self.woken = 0
        self.published = 0
        self._tones = {"caller": tone_packets(codec, CALLER_HZ), "agent": tone_packets(codec, AGENT_HZ)}
        self._packet_s = codec.form.packet_ms / 1000
        self._rev = 0
        self._call = {
            "call_id": call_id,
            "call_type": "web_call",
            "start_timestamp": 1_700_000_000_000,
            "call_status": "ongoing",
            "audio": {"caller": codec, "agent": codec},
            "capabilities": ["listen", "end"],
        }

    async def announce(self) -> None:
        await self.redis.set(self.keys.runtime(self.runtime_id), json.dumps({"name": "test", "version": "1"}), ex=3600)
        await self.redis.zadd(self.keys.calls, {self.call_id: self._call["start_timestamp"]})
        await self._say("call_started")

    async def end(self) -> None:
        self._call |= {
            "call_status": "ended",
            "end_timestamp": 1_700_000_001_000,
            "disconnection_reason": "user_hangup",
        }
        await self.redis.zrem(self.keys.calls, self.call_id)
        await self._say("call_ended")

    async def change_codec(self, codec: Codec) -> None:
        self._call["audio"] = {"caller": codec, "agent": codec}
        self._tones = {"caller": tone_packets(codec, CALLER_HZ), "agent": tone_packets(codec, AGENT_HZ)}
        await self._say("call_updated")

    async def publish(self, voice: Voice, packet: bytes) -> int:
        """Publish one packet; return how many subscribers took it."""
        return await self.redis.execute_command("SPUBLISH", self.keys.audio(self.call_id, voice), packet)

    async def run(self) -> None:
        """Speak while tapped; wake at the `tap` command."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._obey())
            tasks.create_task(self._watch_tap())
            for voice in self._tones:
                tasks.create_task(self._speak(voice))

    async def _say(self, kind: str) -> None:
        self._rev += 1
        data = json.dumps({"call": self._call, "runtime": self.runtime_id, "controller": None, "claim": None})
        fields = {"incarnation": "one", "rev": self._rev, "runtime": self.runtime_id, "generation": 0}
        await self.redis.hset(
            self.keys.call(self.call_id),
            mapping={**fields, "data": json.dumps(self._call), "controller": "", "claim": ""},
        )
        event = {"type": kind, "call_id": self.call_id, "incarnation": "one", "rev": self._rev, "data": data}
        await self.redis.xadd(self.keys.events, event)

    async def _obey(self) -> None:
        cursor = "0"
        while True:
            try:
                answer = await self.redis.xread({self.keys.commands(self.runtime_id): cursor}, block=200)
            except (RedisError, OSError):
                await asyncio.sleep(0.05)
                continue
            for _, entries in answer or ():
                for entry_id, fields in entries:
                    cursor = entry_id
                    if json.loads(fields[b"data"])["type"] == "tap":
                        self.woken += 1
                        self.tapped.set()

    async def _watch_tap(self) -> None:
        while True:
            await self.tapped.wait()
            await asyncio.sleep(1)
            with contextlib.suppress(RedisError, OSError):
                if not await self.is_tapped():
                    self.tapped.clear()

    async def is_tapped(self) -> bool:
        seconds, _ = await self.redis.time()
        return bool(await self.redis.zcount(self.keys.tap(self.call_id), seconds * 1000, "+inf"))

    async def _speak(self, voice: Voice) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            if not self.tapped.is_set():
                await self.tapped.wait()
                due = loop.time()
            with contextlib.suppress(RedisError, OSError):
                await self.publish(voice, next(self._tones[voice]).pack())
                self.published += 1
            due += self._packet_s
            await asyncio.sleep(max(0, due - loop.time()))


@contextlib.asynccontextmanager
async def running(*coroutines) -> AsyncIterator[None]:
    """Run tasks beside a block, and end them with it; a task that fails fails the test."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(coroutine) for coroutine in coroutines]
        yield
        for task in tasks:
            task.cancel()


def loudest(samples: np.ndarray, rate: int) -> float:
    """The frequency (Hz) that is strongest in the samples."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate / len(samples))
