"""A call's audio: nothing is built while nobody listens; a tap brings it, and a tap that runs out ends it."""

import asyncio
import time
from typing import Any

import pytest
import redis.asyncio

from livemon_runtime import Audio, Call, Runtime
from livemon_runtime.packetizer import Packetizer
from livemon_runtime.rtp import RtpPacket
from tests.runtime.conftest import Livemon, eventually

OPUS_20_MS = bytes([0x78]) + b"opus"  # config 15: hybrid, 20 ms, one frame
FRAMES = {"opus": OPUS_20_MS, "pcmu": bytes(range(160)), "pcma": bytes(160), "l16/8000": bytes(range(200)) + bytes(120)}


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livemon_runtime.heartbeat.HEARTBEAT_S", 0.5)


async def announced(livemon: Livemon, runtime: Runtime, codec: str = "l16/8000") -> Call:
    call = runtime.call(call_id="c-1", audio=Audio(caller=codec, agent=codec))
    await eventually(lambda: livemon.call("c-1"))
    return call


async def tap(livemon: Livemon, runtime: Runtime, ms: int = 15_000) -> None:
    """Ask for the audio as livemon does."""
    await livemon.redis.zadd(livemon.keys.tap("c-1"), {"node-1": await livemon.now() + ms})
    await livemon.send(runtime.runtime_id, "c-1", "tap")


class Ear:
    """A listener on both of a call's voices."""

    def __init__(self, client: redis.asyncio.Redis, livemon: Livemon) -> None:
        self.pubsub: Any = client.pubsub(ignore_subscribe_messages=True)
        self._channels = [livemon.keys.audio("c-1", "caller"), livemon.keys.audio("c-1", "agent")]

    async def __aenter__(self) -> "Ear":
        await self.pubsub.ssubscribe(*self._channels)
        for _ in self._channels:
            await self.pubsub.get_message(timeout=5)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.pubsub.aclose()

    async def packet(self) -> tuple[str, RtpPacket]:
        async with asyncio.timeout(60):
            while not (message := await self.pubsub.get_message(ignore_subscribe_messages=True, timeout=1)):
                pass
        return message["channel"].decode().rsplit(":", 1)[1], RtpPacket.parse(message["data"])


async def on(call: Call) -> bool:
    return call.voices.caller_on and call.voices.agent_on


async def off(call: Call) -> bool:
    return not call.voices.caller_on and not call.voices.agent_on


