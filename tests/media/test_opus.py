"""L16 to Opus: 20 ms packets at the input's RTP time, through gaps, overlaps and odd lengths."""

import itertools

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livemon.media.continuity import VoicePacket
from livemon.media.opus import CLOCK, OpusEncoder
from tests.media.call_source import loudest

RATES = [8_000, 16_000, 24_000, 48_000]


def sound(rate: int, start: int, samples: int, hz: float = 440) -> bytes:
    at = (start + np.arange(samples)) / rate
    return (np.sin(2 * np.pi * hz * at) * 12_000).astype(">i2").tobytes()


def packet(rate: int, timestamp: int, samples: int, hz: float = 440) -> VoicePacket:
    return VoicePacket(0, timestamp, False, sound(rate, timestamp, samples, hz))


def decoded(packets: list[VoicePacket]) -> np.ndarray:
    decoder = av.CodecContext.create("opus", "r")
    frames = [frame for one in packets for frame in decoder.decode(av.Packet(one.payload))]
    return np.concatenate([frame.to_ndarray().reshape(len(frame.layout.channels), -1)[0] for frame in frames])


@pytest.mark.parametrize("rate", RATES)
def test_a_tone_comes_out_as_the_tone_in_packets_of_20_ms(rate: int):
    encoder, step = OpusEncoder(rate), rate // 50
    packets = [one for n in range(50) for one in encoder.encode(packet(rate, n * step, step))]
    assert [one.sequence for one in packets] == list(range(50))
    assert [one.timestamp for one in packets] == [n * 960 for n in range(50)]
    assert [one.marker for one in packets] == [True] + [False] * 49
    heard = decoded(packets)
    assert loudest(heard[-24_000:], CLOCK) == pytest.approx(440, abs=3)
    assert len(heard) == pytest.approx(CLOCK, abs=960)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(RATES), st.lists(st.integers(1, 2_000), min_size=1, max_size=20), st.integers(0, 1 << 31))
def test_packets_of_any_length_lose_and_double_nothing(rate, lengths, start):
    encoder, at, packets = OpusEncoder(rate), start, []
    for length in lengths:
        packets += encoder.encode(packet(rate, at, length))
        at += length
    assert len(packets) == sum(lengths) // (rate // 50)
    assert [one.timestamp for one in packets] == [
        (start + n * (rate // 50)) * CLOCK // rate for n in range(len(packets))
    ]


def test_a_silence_of_seconds_pads_the_last_packet_and_marks_the_next():
    encoder = OpusEncoder(8_000)
    assert encoder.encode(packet(8_000, 0, 100)) == []
    (padded, after) = encoder.encode(packet(8_000, 24_000, 160))
    assert (padded.timestamp, padded.marker) == (0, True)
    assert (after.timestamp, after.marker, after.sequence) == (3 * CLOCK, True, 1)


def test_a_gap_that_the_padding_covers_goes_on_without_a_seam():
    encoder = OpusEncoder(8_000)
    encoder.encode(packet(8_000, 0, 100))
    packets = encoder.encode(packet(8_000, 130, 190))
    assert [(one.timestamp, one.marker) for one in packets] == [(0, True), (960, False)]


def test_what_overlaps_is_taken_once():
    encoder = OpusEncoder(8_000)
    packets = encoder.encode(packet(8_000, 1_000, 160))
    assert encoder.encode(packet(8_000, 1_000, 160)) == []
    assert encoder.encode(packet(8_000, 900, 200)) == []
    packets += encoder.encode(packet(8_000, 1_080, 240))
    assert [one.timestamp for one in packets] == [6_000, 6_960]


def test_half_a_sample_is_refused_and_changes_nothing():
    encoder = OpusEncoder(16_000)
    with pytest.raises(ValueError, match="half a sample"):
        encoder.encode(VoicePacket(0, 0, True, b"\1\2\3"))
    (one,) = encoder.encode(packet(16_000, 320, 320))
    assert (one.timestamp, one.marker) == (960, True)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 100_000), st.integers(1, 700)), min_size=1, max_size=25))
def test_whatever_comes_time_and_numbers_only_go_forward(pieces):
    encoder, packets = OpusEncoder(8_000), []
    for at, length in pieces:
        packets += encoder.encode(packet(8_000, at, length))
    assert [one.sequence for one in packets] == list(range(len(packets)))
    times = [one.timestamp for one in packets]
    assert all(later - earlier >= 960 for earlier, later in itertools.pairwise(times))
    assert all(one.payload for one in packets)
