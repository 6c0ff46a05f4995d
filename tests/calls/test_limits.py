"""How many events a second one call may send."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemon.calls.limits import RateLimit


def test_a_burst_passes_and_then_the_rate_alone():
    limit = RateLimit(rate=100, burst=200)
    assert sum(limit.allow("a", 0) for _ in range(500)) == 200
    assert sum(limit.allow("a", 1_000) for _ in range(500)) == 100


def test_one_calls_flood_does_not_slow_another():
    limit = RateLimit(rate=100, burst=200)
    assert [limit.allow("a", 0) for _ in range(201)][-1] is False
    assert limit.allow("b", 0)


def test_it_forgets_calls_that_are_idle_and_only_those():
    limit = RateLimit(rate=100, burst=200)
    for _ in range(300):
        limit.allow("idle", 0)
        limit.allow("busy", 1_900)
    limit.forget_idle(2_000)
    assert len(limit) == 1
    assert not limit.allow("busy", 1_900)


@pytest.mark.parametrize("jump", [-3_600_000, -1])
def test_a_clock_that_is_set_back_gives_no_tokens(jump: int):
    limit = RateLimit(rate=100, burst=2)
    assert limit.allow("a", 10_000)
    assert limit.allow("a", 10_000)
    assert not limit.allow("a", 10_000 + jump)


@given(st.lists(st.integers(0, 400), max_size=400))
def test_no_more_than_burst_and_rate_ever_pass(pauses: list[int]):
    limit = RateLimit(rate=10, burst=20)
    now = passed = 0
    for pause in pauses:
        now += pause
        passed += limit.allow("a", now)
    assert passed <= 20 + now / 1000 * 10
