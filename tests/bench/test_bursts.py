"""Bursts of a tone: where they begin in what arrives, and which arrival belongs to which."""

import av
import numpy as np
import pytest

from livemon.bench.bursts import EVERY_MS, FRAMES, RATE, Onsets, opus_burst
from livemon.bench.take_over import delays

SILENCE, TONE = bytes(640), np.full(320, 8_000, "<i2").tobytes()


def test_a_tone_after_a_pause_begins_a_burst_and_its_going_on_does_not():
    onsets = Onsets(16_000)
    assert [onsets.take(frame) for frame in [*[SILENCE] * 8, TONE, TONE, SILENCE, TONE]] == [False] * 8 + [True] + [
        False
    ] * 3


def test_a_burst_that_was_under_way_when_one_came_to_hear_is_none():
    onsets = Onsets(16_000)
    assert not onsets.take(TONE)


def test_a_callers_burst_begins_with_its_first_packet_and_ends_in_silence():
    packets, silence = opus_burst(880)
    assert len(packets) == FRAMES
    decoder = av.CodecContext.create("opus", "r")
    sound = [part.to_ndarray()[0] for packet in [silence, *packets] for part in decoder.decode(av.Packet(packet))]
    samples = np.concatenate(sound).astype(float)
    samples /= np.abs(samples).max()
    first = int(np.argmax(np.abs(samples) > 0.1)) * 1000 / RATE
    assert 20 < first < 30, "a packet of silence, and Opus looks ahead"
    assert np.abs(samples[-RATE // 10 :]).max() < 0.05


@pytest.mark.parametrize(
    ("arrived", "found"),
    [([1_040.0, 1_850.0], [40.0, 50.0]), ([950.0, 1_020.0], [20.0]), ([1_800.0 + EVERY_MS + 10], [])],
)
def test_an_arrival_belongs_to_the_burst_that_began_last_before_it(arrived: list[float], found: list[float]):
    assert delays([1_000.0, 1_800.0], arrived) == found
