"""A supervisor's microphone, from a WebRTC client as a browser is one to the claim's channel; and what never gets there."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from livemon.media.errors import BadOffer, CallNotFound, CallOver, NotAudible
from livemon.media.microphone import SOUND_BURST_S, MicrophoneLink, TalkAnswer, Talking
from livemon_runtime.codecs import Codec
from livemon_runtime.keys import Keys
from livemon_runtime.rtp import RtpPacket
from tests.media.call_source import CALLER_HZ, loudest, running
from tests.media.conftest import Stage, StageMaker
from tests.media.offers import offer, section
from tests.media.test_supervisor_voice import sound

HZ = 600


class Tone(MediaStreamTrack):
    """What a microphone hears: one tone, at real-time pace."""

    kind = "audio"

    def __init__(self, hz: float = HZ) -> None:
        super().__init__()
        self.hz, self.quiet = hz, False
        self._n, self._began = 0, asyncio.get_running_loop().time()

    async def recv(self) -> av.AudioFrame:
        while self.quiet:
            await asyncio.sleep(0.02)
        await asyncio.sleep(max(0, self._began + self._n * 0.02 - asyncio.get_running_loop().time()))
        at = (np.arange(960) + self._n * 960) / 48_000
        samples = (np.sin(2 * np.pi * self.hz * at) * 12_000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, self._n * 960, Fraction(1, 48_000)
        self._n += 1
        return frame


class Supervisor:
    """A browser that speaks, and hears the caller."""

    def __init__(self, hz: float = HZ) -> None:
        self.connection = RTCPeerConnection()
        self.tone = Tone(hz)
        self.connection.addTrack(self.tone)
        self.heard: list[np.ndarray] = []
        self.hearing = asyncio.ensure_future(self._hear())

    async def offer(self) -> str:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return self.connection.localDescription.sdp

    async def accept(self, answer: TalkAnswer) -> None:
        await self.connection.setRemoteDescription(RTCSessionDescription(answer.sdp, "answer"))

    async def _hear(self) -> None:
        receiver = self.connection.getTransceivers()[0].receiver
        while receiver.track is None:
            await asyncio.sleep(0.005)
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await receiver.track.recv()
                samples = frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0]
                self.heard.append(np.repeat(samples, 48_000 // frame.sample_rate))

    async def close(self) -> None:
        await self.connection.close()
        self.hearing.cancel()


@pytest.fixture
async def supervisor() -> AsyncIterator[Supervisor]:
    made = Supervisor()
    yield made
    await made.close()


class Runtime:
    """Whoever is subscribed to what is said towards the call, on any claim's channel."""

    def __init__(self, redis: Redis, call_id: str = "call-1") -> None:
        self.redis, self.call_id = redis, call_id
        self.packets: dict[str, list[RtpPacket]] = {}

    async def hear(self, *claims: str) -> None:
        pubsub = self.redis.pubsub()
        names = {Keys().supervisor(self.call_id, claim).encode(): claim for claim in claims}
        self.packets = {claim: [] for claim in claims}
        await pubsub.ssubscribe(*names)
        try:
            while True:
                message = await pubsub.get_message(timeout=1)
                if message and message["type"] == "smessage":
                    self.packets[names[message["channel"]]].append(RtpPacket.parse(message["data"]))
        finally:
            await pubsub.aclose()


@contextlib.asynccontextmanager
async def talking(at: Stage) -> AsyncIterator[Talking]:
    made = Talking(at.redis, Keys(), at.feed, at.listening)
    async with running(made.run()):
        await asyncio.sleep(0)
        yield made


async def speak(made: Talking, supervisor: Supervisor, call_id: str = "call-1") -> MicrophoneLink:
    link, answer = await made.open(call_id, "ada", await supervisor.offer())
    await supervisor.accept(answer)
    async with asyncio.timeout(60):
        await link.heard.wait()
    return link


def count(name: str) -> float:
    return REGISTRY.get_sample_value(name) or 0


