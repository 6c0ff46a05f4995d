"""Whom a listener hears on the third track: the supervisor of the claim that has the call, and nobody else."""

import asyncio

import pytest
from prometheus_client import REGISTRY

from livemon.media.errors import NotAudible
from livemon_runtime.codecs import Codec
from tests.media.call_source import CALLER_HZ, running, tone_packets
from tests.media.offers import SESSION, offer, section
from tests.media.test_listening import hears, listen, untapped
from tests.media.test_voices import Heard

FIRST_HZ, SECOND_HZ = 600, 1_500


async def accepted(at, claim_id: str) -> None:
    """The claim has the call, and livemon knows it."""
    await at.call.accept(claim_id)
    await at.until(lambda: (held := at.feed.get("call-1").controller) and held.claim_id == claim_id)


async def readers(at, claim_id: str) -> int:
    """How many read the claim's channel; whoever does finds an empty message there, and drops it."""
    return await at.call.publish_as(claim_id, b"")


async def is_read(at, claim_id: str, times: int = 1) -> None:
    """Wait until so many read the claim's channel."""
    async with asyncio.timeout(60):
        while await readers(at, claim_id) != times:
            await asyncio.sleep(0.01)


def dropped(metric: str, **labels: str) -> float:
    """The sum of a counter's samples that have these labels."""
    samples = [one for family in REGISTRY.collect() for one in family.samples if one.name == metric]
    return sum(one.value for one in samples if labels.items() <= one.labels.items())


@pytest.mark.parametrize(
    ("codec", "supervisor"),
    [
        (Codec.OPUS, None),
        (Codec.PCMU, None),
        (Codec.L16_16000, None),
        (Codec.OPUS, Codec.L16_48000),
        (Codec.L16_8000, Codec.OPUS),
    ],
)
async def test_who_has_the_call_is_heard_on_the_third_track_in_every_codec(stage, ear, codec, supervisor) -> None:
    """Listening that begins on a taken-over call; the supervisor comes in the codec that the runtime wants."""
    async with stage(codec, supervisor) as at, running(at.call.speak_as("claim-1", supervisor or codec, FIRST_HZ)):
        await accepted(at, "claim-1")
        listener, _ = await listen(at, ear)
        await hears(listener, "supervisor", FIRST_HZ)
        await hears(listener, "caller", CALLER_HZ)


async def test_a_take_over_while_they_listen_is_heard_from_when_it_is_accepted_and_not_before(stage, ear) -> None:
    """A claim that only stands publishes nothing; if something did, nobody would hear it."""
    async with stage() as at, running(at.call.speak_as("claim-1", Codec.OPUS, FIRST_HZ)):
        listener, answer = await listen(at, ear)
        await hears(listener)
        await at.call.stand("claim-1")
        await at.until(lambda: at.feed.get("call-1").claim)
        await hears(listener)
        assert not listener.heard["supervisor"]
        assert await readers(at, "claim-1") == 0
        await at.call.accept("claim-1")
        await hears(listener, "supervisor", FIRST_HZ)
        await hears(listener)
        assert at.listening.owner(answer.listener_id) == "u1"


async def test_the_next_supervisor_is_heard_in_place_of_the_one_before(stage, ear) -> None:
    """Both go on speaking: a resume, a rescue, a supervisor whose livemon has not heard of it yet."""
    speaking = (("claim-1", FIRST_HZ), ("claim-2", SECOND_HZ))
    async with stage() as at, running(*(at.call.speak_as(claim, Codec.OPUS, hz) for claim, hz in speaking)):
        await accepted(at, "claim-1")
        listener, _ = await listen(at, ear)
        await hears(listener, "supervisor", FIRST_HZ)
        await at.call.stand("claim-2")
        await at.until(lambda: at.feed.get("call-1").claim)
        assert await readers(at, "claim-2") == 0
        await accepted(at, "claim-2")
        await is_read(at, "claim-2")
        assert await readers(at, "claim-1") == 0
        await at.until(lambda: listener.heard["supervisor"])
        async with asyncio.timeout(60):
            while abs(await listener.tone("supervisor") - SECOND_HZ) > 6:
                pass
        await hears(listener)


