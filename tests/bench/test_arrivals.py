"""Sequence numbers and times of arrival: which packet was sent when, what is lost and what is late."""

import numpy as np
import pytest

from livemon.bench.arrivals import shift_of, tally, unwrapped

MS = 1_000_000
SENT = np.arange(0, 100 * 20 * MS, 20 * MS, dtype=np.int64)
"""A hundred packets, one every 20 ms."""
ALL = (0, int(SENT[-1]) + 1)


def heard(*, offset: int = 500, delay_ms: float = 1, lost: tuple[int, ...] = ()) -> tuple[np.ndarray, np.ndarray]:
    kept = np.array([n for n in range(len(SENT)) if n not in lost], np.int64)
    return kept + offset, SENT[kept] + int(delay_ms * MS)


@pytest.mark.parametrize("offset", [-3, 0, 500, 65_535])
def test_packets_are_recognised_wherever_the_server_begins_to_count(offset: int) -> None:
    numbers, arrived = heard(offset=offset, delay_ms=3)
    found = tally(SENT, numbers, arrived, shift_of(SENT, numbers, arrived), ALL)
    assert (found.sent, found.lost, found.late) == (100, 0, 0)
    assert set(found.delays_ms) == {3.0}


def test_sequence_numbers_that_wrap_and_overtake_each_other_go_on() -> None:
    assert unwrapped(np.array([65_534, 65_535, 1, 0, 2], np.int64)).tolist() == [65_534, 65_535, 65_537, 65_536, 65_538]


def test_lost_packets_are_counted_at_the_windows_ends_too() -> None:
    numbers, arrived = heard(lost=(0, 50, 99))
    found = tally(SENT, numbers, arrived, shift_of(SENT, numbers, arrived), ALL)
    assert (found.sent, found.lost) == (100, 3)


def test_what_arrives_twice_counts_once() -> None:
    numbers, arrived = heard(lost=(7,))
    numbers, arrived = np.append(numbers, numbers[-1]), np.append(arrived, arrived[-1] + 50 * MS)
    found = tally(SENT, numbers, arrived, shift_of(SENT, numbers, arrived), ALL)
    assert (found.lost, found.late) == (1, 0)


def test_late_is_what_took_more_than_20_ms() -> None:
    numbers, arrived = heard()
    arrived[10], arrived[20] = SENT[10] + 21 * MS, SENT[20] + 19 * MS
    found = tally(SENT, numbers, arrived, shift_of(SENT, numbers, arrived), ALL)
    assert (found.lost, found.late) == (0, 1)


def test_only_what_was_sent_in_the_window_counts_however_late_it_comes() -> None:
    numbers, arrived = heard()
    arrived[39] = SENT[39] + 700 * MS
    found = tally(SENT, numbers, arrived, shift_of(SENT, numbers, arrived), (int(SENT[20]), int(SENT[40])))
    assert (found.sent, found.lost, found.late) == (20, 0, 1)


def test_a_stream_that_has_become_slow_as_a_whole_is_late_by_what_was_known_of_it() -> None:
    before = shift_of(SENT, *heard(delay_ms=1))
    numbers, arrived = heard(delay_ms=90)
    found = tally(SENT, numbers, arrived, shift_of(SENT, numbers, arrived, before), ALL)
    assert found.late == 100
    assert set(found.delays_ms) == {90.0}


def test_what_was_known_of_a_stream_holds_when_its_numbers_have_wrapped_since() -> None:
    before = shift_of(SENT, *heard(offset=65_530, delay_ms=1))
    numbers, arrived = heard(offset=-6, delay_ms=90)
    assert tally(SENT, numbers, arrived, shift_of(SENT, numbers, arrived, before), ALL).late == 100


def test_of_a_stream_of_which_nothing_came_all_is_lost() -> None:
    nothing = np.array([], np.int64)
    found = tally(SENT, unwrapped(nothing), nothing, 0, ALL)
    assert (found.sent, found.lost, found.late) == (100, 100, 0)
