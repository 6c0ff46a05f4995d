"""A supervisor's voice in every codec that a runtime may want: the same tone, in packets of one length, in its own time."""

import itertools

import av
import numpy as np
import pytest

from livemon.media.jitter_buffer import CLOCK, Spoken
from livemon.media.supervisor_voice import SupervisorVoice
from livemon_runtime.codecs import Codec
from livemon_runtime.errors import RtpError
from livemon_runtime.rtp import RtpPacket
from tests.media.call_source import loudest, tone_packets

HZ = 600


def spoken(count: int, leave_out: tuple[int, ...] = ()) -> list[Spoken]:
    """A tone as a browser sends it: Opus, 20 ms each."""
    tone = tone_packets(Codec.OPUS, HZ)
    packets = [Spoken(n, n * 960, next(tone).payload) for n in range(count)]
    return [packet for packet in packets if packet.sequence not in leave_out]


def said(codec: Codec, packets: list[Spoken]) -> list[RtpPacket]:
    voice = SupervisorVoice(codec)
    return [RtpPacket.parse(data) for packet in packets for data in voice.packets(packet)]


def sound(codec: Codec, packets: list[RtpPacket]) -> tuple[np.ndarray, int]:
    """Samples, and their rate."""
    payload = b"".join(packet.payload for packet in packets)
    if codec.startswith("l16/"):
        return np.frombuffer(payload, ">i2").astype(float), codec.form.clock
    context = av.AudioCodecContext.create({"opus": "libopus", "pcmu": "pcm_mulaw", "pcma": "pcm_alaw"}[codec], "r")
    if codec is not Codec.OPUS:
        context.sample_rate, context.layout = 8_000, "mono"
    heard = [frame for packet in packets for frame in context.decode(av.Packet(packet.payload))]
    resampler = av.AudioResampler(format="s16", layout="mono", rate=heard[0].sample_rate)
    parts = []
    for frame in heard:
        frame.pts = None
        parts += [part.to_ndarray().reshape(-1) for part in resampler.resample(frame)]
    return np.concatenate(parts).astype(float), heard[0].sample_rate


@pytest.mark.parametrize("codec", list(Codec))
def test_the_tone_is_the_same_in_every_codec(codec: Codec):
    packets = said(codec, spoken(60))
    samples, rate = sound(codec, packets)
    assert abs(loudest(samples[-rate // 2 :], rate) - HZ) < 5
    assert np.abs(samples[-rate // 2 :]).max() > 6_000, "and as loud"


@pytest.mark.parametrize("codec", list(Codec))
def test_packets_have_the_codecs_form_and_follow_each_other_without_a_gap(codec: Codec):
    packets = said(codec, spoken(50))
    form = codec.form
    assert {packet.payload_type for packet in packets} == {form.payload_type}
    assert len({packet.ssrc for packet in packets}) == 1
    for before, after in itertools.pairwise(packets):
        assert (after.sequence - before.sequence) & 0xFFFF == 1
        assert (after.timestamp - before.timestamp) & 0xFFFFFFFF == form.packet_ticks
    assert len(packets) >= 50 * 20 // form.packet_ms - 1
    assert [packet.marker for packet in packets] == [True] + [False] * (len(packets) - 1)


@pytest.mark.parametrize("codec", list(Codec))
def test_what_was_lost_is_a_jump_in_time_and_nothing_drifts(codec: Codec):
    lost = tuple(range(10, 200, 10))
    packets = said(codec, spoken(200, leave_out=lost))
    whole = (packets[-1].timestamp - packets[0].timestamp) & 0xFFFFFFFF
    assert abs(whole / codec.form.clock - 199 * 0.02) < 0.03
    assert not any(packet.marker for packet in packets[1:])


@pytest.mark.parametrize("codec", list(Codec))
def test_after_a_silence_the_marker_is_set_and_the_clock_has_run_on(codec: Codec):
    tone = tone_packets(Codec.OPUS, HZ)
    at = [*range(10), *range(110, 120)]
    packets = said(codec, [Spoken(n, n * 960, next(tone).payload) for n in at])
    (again,) = [packet for packet in packets[1:] if packet.marker]
    silence = (again.timestamp - packets[0].timestamp) & 0xFFFFFFFF
    assert abs(silence / codec.form.clock - 110 * 960 / CLOCK) < 0.001


@pytest.mark.parametrize("codec", [Codec.OPUS, Codec.PCMU, Codec.L16_16000])
@pytest.mark.parametrize("payload", [b"", b"\x03", b"\xff\x00"])
def test_what_is_no_opus_is_refused_and_the_voice_goes_on(codec: Codec, payload: bytes):
    voice = SupervisorVoice(codec)
    with pytest.raises(RtpError):
        voice.packets(Spoken(0, 0, payload))
    assert any(voice.packets(packet) for packet in spoken(5))


def test_a_payload_that_only_looks_like_opus_does_no_harm():
    voice = SupervisorVoice(Codec.PCMU)
    voice.packets(Spoken(0, 0, b"\x78" + bytes(range(200))))
    assert any(voice.packets(packet) for packet in spoken(5))
