"""Voices to RTP packets: lengths, byte order, and time that runs with the clock."""

import itertools
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemon_runtime.codecs import Codec
from livemon_runtime.errors import RtpError
from livemon_runtime.packetizer import Packetizer
from livemon_runtime.rtp import RtpPacket

OPUS_20_MS = bytes([0x78]) + b"sound"
L16 = [Codec.L16_8000, Codec.L16_16000, Codec.L16_24000, Codec.L16_48000]


def packets(packetizer: Packetizer, frame: bytes, now: float) -> list[RtpPacket]:
    return [RtpPacket.parse(packet) for packet in packetizer.packets(frame, now)]


def steps(voice: list[RtpPacket]) -> list[int]:
    return [(b.timestamp - a.timestamp) % 2**32 for a, b in itertools.pairwise(voice)]


def test_an_opus_packet_passes_as_it_is() -> None:
    (packet,) = packets(Packetizer(Codec.OPUS), OPUS_20_MS, 5.0)
    assert (packet.payload, packet.payload_type) == (OPUS_20_MS, 111)


def test_timestamps_run_by_the_length_of_each_packet_and_sequence_by_one() -> None:
    packetizer = Packetizer(Codec.OPUS)
    voice = [packet for n in range(5) for packet in packets(packetizer, OPUS_20_MS, 5 + n * 0.02)]
    assert steps(voice) == [960] * 4
    assert [(b.sequence - a.sequence) % 2**16 for a, b in itertools.pairwise(voice)] == [1] * 4
    assert {packet.ssrc for packet in voice} == {packetizer.ssrc}


def test_only_the_first_packet_after_a_silence_has_the_marker() -> None:
    packetizer = Packetizer(Codec.PCMU)
    times = [0.0, 0.02, 0.04, 4.0, 4.02]
    voice = [packet for now in times for packet in packets(packetizer, bytes(160), now)]
    assert [packet.marker for packet in voice] == [True, False, False, True, False]


def test_after_a_silence_time_jumps_to_where_the_clock_is() -> None:
    packetizer = Packetizer(Codec.PCMU)
    voice = [packet for now in (0.0, 0.02, 4.0) for packet in packets(packetizer, bytes(160), now)]
    assert steps(voice) == [160, 8_000 * 4 - 160]


def test_a_source_that_is_a_little_late_makes_no_gap() -> None:
    packetizer = Packetizer(Codec.OPUS)
    voice = [packet for now in (0.0, 0.09, 0.091) for packet in packets(packetizer, OPUS_20_MS, now)]
    assert steps(voice) == [960, 960]
    assert not voice[1].marker


def test_long_g711_is_cut_into_packets_of_20_ms() -> None:
    packetizer = Packetizer(Codec.PCMA)
    voice = packets(packetizer, bytes(range(250)) + bytes(150), 0.0)
    assert [len(packet.payload) for packet in voice] == [160, 160, 80]
    assert steps(voice) == [160, 160]
    assert b"".join(packet.payload for packet in voice) == bytes(range(250)) + bytes(150)


@pytest.mark.parametrize("codec", L16)
def test_pcm_becomes_big_endian_packets_of_one_length(codec: Codec) -> None:
    size = codec.form.clock * codec.form.packet_ms // 1000
    samples = array("h", range(-100, 2 * size - 100))
    little = b"".join(value.to_bytes(2, "little", signed=True) for value in samples)
    voice = packets(Packetizer(codec), little, 0.0)
    assert [len(packet.payload) for packet in voice] == [2 * size] * 2
    assert voice[0].payload[:4] == (-100).to_bytes(2, "big", signed=True) + (-99).to_bytes(2, "big", signed=True)
    assert steps(voice) == [size]


@given(st.lists(st.integers(0, 700), max_size=20), st.sampled_from(L16))
def test_pcm_in_pieces_of_any_length_loses_no_sample(lengths: list[int], codec: Codec) -> None:
    packetizer = Packetizer(codec)
    given_samples: list[int] = []
    payload = b""
    for length in lengths:
        samples = [len(given_samples) % 30_000 + n for n in range(length)]
        given_samples += samples
        frame = b"".join((value % 2**15).to_bytes(2, "little") for value in samples)
        if frame:
            payload += b"".join(packet.payload for packet in packets(packetizer, frame, 0.0))
    got = [int.from_bytes(payload[at : at + 2], "big") for at in range(0, len(payload), 2)]
    assert got == [value % 2**15 for value in given_samples[: len(got)]]
    assert len(given_samples) - len(got) < codec.form.packet_ticks


def test_what_was_left_of_a_spurt_does_not_open_the_next_one() -> None:
    packetizer = Packetizer(Codec.L16_8000)
    assert packets(packetizer, b"\x01\x00" * 100, 0.0) == []
    (packet,) = packets(packetizer, b"\x02\x00" * 160, 9.0)
    assert packet.payload == b"\x00\x02" * 160
    assert packet.marker


def test_a_voice_made_anew_has_another_ssrc() -> None:
    assert Packetizer(Codec.OPUS).ssrc != Packetizer(Codec.OPUS).ssrc


def test_sequence_and_timestamp_wrap_around() -> None:
    packetizer = Packetizer(Codec.PCMU)
    voice = packets(packetizer, bytes(160 * 70_000), 0.0)
    assert voice[65_536].sequence == voice[0].sequence
    assert set(steps(voice)) == {160}


@pytest.mark.parametrize(
    ("codec", "frame", "reason"),
    [
        (Codec.OPUS, b"", "packet_empty"),
        (Codec.L16_8000, b"", "packet_empty"),
        (Codec.L16_8000, b"abc", "bad_pcm"),
        (Codec.OPUS, bytes([0x78]) * 1_489, "packet_too_long"),
        (Codec.OPUS, b"\x03", "bad_opus"),
    ],
)
def test_what_is_no_audio_is_named(codec: Codec, frame: bytes, reason: str) -> None:
    with pytest.raises(RtpError) as error:
        Packetizer(codec).packets(frame, 0.0)
    assert error.value.reason == reason