async def test_while_nobody_listens_no_packet_is_built(
    livemon: Livemon, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[bytes] = []
    pack = Packetizer.packets
    monkeypatch.setattr(Packetizer, "packets", lambda self, frame, now: built.append(frame) or pack(self, frame, now))
    call = await announced(livemon, runtime)
    for _ in range(1_000):
        call.caller_audio(bytes(320))
        call.agent_audio(bytes(320))
    assert built == []
    await tap(livemon, runtime)
    await eventually(lambda: on(call))
    call.caller_audio(bytes(320))
    assert len(built) == 1, "the count counts"


@pytest.mark.parametrize("codec", list(FRAMES))
async def test_a_tap_brings_both_voices(livemon: Livemon, runtime: Runtime, codec: str) -> None:
    call = await announced(livemon, runtime, codec)
    async with Ear(livemon.redis, livemon) as ear:
        tapped_at = time.monotonic()
        await tap(livemon, runtime)
        await eventually(lambda: on(call))
        print(f"tap to packets: {(time.monotonic() - tapped_at) * 1000:.0f} ms")
        call.caller_audio(FRAMES[codec])
        call.agent_audio(FRAMES[codec])
        heard = dict([await ear.packet(), await ear.packet()])
    assert heard.keys() == {"caller", "agent"}
    form = call.record.call.audio.caller.form  # type: ignore[union-attr]
    for packet in heard.values():
        assert packet.payload_type == form.payload_type
        assert packet.marker
        if codec == "l16/8000":
            swapped = b"".join(FRAMES[codec][at + 1 : at + 2] + FRAMES[codec][at : at + 1] for at in range(0, 320, 2))
            assert packet.payload == swapped
        else:
            assert packet.payload == FRAMES[codec]
    assert heard["caller"].ssrc != heard["agent"].ssrc


async def test_after_a_silence_rtp_time_jumps_with_the_clock_and_says_so(livemon: Livemon, runtime: Runtime) -> None:
    call = await announced(livemon, runtime)
    async with Ear(livemon.redis, livemon) as ear:
        await tap(livemon, runtime)
        await eventually(lambda: on(call))
        call.caller_audio(bytes(640))
        _, first = await ear.packet()
        _, second = await ear.packet()
        began = time.monotonic()
        await asyncio.sleep(0.5)
        call.caller_audio(bytes(320))
        silent_for = time.monotonic() - began
        _, third = await ear.packet()
    assert [first.marker, second.marker, third.marker] == [True, False, True]
    assert (second.timestamp - first.timestamp) % 2**32 == 160
    assert (third.sequence - first.sequence) % 2**16 == 2
    assert (third.timestamp - first.timestamp) % 2**32 >= 0.49 * 8_000
    assert (third.timestamp - first.timestamp) % 2**32 <= (silent_for + 5) * 8_000


async def test_a_tap_that_is_not_renewed_runs_out(livemon: Livemon, runtime: Runtime) -> None:
    call = await announced(livemon, runtime)
    await tap(livemon, runtime, 1_500)
    await eventually(lambda: on(call))
    await eventually(lambda: off(call))
    async with Ear(livemon.redis, livemon) as ear:
        call.caller_audio(bytes(320))
        assert await ear.pubsub.get_message(ignore_subscribe_messages=True, timeout=0.3) is None


async def test_a_node_that_leaves_ends_its_tap_alone(livemon: Livemon, runtime: Runtime) -> None:
    call = await announced(livemon, runtime)
    await livemon.redis.zadd(livemon.keys.tap("c-1"), {"node-2": await livemon.now() + 15_000})
    await tap(livemon, runtime)
    await eventually(lambda: on(call))
    looks = call.voices.tapped_until
    await livemon.redis.zrem(livemon.keys.tap("c-1"), "node-2")
    await eventually(lambda: looked_again(call, looks))
    assert await on(call)
    await livemon.redis.zrem(livemon.keys.tap("c-1"), "node-1")
    await eventually(lambda: off(call))


async def looked_again(call: Call, before: int) -> bool:
    return call.voices.tapped_until >= before


async def test_a_tap_without_a_command_is_seen_at_the_heartbeat(livemon: Livemon, runtime: Runtime) -> None:
    call = await announced(livemon, runtime)
    await livemon.redis.zadd(livemon.keys.tap("c-1"), {"node-1": await livemon.now() + 15_000})
    await eventually(lambda: on(call))


async def test_the_end_of_the_call_ends_its_audio(livemon: Livemon, runtime: Runtime) -> None:
    call = await announced(livemon, runtime)
    await tap(livemon, runtime)
    await eventually(lambda: on(call))
    call.end()
    assert await off(call)


async def test_a_call_without_audio_is_never_switched_on(livemon: Livemon, runtime: Runtime) -> None:
    call = runtime.call(call_id="c-1")
    await eventually(lambda: livemon.call("c-1"))
    await tap(livemon, runtime)
    await eventually(lambda: as_async(call.voices.tapped_until))
    assert await off(call)
    call.caller_audio(bytes(320))
    assert not runtime.counters


async def as_async(value: Any) -> Any:
    return value


@pytest.mark.parametrize(
    ("codec", "frame", "reason"),
    [
        ("opus", b"", "audio_packet_empty"),
        ("opus", bytes(2_000), "audio_packet_too_long"),
        ("l16/8000", bytes(321), "audio_bad_pcm"),
        ("pcmu", "text", "audio_malformed"),
        ("pcmu", None, "audio_packet_empty"),
    ],
)
async def test_what_is_no_audio_is_dropped_and_counted(
    livemon: Livemon, runtime: Runtime, codec: str, frame: Any, reason: str
) -> None:
    call = await announced(livemon, runtime, codec)
    call.voices.caller_on = True
    call.caller_audio(frame)
    assert runtime.counters[reason] == 1


async def test_more_than_400_packets_a_second_are_dropped_and_counted(livemon: Livemon, runtime: Runtime) -> None:
    call = await announced(livemon, runtime, "opus")
    call.voices.caller_on = True
    for _ in range(2_000):
        call.caller_audio(OPUS_20_MS)
    assert 1_000 <= runtime.counters["audio_too_many"] <= 1_200
