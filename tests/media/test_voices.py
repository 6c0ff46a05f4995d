"""A call's voices: what is passed on to the listeners, and what is dropped for which reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemon.media.continuity import VoicePacket
from livemon.media.voices import HEARD_VOICES, MAX_PAYLOAD, CallVoices
from livemon_runtime.codecs import Codec
from livemon_runtime.protocol import Audio
from livemon_runtime.rtp import RtpPacket
from tests.media.call_source import CALLER_HZ, tone_packets


class Heard:
    """Stands where a listener's outlet would: keeps what it is given to send."""

    def __init__(self) -> None:
        self.packets: list[VoicePacket] = []

    def send(self, packet: VoicePacket, ntp_time: int) -> bool:
        self.packets.append(packet)
        return True


class Stage:
    """One call whose clock is the test's."""

    def __init__(self, caller: Codec, agent: Codec = Codec.OPUS, supervisor: Codec | None = None) -> None:
        self.now = 0.0
        self.refused: list[tuple[str, str]] = []  # voice, reason
        audio = Audio(caller=caller, agent=agent, supervisor=supervisor)
        self.voices = CallVoices("call-1", audio, lambda: self.now, self.refuse)
        self.caller, self.agent, self.supervisor = Heard(), Heard(), Heard()
        for voice in HEARD_VOICES:
            self.voices.lines[voice].fan_out.add(getattr(self, voice))

    def refuse(self, call_id: str, voice: str, error: Exception) -> None:
        assert call_id == "call-1"
        self.refused.append((voice, error.reason))

    @property
    def reasons(self) -> list[str]:
        return [reason for _, reason in self.refused]


@pytest.mark.parametrize("codec", [Codec.OPUS, Codec.PCMU, Codec.PCMA])
def test_a_codec_that_browsers_play_is_passed_through_byte_for_byte(codec):
    stage, tone = Stage(codec), tone_packets(codec, CALLER_HZ)
    sent = [next(tone) for _ in range(10)]
    for packet in sent:
        stage.voices.take("caller", packet.pack())
    assert [packet.payload for packet in stage.caller.packets] == [packet.payload for packet in sent]
    assert not stage.agent.packets
    assert not stage.refused


@pytest.mark.parametrize("codec", [Codec.L16_8000, Codec.L16_16000, Codec.L16_24000, Codec.L16_48000])
def test_l16_is_encoded_once_for_all_who_listen(codec):
    stage, tone, second = Stage(codec), tone_packets(codec, CALLER_HZ), Heard()
    stage.voices.lines["caller"].fan_out.add(second)
    for _ in range(200 // codec.form.packet_ms):
        stage.voices.take("caller", next(tone).pack())
    assert len(stage.caller.packets) == 10
    assert all(one is other for one, other in zip(stage.caller.packets, second.packets, strict=True))
    assert [packet.timestamp for packet in stage.caller.packets] == [n * 960 for n in range(10)]


def test_a_packet_of_another_codec_is_dropped():
    stage = Stage(Codec.OPUS)
    stage.voices.take("caller", next(tone_packets(Codec.PCMU, CALLER_HZ)).pack())
    assert stage.reasons == ["payload_type"]
    assert not stage.caller.packets


def test_a_repeated_packet_is_dropped():
    stage, packet = Stage(Codec.OPUS), next(tone_packets(Codec.OPUS, CALLER_HZ)).pack()
    stage.voices.take("caller", packet)
    stage.voices.take("caller", packet)
    assert stage.reasons == ["packet_repeated"]
    assert len(stage.caller.packets) == 1


def test_a_packet_that_no_browser_could_be_sent_is_dropped_here_and_not_by_each_listener():
    stage = Stage(Codec.OPUS)
    for n, size in enumerate((MAX_PAYLOAD, MAX_PAYLOAD + 1)):
        stage.voices.take("caller", RtpPacket(111, n, n * 960, 1, b"x" * size).pack())
    assert stage.reasons == ["packet_too_long"]
    assert len(stage.caller.packets) == 1


def test_half_a_sample_is_dropped_and_the_voice_goes_on():
    stage = Stage(Codec.L16_8000)
    for n, payload in enumerate((b"\0" * 320, b"\0" * 319, b"\0" * 320)):
        stage.voices.take("caller", RtpPacket(97, n, n * 160, 1, payload).pack())
    assert stage.reasons == ["bad_samples"]
    assert [packet.timestamp for packet in stage.caller.packets] == [0, 1_920]


def test_the_limit_on_packets_is_the_calls_and_the_runtimes_two_voices_share_it():
    stage = Stage(Codec.OPUS)
    for n in range(500):
        for voice in ("caller", "agent"):
            stage.voices.take(voice, RtpPacket(111, n, n * 960, 1, b"x").pack())
    assert len(stage.caller.packets) + len(stage.agent.packets) == 800
    assert set(stage.reasons) == {"too_many_packets"}
    stage.now = 1.0
    stage.voices.take("caller", RtpPacket(111, 500, 500 * 960, 1, b"x").pack())
    assert stage.caller.packets[-1].sequence == 500


def test_a_runtime_that_floods_does_not_silence_the_supervisor_nor_the_supervisor_the_caller():
    stage = Stage(Codec.OPUS)
    for n in range(1_000):
        stage.voices.take("agent", RtpPacket(111, n, n * 960, 1, b"x").pack())
    for n in range(1_000):
        stage.voices.take("supervisor", RtpPacket(111, n, n * 960, 2, b"x").pack())
    assert (len(stage.agent.packets), len(stage.supervisor.packets)) == (800, 800)
    assert [voice for voice, _ in stage.refused] == ["agent"] * 200 + ["supervisor"] * 200


@pytest.mark.parametrize(("said", "heard_in"), [(None, Codec.PCMU), (Codec.OPUS, Codec.OPUS)])
def test_a_supervisor_comes_in_the_codec_that_the_runtime_wants_and_else_in_the_callers(said, heard_in):
    stage = Stage(Codec.PCMU, supervisor=said)
    packet = next(tone_packets(heard_in, CALLER_HZ))
    stage.voices.take("supervisor", packet.pack())
    assert [one.payload for one in stage.supervisor.packets] == [packet.payload]
    assert not stage.caller.packets


@given(st.lists(st.binary(max_size=1_600), max_size=20))
def test_garbage_is_dropped_with_a_reason_and_raises_nothing(messages):
    stage = Stage(Codec.L16_16000)
    for message in messages:
        stage.voices.take("caller", message)
    assert len(stage.refused) + len({packet.sequence for packet in stage.caller.packets}) <= len(messages)
    assert all(reason for reason in stage.reasons)
