"""Listening end to end: a call's packets in Redis, an aiortc client's ears at the other end."""

import asyncio
import contextlib
import json

import pytest
from aiortc.rtp import RtpPacket
from prometheus_client import REGISTRY

from livemon.media import listening
from livemon.media.errors import CallNotFound, CallOver, MicrophoneRefused, NotAudible, RedisAway, TooMany
from livemon_runtime.codecs import Codec
from tests.media.call_source import AGENT_HZ, CALLER_HZ, tone_packets
from tests.media.offers import offer, section


def count(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0


async def listen(at, ears, user: str = "u1", hold=None):
    """A new listener who hears the call, and the answer it got."""
    listener = ears()
    answer = await at.listening.open("call-1", user, "Ada", await listener.offer(), hold)
    await listener.accept(answer)
    return listener, answer


async def hears(listener, voice: str = "caller", hz: float = CALLER_HZ) -> None:
    assert await listener.tone(voice, timeout=30) == pytest.approx(hz, abs=6)


async def untapped(at) -> None:
    async with asyncio.timeout(60):
        while await at.call.is_tapped():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("codec", list(Codec))
async def test_each_voice_is_heard_on_its_own_track(stage, ear, codec) -> None:
    """The caller's tone arrives on the first track and the agent's on the second, whatever the codec."""
    async with stage(codec) as at:
        listener, answer = await listen(at, ear)
        assert answer.voices == ("caller", "agent", "supervisor")
        await hears(listener, "caller", CALLER_HZ)
        await hears(listener, "agent", AGENT_HZ)


async def test_a_page_of_before_that_offers_two_sections_hears_the_caller_and_the_agent(stage, ear) -> None:
    async with stage() as at:
        listener = ear("caller", "agent")
        answer = await at.listening.open("call-1", "u1", "Ada", await listener.offer())
        await listener.accept(answer)
        assert answer.voices == ("caller", "agent")
        await hears(listener, "caller", CALLER_HZ)
        await hears(listener, "agent", AGENT_HZ)


async def test_of_two_listeners_one_leaves_and_the_other_hears_on(stage, ear) -> None:
    async with stage() as at:
        first, answer = await listen(at, ear, "u1")
        second, _ = await listen(at, ear, "u2")
        await hears(first)
        await hears(second)
        assert at.call.woken == 1
        await at.listening.close(answer.listener_id)
        await at.listening.close(answer.listener_id)
        assert at.listening.count("call-1") == 1
        assert await at.call.is_tapped()
        await hears(second)
        first.heard["caller"].clear()
        await hears(second, "agent", AGENT_HZ)
        assert not first.heard["caller"]


async def test_a_voice_that_starts_anew_is_heard_on_the_same_connection(stage, ear) -> None:
    """A new SSRC, with numbers of its own: the browser was told one SSRC, and goes on hearing."""
    async with stage() as at:
        listener, _ = await listen(at, ear)
        await hears(listener)
        at.call._tones["caller"] = tone_packets(Codec.OPUS, 660)
        await at.until(lambda: listener.heard["caller"])
        async with asyncio.timeout(60):
            while abs(await listener.tone("caller") - 660) > 6:
                pass
        assert at.listening.count("call-1") == 1


async def test_a_call_that_changes_its_codec_ends_the_listening_and_the_next_offer_gets_the_new_one(stage, ear) -> None:
    async with stage(Codec.OPUS) as at:
        listener, _ = await listen(at, ear)
        await hears(listener)
        before = count("livemon_listeners_stopped_total", reason="codec_changed")
        await at.call.change_codec(Codec.PCMU)
        await at.until(lambda: at.listening.count("call-1") == 0)
        assert count("livemon_listeners_stopped_total", reason="codec_changed") == before + 1
        again, _ = await listen(at, ear)
        await hears(again)


async def test_redis_gone_and_back_the_audio_goes_on_by_itself(stage_on, own_valkey, ear) -> None:
    async with stage_on(own_valkey.url) as at:
        listener, answer = await listen(at, ear)
        await hears(listener)
        own_valkey.kill()
        own_valkey.start()
        await at.until(lambda: at.call.tapped.is_set())
        await hears(listener)
        assert at.listening.owner(answer.listener_id) == "u1"


async def test_with_redis_away_an_offer_is_refused_and_nothing_stays(stage_on, own_valkey, ear) -> None:
    async with stage_on(own_valkey.url) as at:
        own_valkey.kill()
        with pytest.raises(RedisAway):
            await listen(at, ear)
        assert not at.listening._listeners
        assert not at.listening._channels
        own_valkey.start()


async def test_listening_writes_the_tap_and_its_command_and_not_one_packet(stage, ear, valkey) -> None:
    """All that Redis sees: the runtime's own packets, the tap, the command that wakes it, and who listens."""
    key = "livemon:{default}"
    allowed = {
        ("EVAL", None), ("ZADD", f"{key}:call:call-1:tap"), ("EXPIRE", f"{key}:call:call-1:tap"),
        ("ZREM", f"{key}:call:call-1:tap"), ("HSET", f"{key}:listeners"), ("PEXPIRE", f"{key}:listeners"),
    }  # fmt: skip
    reads = {"TIME", "XREAD", "ZCOUNT", "PTTL", "HGETALL", "ZRANGE", "HMGET", "XINFO", "HELLO", "CLIENT", "SSUBSCRIBE"}
    reads |= {
        "SUNSUBSCRIBE",
        "PING",
        "XREVRANGE",
        "XRANGE",
        "ZCARD",
        "EXISTS",
        "GET",
        "TTL",
        "SELECT",
        "MONITOR",
        "ECHO",
    }
    seen: list[list[str]] = []
    async with stage() as at, valkey.monitor() as monitor:
        before = at.call.published
        listener, answer = await listen(at, ear)
        await hears(listener)
        for _ in range(20):
            await send_rtp(listener)
        await at.listening.close(answer.listener_id)
        await untapped(at)
        await at.until(lambda: not at.call.tapped.is_set())
        mark = await valkey.echo("the end") and "the end"
        while not seen or seen[-1][-1] != mark:
            seen.append((await monitor.next_command())["command"].split(" ", 3))
            seen[-1] = [part.strip('"') for part in seen[-1][:3]] + seen[-1][3:]
            if seen[-1][0].upper() == "ECHO":
                break
        published = at.call.published - before
    writes = [one for one in seen if one[0].upper() not in reads]
    packets = [one for one in writes if one[0].upper() == "SPUBLISH"]
    assert len(packets) == published > 0
    assert {one[1] for one in packets} == {f"livemon:{{default:call-1}}:audio:{voice}" for voice in ("caller", "agent")}
    commands = [one for one in writes if one[0].upper() == "XADD"]
    assert {one[1] for one in commands} == {f"{key}:runtime:{at.call.runtime_id}:commands"}
    assert len(commands) == at.call.woken == 1
    rest = {(one[0].upper(), one[1] if one[0].upper() != "EVAL" else None) for one in writes}
    assert rest - {("SPUBLISH", one[1]) for one in packets} - {("XADD", commands[0][1])} <= allowed
    await valkey.ping()


async def send_rtp(listener) -> None:
    """What a hostile browser could do: send sound in spite of the answer."""
    way = listener.connection.getTransceivers()[0].receiver.transport
    await way._send_rtp(RtpPacket(payload_type=111, sequence_number=1, ssrc=9, payload=b"sound").serialize())


async def test_sound_that_a_browser_sends_anyway_is_discarded_and_counted(stage, ear) -> None:
    async with stage() as at:
        listener, answer = await listen(at, ear)
        await hears(listener)
        before = count("livemon_listen_inbound_packets_total")
        way = listener.connection.getTransceivers()[0].receiver.transport
        for n in range(10):
            await way._send_rtp(RtpPacket(payload_type=111, sequence_number=n, ssrc=9, payload=b"sound").serialize())
        await at.until(lambda: count("livemon_listen_inbound_packets_total") == before + 10)
        assert at.listening._listeners[answer.listener_id].peer.discarded == 10
        await hears(listener)


async def test_an_offer_with_a_microphone_is_refused_and_nothing_is_asked_of_the_runtime(stage) -> None:
    async with stage() as at:
        with pytest.raises(MicrophoneRefused):
            await at.listening.open("call-1", "u1", "Ada", offer(section("0"), section("1", "sendrecv")))
        assert at.call.woken == 0
        assert not await at.call.is_tapped()
        assert not at.listening._channels


class Held:
    """A session that a test ends, and that knows whether it is still held."""

    def __init__(self) -> None:
        self.ended, self.holding = asyncio.Event(), False

    @contextlib.asynccontextmanager
    async def hold(self):
        self.holding = True
        try:
            yield self
        finally:
            self.holding = False


async def test_the_sessions_end_stops_the_listening_and_lets_go_of_the_session(stage, ear) -> None:
    async with stage() as at:
        session = Held()
        _, answer = await listen(at, ear, hold=session.hold())
        await at.until(lambda: session.holding)
        session.ended.set()
        took = await at.until(lambda: at.listening.owner(answer.listener_id) is None)
        print(f"stopped {took:.2f} s after the session's end")
        await at.until(lambda: not session.holding)
        await untapped(at)


async def test_a_page_that_closes_as_its_right_ends_is_not_the_one_who_ended_it(stage, ear) -> None:
    async with stage() as at:
        session, reasons = Held(), []
        listener = ear()
        answer = await at.listening.open("call-1", "u1", "Ada", await listener.offer(), session.hold(), reasons.append)
        await at.until(lambda: session.holding)
        session.ended.set()
        await at.listening.close(answer.listener_id)  # in the same turn of the loop: nothing has looked at it before
        assert reasons == ["session_ended"]


async def test_the_calls_end_stops_the_listening(stage, ear) -> None:
    async with stage() as at:
        _, answer = await listen(at, ear)
        await at.call.end()
        took = await at.until(lambda: at.listening.owner(answer.listener_id) is None)
        print(f"stopped {took:.2f} s after the call's end")
        await untapped(at)
        with pytest.raises(CallOver):
            await listen(at, ear)


async def test_a_listener_that_goes_away_properly_is_gone_at_once(stage, ear) -> None:
    async with stage() as at:
        listener, answer = await listen(at, ear)
        await hears(listener)
        await listener.connection.close()
        took = await at.until(lambda: at.listening.owner(answer.listener_id) is None)
        print(f"stopped {took:.2f} s after DTLS said goodbye")
        await untapped(at)


async def test_who_never_connects_is_let_go(stage, ear, monkeypatch) -> None:
    monkeypatch.setattr(listening, "CONNECT_TIMEOUT_S", 0.2)
    async with stage() as at:
        listener = ear()
        answer = await at.listening.open("call-1", "u1", "Ada", await listener.offer())
        before = count("livemon_listeners_stopped_total", reason="never_connected")
        await at.until(lambda: at.listening.owner(answer.listener_id) is None)
        assert count("livemon_listeners_stopped_total", reason="never_connected") == before + 1
        await untapped(at)


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 8, 13, 21])
async def test_an_offer_that_is_given_up_at_any_moment_leaves_nothing(stage, ear, turns) -> None:
    async with stage() as at:
        opening = asyncio.create_task(at.listening.open("call-1", "u1", "Ada", await ear().offer()))
        for _ in range(turns):
            await asyncio.sleep(0)
        opening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await at.listening.close((await opening).listener_id)
        assert not at.listening._listeners
        assert not at.listening._channels
        assert not at.listening._opening
        assert not at.listening._opening_by
        assert not await at.call.is_tapped()


