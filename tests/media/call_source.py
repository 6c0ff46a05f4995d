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

    def __init__(
        self,
        redis: Redis,
        call_id: str,
        codec: Codec,
        *,
        keys: Keys | None = None,
        supervisor: Codec | None = None,
    ) -> None:
        self.redis, self.keys, self.call_id = redis, keys or Keys(), call_id
        self.runtime_id = f"test-{secrets.token_hex(4)}"
        self.tapped = asyncio.Event()
        self.held = False
        """A supervisor has the call: its caller's voice is published always."""
        self.woken = 0
        self.published = 0
        self._tones = {"caller": tone_packets(codec, CALLER_HZ), "agent": tone_packets(codec, AGENT_HZ)}
        self._controller: dict[str, object] | None = None
        self._claim: dict[str, object] | None = None
        self._packet_s = codec.form.packet_ms / 1000
        self._rev = 0
        self._call = {
            "call_id": call_id,
            "call_type": "web_call",
            "start_timestamp": 1_700_000_000_000,
            "call_status": "ongoing",
            "audio": {"caller": codec, "agent": codec, "supervisor": supervisor},
            "capabilities": ["listen", "take_over", "end"],
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

    async def accept(self, claim_id: str) -> None:
        """The claim has the call from now on; nobody asks for it."""
        self._controller = {**_claim(claim_id), "since": 1_700_000_000_500}
        self._claim = None
        self._call["call_status"] = "taken_over"
        await self._say("call_updated")

    async def stand(self, claim_id: str) -> None:
        """The claim asks for the call, and is not accepted yet."""
        self._claim = {**_claim(claim_id), "deadline": 4_000_000_000_000}
        await self._say("call_updated")

    async def go_back(self) -> None:
        """The agent has the call after all, as after a failover that lost the accept."""
        self._controller = None
        self._call["call_status"] = "ongoing"
        await self._say("call_updated")

    async def change_supervisors_codec(self, codec: Codec) -> None:
        self._call["audio"] = {**self._call["audio"], "supervisor": codec}
        await self._say("call_updated")

    async def change_codec(self, codec: Codec) -> None:
        self._call["audio"] = {"caller": codec, "agent": codec}
        self._tones = {"caller": tone_packets(codec, CALLER_HZ), "agent": tone_packets(codec, AGENT_HZ)}
        await self._say("call_updated")

    async def publish(self, voice: Voice, packet: bytes) -> int:
        """Publish one packet; return how many subscribers took it."""
        return await self.redis.execute_command("SPUBLISH", self.keys.audio(self.call_id, voice), packet)

    async def publish_as(self, claim_id: str, packet: bytes) -> int:
        """The same on the channel of a claim's supervisor."""
        return await self.redis.execute_command("SPUBLISH", self.keys.supervisor(self.call_id, claim_id), packet)

    async def speak_as(self, claim_id: str, codec: Codec, hz: float) -> None:
        """A supervisor's tone on the claim's channel, at real-time pace, until cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        for packet in tone_packets(codec, hz):
            await self.publish_as(claim_id, packet.pack())
            due += codec.form.packet_ms / 1000
            await asyncio.sleep(max(0, due - loop.time()))

    async def run(self) -> None:
        """Speak while tapped; wake at the `tap` command."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._obey())
            tasks.create_task(self._watch_tap())
            for voice in self._tones:
                tasks.create_task(self._speak(voice))

    async def _say(self, kind: str) -> None:
        self._rev += 1
        who = {"controller": self._controller, "claim": self._claim}
        data = json.dumps({"call": self._call, "runtime": self.runtime_id, **who})
        fields = {"incarnation": "one", "rev": self._rev, "runtime": self.runtime_id, "generation": 0}
        await self.redis.hset(
            self.keys.call(self.call_id),
            mapping={
                **fields,
                "data": json.dumps(self._call),
                **{name: json.dumps(one) if one else "" for name, one in who.items()},
            },
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
                if not self.held and not await self.is_tapped():
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


def _claim(claim_id: str) -> dict[str, object]:
    return {"user_id": "grace", "name": "Grace", "claim_id": claim_id, "generation": 1}


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
