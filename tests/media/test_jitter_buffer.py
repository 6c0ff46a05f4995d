"""A microphone's packets in order, once, and in time, whatever the network does to them."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemon.media.jitter_buffer import CLOCK, MAX_DELAY_S, MIN_DELAY_S, MOST_AHEAD_S, MOST_WAITING, JitterBuffer

STEP_S = 0.02
TICKS = int(CLOCK * STEP_S)


def push(buffer: JitterBuffer, n: int, now: float, *, first: int = 0) -> None:
    """Packet number `n` of a voice, whose numbers begin at `first` on the wire."""
    buffer.push((first + n) & 0xFFFF, (first + n * TICKS) & 0xFFFFFFFF, b"%d" % n, now)


def names(packets) -> list[int]:
    return [int(packet.payload) for packet in packets]


def play(
    arrivals: list[tuple[float, int]], until: float, first: int = 0
) -> tuple[list[int], list[float], JitterBuffer]:
    """Numbers that came out and when, looked at every millisecond."""
    buffer, out, at = JitterBuffer(), [], []
    arrivals = sorted(arrivals)
    for ms in range(int(until * 1000)):
        now = ms / 1000
        while arrivals and arrivals[0][0] <= now:
            push(buffer, arrivals.pop(0)[1], now, first=first)
        for n in names(buffer.pop(now)):
            out.append(n)
            at.append(now)
    return out, at, buffer


def test_an_even_network_costs_the_least_delay_and_keeps_the_pace():
    out, at, buffer = play([(n * STEP_S, n) for n in range(100)], 3)
    assert out == list(range(100))
    assert buffer.delay_s == MIN_DELAY_S
    gaps = [later - earlier for earlier, later in itertools.pairwise(at[1:])]
    assert max(gaps) < STEP_S + 0.003


def test_jitter_is_smoothed_away():
    late = [n * STEP_S + (0.05 if n % 7 == 3 else 0.0) for n in range(200)]
    out, at, _ = play(list(zip(late, range(200), strict=True)), 5)
    assert out[20:] == list(range(out[20], 200)), "once it knows the jitter, nothing comes too late"
    gaps = [later - earlier for earlier, later in itertools.pairwise(at[20:])]
    assert max(gaps) < STEP_S + 0.003
    assert min(gaps) > STEP_S - 0.003


def test_what_is_out_of_order_comes_in_order_and_a_loss_holds_nobody_up():
    arrivals = [(n * STEP_S, n) for n in range(50) if n not in (20, 30)] + [(31.5 * STEP_S, 30)]
    out, _, buffer = play(arrivals, 2)
    assert out == sorted(out)
    assert 20 not in out
    assert set(range(50)) - set(out) <= {20, 30}
    assert len(buffer) == 0


def test_twice_is_once():
    buffer = JitterBuffer()
    for _ in range(3):
        push(buffer, 1, 0.0)
    assert names(buffer.pop(1.0)) == [1]
    push(buffer, 1, 1.0)
    assert names(buffer.pop(2.0)) == []
    assert buffer.late == 3


def test_numbers_wrap_in_mid_word():
    out, _, _ = play([(n * STEP_S, n) for n in range(60)], 2, first=0xFFFF - 20)
    assert out == list(range(60))
    out, _, _ = play([(n * STEP_S, n) for n in range(60)], 2, first=2**32 - 20 * TICKS)
    assert out == list(range(60))


def test_a_silence_needs_no_packets():
    out, _, _ = play([(0.0, 0), (0.02, 1), (1.5, 75), (1.52, 76)], 3)
    assert out == [0, 1, 75, 76]


@given(
    st.lists(
        st.tuples(st.integers(0, 0xFFFF), st.integers(0, 2**32 - 1), st.floats(0, 5, allow_nan=False)), max_size=200
    )
)
def test_whatever_comes_is_bounded_and_comes_out_in_order_and_once(packets: list[tuple[int, int, float]]):
    buffer, now, out = JitterBuffer(), 0.0, []
    for sequence, timestamp, wait in packets:
        now += wait
        buffer.push(sequence, timestamp, b"x", now)
        assert len(buffer) <= MOST_WAITING
        assert MIN_DELAY_S <= buffer.delay_s <= MAX_DELAY_S
        due = buffer.due_in(now)
        assert due is None or due >= 0
        out += [packet.sequence for packet in buffer.pop(now)]
    assert out == sorted(set(out))


def played(out: list[int], at: list[float]) -> float:
    """How late the last of them is at a bot that plays each for 20 ms, one after another (seconds)."""
    free = 0.0
    for moment in at:
        free = max(free, moment) + STEP_S
    return free - STEP_S - out[-1] * STEP_S


@pytest.mark.parametrize("stall", [0.5, 1.0, 1.5])
def test_a_network_that_was_stuck_makes_nobody_late_for_good(stall: float):
    arrivals = [(max(n * STEP_S, 3 + stall) if 3 < n * STEP_S < 3 + stall else n * STEP_S, n) for n in range(500)]
    out, at, buffer = play(arrivals, 12)
    assert played(out, at) <= MOST_AHEAD_S + STEP_S
    assert out[-100:] == list(range(400, 500)), "and then nothing more is lost"
    assert buffer.late <= (stall + MAX_DELAY_S) / STEP_S


def test_a_clock_that_jumps_back_holds_nobody_up():
    buffer = JitterBuffer()
    for n in range(50):
        push(buffer, n, n * STEP_S, first=100_000)
        buffer.pop(n * STEP_S + MIN_DELAY_S)
    push(buffer, 50, 50 * STEP_S, first=100_000)  # still waits
    came: list[int] = []
    for n in range(51, 100):
        now = n * STEP_S
        buffer.push(100_000 + n & 0xFFFF, (100_000 + (n - 3_000) * TICKS) & 0xFFFFFFFF, b"%d" % n, now)
        came += names(buffer.pop(now + MIN_DELAY_S))
    assert came == list(range(51, 100))
