"""Redis's clock as this process knows it."""

from livemon.calls.clock import RedisClock


def test_before_the_first_measurement_it_is_this_machines_own_clock():
    assert RedisClock(monotonic=lambda: 10.0, wall=lambda: 1_000.5).now() == 1_000_500


def test_it_takes_over_redis_time_and_carries_it_on():
    at = [10.0]
    clock = RedisClock(monotonic=lambda: at[0], wall=lambda: 0.0)
    clock.observe((2_000, 250_000), asked_at=9.0, answered_at=10.0)
    assert clock.now() == 2_000_750, "the answer was made midway between question and answer"
    at[0] = 12.0
    assert clock.now() == 2_002_750


def test_a_later_measurement_replaces_an_earlier_one():
    clock = RedisClock(monotonic=lambda: 1.0, wall=lambda: 0.0)
    clock.observe((5_000, 0), 1.0, 1.0)
    clock.observe((4_000, 0), 1.0, 1.0)
    assert clock.now() == 4_000_000