async def test_offers_made_at_once_do_not_get_past_one_persons_limit(stage, ear, monkeypatch) -> None:
    monkeypatch.setattr(listening, "MOST_OF_ONE_PERSON", 2)
    async with stage() as at:
        offers = [await ear().offer() for _ in range(4)]
        opened = await asyncio.gather(
            *(at.listening.open("call-1", "u1", "Ada", one) for one in offers), return_exceptions=True
        )
        assert sum(isinstance(one, TooMany) for one in opened) == 2
        assert at.listening.count("call-1") == 2
        await listen(at, ear, "u2")


async def test_the_nodes_limit_counts_everyone(stage, ear) -> None:
    async with stage() as at:
        at.listening._most_listeners = 1
        _, answer = await listen(at, ear, "u1")
        with pytest.raises(TooMany, match="This server"):
            await listen(at, ear, "u2")
        await at.listening.close(answer.listener_id)
        await listen(at, ear, "u2")


def test_the_limits_are_16_of_one_person_and_1000_of_a_node() -> None:
    assert (listening.MOST_OF_ONE_PERSON, listening.MOST_LISTENERS) == (16, 1_000)


async def test_a_call_that_is_not_there_or_shares_no_audio_says_so(stage, ear) -> None:
    async with stage() as at:
        with pytest.raises(CallNotFound):
            await at.listening.open("call-2", "u1", "Ada", await ear().offer())
        at.call._call["capabilities"] = ["end"]
        await at.call._say("call_updated")
        await at.until(lambda: at.feed.get("call-1").call.capabilities == ["end"])
        with pytest.raises(NotAudible):
            await listen(at, ear)


async def test_a_browser_that_cannot_play_a_voice_is_told_so(stage) -> None:
    async with stage(Codec.PCMU) as at:
        deaf = [line.replace("PCMU/8000", "X/8000") for line in section("1")]
        deaf[0] = deaf[0].replace(" 0 8", " 8")
        deaf = [line for line in deaf if not line.startswith("a=rtpmap:0")]
        with pytest.raises(NotAudible, match="pcmu"):
            await at.listening.open("call-1", "u1", "Ada", offer(section("0"), deaf))
        assert not at.listening._channels


async def test_hostile_packets_hurt_nobody_who_listens(stage, ear) -> None:
    """Of the wrong codec, cut short, monstrous: each is dropped, and the call is heard on."""
    async with stage() as at:
        listener, _ = await listen(at, ear)
        await hears(listener)
        for packet in (
            b"",
            b"\x80",
            b"x" * 3_000_000,
            b"\x80\x6f" + b"\0" * 1_498,
            json.dumps({}).encode(),
            b"\xff" * 99,
        ):
            await at.call.publish("caller", packet)
        await hears(listener)
