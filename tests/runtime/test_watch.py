"""Whether a supervisor is there: lost after three seconds, heard again, gone after the grace time."""

from hypothesis import given
from hypothesis import strategies as st

from livemon_runtime.watch import LOST_AFTER_S, Watch, Watched


def test_three_seconds_without_a_packet_are_a_loss_and_a_packet_ends_it():
    watch = Watch(0.0, 30.0)
    assert watch.look(2.9) is None
    assert watch.look(3.0) is Watched.LOST
    assert watch.look(3.1) is None
    assert watch.heard(4.0) is Watched.HEARD
    assert watch.heard(4.02) is None
    assert watch.look(6.9) is None
    assert watch.look(7.1) is Watched.LOST


def test_who_is_silent_for_the_whole_grace_time_is_gone_and_that_is_said_once():
    watch = Watch(0.0, 30.0)
    assert watch.look(29.0) is Watched.LOST
    assert watch.look(29.9) is None
    assert watch.look(30.0) is Watched.GONE
    assert watch.look(31.0) is None
    assert watch.heard(32.0) is None
    assert watch.next_look(32.0) == float("inf")


def test_a_grace_time_shorter_than_three_seconds_is_a_loss_too():
    watch = Watch(0.0, 1.0)
    assert watch.look(1.0) is Watched.LOST
    assert watch.look(1.0) is Watched.GONE


@given(st.lists(st.tuples(st.floats(0, 12), st.booleans()), max_size=60), st.floats(0.1, 20))
def test_what_it_says_follows_from_how_long_nothing_came(steps: list[tuple[float, bool]], grace_s: float):
    watch, now, heard_at, lost = Watch(0.0, grace_s), 0.0, 0.0, False
    for wait, packet in steps:
        now += wait
        if packet:
            assert watch.heard(now) is (Watched.HEARD if lost else None)
            heard_at, lost = now, False
            continue
        said = watch.look(now)
        silent = now - heard_at
        if said is Watched.LOST:
            assert not lost
            assert silent >= min(LOST_AFTER_S, grace_s)
            lost = True
            said = watch.look(now)
        if said is Watched.GONE:
            assert lost
            assert silent >= grace_s
            return
        assert silent < (grace_s if lost else min(LOST_AFTER_S, grace_s))
        assert 0 <= watch.next_look(now) <= grace_s + 1e-9  # sums of seconds
