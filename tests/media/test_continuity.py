"""One unbroken stream of a voice that starts anew, loses packets, repeats itself, comes out of order and wraps."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from livemon.media.continuity import MAX_LATE, MAX_MISSING, Continuity
from livemon_runtime.rtp import RtpPacket

CLOCK, TICKS = 48_000, 960
U16, U32 = st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)


def packet(sequence: int, timestamp: int, ssrc: int = 1, marker: bool = False) -> RtpPacket:
    return RtpPacket(111, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc, b"%d" % sequence, marker)


def carried(continuity: Continuity, *packets: RtpPacket, every: float = 0.02):
    return [continuity.carry(one, n * every) for n, one in enumerate(packets)]


@given(U16, U32)
def test_a_steady_voice_wraps_without_a_seam(sequence, timestamp):
    stream = Continuity(CLOCK, TICKS)
    placed = carried(stream, *(packet(sequence + n, timestamp + n * TICKS) for n in range(200)))
    assert [one.sequence for one in placed] == list(range(200))
    assert [one.timestamp for one in placed] == [n * TICKS for n in range(200)]
    assert [one.marker for one in placed] == [True] + [False] * 199


@given(st.integers(1, MAX_MISSING), st.integers(1, 3_600 * CLOCK))
def test_lost_packets_and_a_voices_silence_are_kept_as_they_are(missing, silence):
    """The browser conceals what is lost, and plays what comes after a silence at its time."""
    stream = Continuity(CLOCK, TICKS)
    first, second = carried(stream, packet(7, 100), packet(7 + missing, 100 + silence, marker=True))
    assert second.sequence - first.sequence == missing
    assert second.timestamp - first.timestamp == silence
    assert second.marker


@given(st.integers(2, 0xFFFFFFFF), U16, U32, st.floats(0, 100))
def test_a_new_ssrc_goes_on_where_the_voice_was_as_much_later_as_the_clock_says(ssrc, sequence, timestamp, pause):
    stream = Continuity(CLOCK, TICKS)
    first = stream.carry(packet(500, 9_000), 1.0)
    second = stream.carry(packet(sequence, timestamp, ssrc), 1.0 + pause)
    assert second.sequence == first.sequence + 1
    assert second.timestamp - first.timestamp == max(TICKS, round((1.0 + pause - 1.0) * CLOCK))
    assert second.marker


@pytest.mark.parametrize(("sequence", "timestamp"), [(8, 50), (8, 100 - 3_600 * 48_000), (900, 2_000), (30_000, 9_999)])
def test_a_clock_set_back_or_a_sequence_that_jumps_is_a_voice_that_starts_anew(sequence, timestamp):
    stream = Continuity(CLOCK, TICKS)
    first, second, third = carried(
        stream, packet(7, 100), packet(sequence, timestamp), packet(sequence + 1, timestamp + TICKS)
    )
    assert [second.sequence, third.sequence] == [first.sequence + 1, first.sequence + 2]
    assert third.timestamp - second.timestamp == TICKS
    assert second.timestamp > first.timestamp


def test_a_packet_that_comes_late_has_its_place_and_only_once():
    stream = Continuity(CLOCK, TICKS)
    placed = carried(stream, *(packet(n, n * TICKS) for n in (0, 1, 3, 2, 2, 3, 1)))
    assert [one and one.sequence for one in placed] == [0, 1, 3, 2, None, None, None]
    assert placed[3].timestamp == 2 * TICKS


def test_a_packet_that_is_older_than_a_new_beginning_never_takes_an_old_packets_number():
    """The same number with other bytes would be the same SRTP key stream twice (RFC 3711, section 9.1)."""
    stream = Continuity(CLOCK, TICKS)
    first, second, late = carried(
        stream, packet(7, 100, ssrc=1), packet(50, 5_000, ssrc=2), packet(49, 5_000 - TICKS, ssrc=2)
    )
    assert second.sequence == first.sequence + 1
    assert late is None


def test_a_packet_that_comes_far_too_late_starts_nothing_that_goes_back():
    stream = Continuity(CLOCK, TICKS)
    placed = carried(stream, *(packet(n, n * TICKS) for n in range(200)), packet(199 - MAX_LATE, 0))
    assert placed[-1] is None


class Voice(RuleBasedStateMachine):
    """A runtime that does anything at all to one voice."""

    def __init__(self) -> None:
        super().__init__()
        self.stream = Continuity(CLOCK, TICKS)
        self.now = 0.0
        self.last = packet(0, 0)
        self.sequences: list[int] = []
        self.newest = None
        self.in_order = True

    def take(self, one: RtpPacket, in_order: bool) -> None:
        placed = self.stream.carry(one, self.now)
        if placed is None:
            assert not in_order, "a packet in its order must be passed on"
            return
        assert placed.sequence >= 0
        assert placed.timestamp >= 0
        assert placed.payload == one.payload
        self.sequences.append(placed.sequence)
        if self.newest is not None and placed.sequence > self.newest.sequence:
            assert placed.timestamp > self.newest.timestamp, "time never goes back"
        if in_order and self.newest is not None:
            assert placed.sequence > self.newest.sequence
        if self.newest is None or placed.sequence > self.newest.sequence:
            self.newest = placed

    @rule(ahead=st.integers(1, 2 * MAX_MISSING), elapsed=st.integers(1, 4_000 * CLOCK), pause=st.floats(0, 5))
    def goes_on(self, ahead, elapsed, pause):
        self.now += pause
        self.last = packet(self.last.sequence + ahead, self.last.timestamp + elapsed, self.last.ssrc)
        self.take(self.last, in_order=True)

    @rule(back=st.integers(0, 2 * MAX_LATE), ticks=st.integers(0, 100 * TICKS))
    def repeats_or_comes_late(self, back, ticks):
        one = packet(self.last.sequence - back, self.last.timestamp - ticks, self.last.ssrc)
        self.take(one, in_order=False)

    @rule(ssrc=st.integers(0, 5), sequence=U16, timestamp=U32, pause=st.floats(0, 5))
    def starts_anew(self, ssrc, sequence, timestamp, pause):
        self.now += pause
        new = ssrc != self.last.ssrc
        self.last = replace(packet(sequence, timestamp, ssrc))
        self.take(self.last, in_order=new and self.newest is not None)

    @invariant()
    def no_number_is_given_twice(self):
        assert len(set(self.sequences)) == len(self.sequences)


Voice.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestAVoiceThatDoesAnything = Voice.TestCase