async def test_a_message_of_an_earlier_claim_that_is_on_its_way_is_not_passed_on(stage, ear) -> None:
    """Redis may have sent it before it took the unsubscription."""
    async with stage() as at:
        await accepted(at, "claim-1")
        await listen(at, ear)
        await is_read(at, "claim-1")
        heard = Heard()
        at.listening._channels["call-1"].voices.lines["supervisor"].fan_out.add(heard)
        await accepted(at, "claim-2")
        tone = tone_packets(Codec.OPUS, FIRST_HZ)
        late, timely = next(tone), next(tone)
        for claim, packet in (("claim-1", late), ("claim-2", timely)):
            at.listening._reader._deliver(at.call.keys.supervisor("call-1", claim).encode(), packet.pack())
        assert [one.payload for one in heard.packets] == [timely.payload]


async def test_a_supervisor_who_turns_out_not_to_have_the_call_is_heard_no_more(stage, ear) -> None:
    async with stage() as at:
        await accepted(at, "claim-1")
        listener, _ = await listen(at, ear)
        await is_read(at, "claim-1")
        await at.call.go_back()
        await is_read(at, "claim-1", times=0)
        await hears(listener)


async def test_with_the_last_listener_nothing_of_the_call_is_read_any_more(stage, ear) -> None:
    async with stage() as at:
        await accepted(at, "claim-1")
        _, first = await listen(at, ear, "u1")
        _, second = await listen(at, ear, "u2")
        await is_read(at, "claim-1")
        await at.listening.close(first.listener_id)
        assert await readers(at, "claim-1") == 1
        await at.listening.close(second.listener_id)
        assert not at.listening._reader._sinks
        await is_read(at, "claim-1", times=0)
        await accepted(at, "claim-2")
        assert await readers(at, "claim-2") == 0
        await untapped(at)


async def test_two_sections_of_a_taken_over_call_bring_the_caller_and_the_agent_alone(stage, ear) -> None:
    async with stage() as at, running(at.call.speak_as("claim-1", Codec.OPUS, FIRST_HZ)):
        await accepted(at, "claim-1")
        listener = ear("caller", "agent")
        answer = await at.listening.open("call-1", "u1", "Ada", await listener.offer())
        await listener.accept(answer)
        assert answer.voices == ("caller", "agent")
        await hears(listener)


async def test_a_browser_that_cannot_play_the_supervisors_codec_is_told_so(stage) -> None:
    async with stage(Codec.OPUS, Codec.PCMU) as at:
        deaf = [line for line in section("2") if not line.startswith("a=rtpmap:0")]
        deaf[0] = deaf[0].replace(" 0 8", " 8")
        session = [line.replace("0 1", "0 1 2") for line in SESSION]
        with pytest.raises(NotAudible, match="pcmu"):
            await at.listening.open("call-1", "u1", "Ada", offer(section("0"), section("1"), deaf, session=session))
        assert not at.listening._channels


async def test_another_codec_for_the_supervisor_ends_the_listening_and_the_next_offer_gets_it(stage, ear) -> None:
    async with stage(Codec.OPUS) as at, running(at.call.speak_as("claim-1", Codec.PCMA, FIRST_HZ)):
        await accepted(at, "claim-1")
        _, answer = await listen(at, ear)
        await at.call.change_supervisors_codec(Codec.PCMA)
        await at.until(lambda: at.listening.owner(answer.listener_id) is None)
        again, _ = await listen(at, ear)
        await hears(again, "supervisor", FIRST_HZ)


async def test_a_supervisors_bad_packet_is_not_counted_against_the_calls_runtime(stage, ear) -> None:
    """Livemon itself sends them: a runtime has nothing to do with what is wrong there."""
    async with stage() as at:
        runtime = {"runtime": at.call.runtime_id}
        before = dropped("livemon_listen_supervisor_refused_total", reason="payload_type")
        await accepted(at, "claim-1")
        await listen(at, ear)
        await is_read(at, "claim-1")
        packet = next(tone_packets(Codec.PCMU, FIRST_HZ)).pack()
        await at.call.publish_as("claim-1", packet)
        await at.until(lambda: dropped("livemon_listen_supervisor_refused_total", reason="payload_type") == before + 1)
        assert dropped("livemon_input_dropped_total", **runtime) == 0
        await at.call.publish("caller", packet)
        await at.until(lambda: dropped("livemon_input_dropped_total", **runtime) == 1)