def said() -> float:
    """How many packets of supervisors this process has sent to Redis, whatever the channel."""
    return count("livemon_talk_packets_total")


@pytest.mark.parametrize("codec", list(Codec))
async def test_the_voice_arrives_on_the_claims_channel_in_the_codec_of_the_call(
    stage: StageMaker, supervisor: Supervisor, codec: Codec, valkey: Redis
):
    async with stage(codec) as at, talking(at) as made:
        runtime = Runtime(valkey)
        async with running(runtime.hear("mine", "other")):
            before = said()
            link = await speak(made, supervisor)
            await asyncio.sleep(0.2)
            assert said() == before, "not one packet on any channel before the call is theirs"
            assert runtime.packets == {"mine": [], "other": []}
            link.publish_to("mine")
            await at.until(lambda: len(runtime.packets["mine"]) >= 60 * 20 // codec.form.packet_ms)
            link.hush()
            await asyncio.sleep(0.1)
            count = len(runtime.packets["mine"])
            await asyncio.sleep(0.3)
            assert len(runtime.packets["mine"]) == count, "and not one after"
            assert runtime.packets["other"] == []
            await link.close()
    samples, rate = sound(codec, runtime.packets["mine"])
    assert abs(loudest(samples[-rate // 2 :], rate) - HZ) < 6


@pytest.mark.parametrize("codec", [Codec.OPUS, Codec.PCMU, Codec.L16_16000])
async def test_the_caller_is_heard_meanwhile(stage: StageMaker, supervisor: Supervisor, codec: Codec):
    async with stage(codec) as at, talking(at) as made:
        link = await speak(made, supervisor)
        at.call.held = True
        at.call.tapped.set()
        await at.until(lambda: sum(map(len, supervisor.heard)) > 48_000)
        assert abs(loudest(np.concatenate(supervisor.heard)[-24_000:], 48_000) - CALLER_HZ) < 6
        await link.close()


async def test_a_browser_that_leaves_is_noticed_and_a_link_is_closed_more_than_once(
    stage: StageMaker, supervisor: Supervisor
):
    async with stage() as at, talking(at) as made:
        link = await speak(made, supervisor)
        link.publish_to("mine")
        await supervisor.close()
        async with asyncio.timeout(60):
            await link.gone.wait()
            await link.close()
            await link.close()
        assert not made._links


async def test_a_call_that_comes_in_other_codecs_lets_the_browser_ask_anew(stage: StageMaker, supervisor: Supervisor):
    async with stage() as at, talking(at) as made:
        link = await speak(made, supervisor)
        link.publish_to("mine")
        await at.call.change_codec(Codec.PCMU)
        async with asyncio.timeout(60):
            await link.gone.wait()
            await link.close()
        assert not made._links


async def test_a_microphone_that_falls_silent_is_none_any_more(
    stage: StageMaker, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
):
    async with stage() as at, talking(at) as made:
        link = await speak(made, supervisor)
        monkeypatch.setattr("livemon.media.microphone.GONE_AFTER_S", 2)
        monkeypatch.setattr("livemon.media.microphone.CONNECT_TIMEOUT_S", 1_000)  # has nothing to do with it
        supervisor.tone.quiet = True
        async with asyncio.timeout(60):
            await link.gone.wait()
        await link.close()


def packet(n: int, ssrc: int = 1, milliseconds: int = 20, timestamp: int | None = None) -> RtpPacket:
    """Opus from its first byte: SILK of 60 ms, or CELT of 20."""
    toc = {20: 31 << 3, 60: 11 << 3}[milliseconds]
    ticks = n * milliseconds * 48 if timestamp is None else timestamp
    return RtpPacket(111, n & 0xFFFF, ticks & 0xFFFFFFFF, ssrc, bytes([toc, 1, 2, 3]))


async def test_a_flood_of_sound_is_let_through_as_fast_as_anyone_speaks(stage: StageMaker, supervisor: Supervisor):
    """Packets of 60 ms, few enough to pass for a voice's and too long to be one."""
    async with stage() as at, talking(at) as made:
        link, _ = await made.open("call-1", "ada", await supervisor.offer())
        bad = count("livemon_talk_packets_bad_total")
        for n in range(100):
            link._take(packet(n, milliseconds=60))
        assert count("livemon_talk_packets_bad_total") - bad >= 100 - SOUND_BURST_S / 0.06 - 2
        await link.close()


async def test_what_is_no_opus_by_its_number_is_not_taken(stage: StageMaker, supervisor: Supervisor):
    async with stage() as at, talking(at) as made:
        link = await speak(made, supervisor)
        supervisor.tone.quiet = True
        taken: list[RtpPacket] = []
        link.peer._on_packet = taken.append
        opus = link.peer._payload_type("opus/48000")
        for number in (opus + 1, opus):
            await link.peer._discard(replace(packet(1, ssrc=7), payload_type=number).pack(), 0)
        assert [one.payload_type for one in taken if one.ssrc == 7] == [opus]
        await link.close()


async def test_a_new_source_is_heard_whatever_its_numbers(stage: StageMaker, supervisor: Supervisor):
    async with stage() as at, talking(at) as made:
        link, _ = await made.open("call-1", "ada", await supervisor.offer())
        link.publish_to("mine")
        before = said()
        link._take(packet(40_000))
        await at.until(lambda: said() == before + 1)
        link._take(packet(20_000, ssrc=2))
        await at.until(lambda: said() == before + 2)
        await link.close()


async def test_a_browser_that_never_comes_is_not_waited_for_for_ever(
    stage: StageMaker, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("livemon.media.microphone.CONNECT_TIMEOUT_S", 0.2)
    async with stage() as at, talking(at) as made:
        link, _ = await made.open("call-1", "ada", await supervisor.offer())
        async with asyncio.timeout(60):
            await link.gone.wait()
            await link.closed.wait()
        assert not link.heard.is_set()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (lambda: offer(section("0", "recvonly")), "does not both send and receive"),
        (lambda: offer(section("0", "sendonly")), "does not both send and receive"),
        (lambda: offer(section("0", "sendrecv"), section("1", "sendrecv")), "one audio section"),
        (lambda: offer(section("0", "sendrecv", kind="video")), "one audio section"),
        (lambda: "v=0", "one audio section"),
        (lambda: "hello", "it is not SDP"),
    ],
)
async def test_an_offer_that_is_none_of_a_microphone_is_refused_with_words(
    stage: StageMaker, text: Callable[[], str], why: str
):
    async with stage() as at, talking(at) as made:
        with pytest.raises(BadOffer, match=why):
            await made.open("call-1", "ada", text())
        assert not made._links
        assert at.listening.count("call-1") == 0


async def test_a_call_that_is_over_or_cannot_be_had_takes_no_microphone(stage: StageMaker, supervisor: Supervisor):
    async with stage() as at, talking(at) as made:
        sdp = await supervisor.offer()
        with pytest.raises(CallNotFound):
            await made.open("not-here", "ada", sdp)
        at.call._call["capabilities"] = ["listen"]
        await at.call.change_codec(Codec.OPUS)
        await at.until(lambda: at.feed.get("call-1").call.capabilities == ["listen"])
        with pytest.raises(NotAudible):
            await made.open("call-1", "ada", sdp)
        await at.call.end()
        await at.until(lambda: at.feed.get("call-1") is None)
        with pytest.raises((CallOver, CallNotFound)):
            await made.open("call-1", "ada", sdp)


async def test_what_is_no_opus_and_a_flood_do_no_harm(stage: StageMaker, supervisor: Supervisor, valkey: Redis):
    async with stage() as at, talking(at) as made:
        runtime = Runtime(valkey)
        async with running(runtime.hear("mine")):
            link = await speak(made, supervisor)
            link.publish_to("mine")
            for n in range(2_000):
                link._take(RtpPacket(111, n & 0xFFFF, n * 960, 1, b"\x03"))
            await link.peer._discard(b"\x80" * 40, 0)
            await at.until(lambda: len(runtime.packets["mine"]) > 20)
            await link.close()
