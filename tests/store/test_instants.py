"""Moments are whole milliseconds in UTC, and never a guess."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from livemon.store.instants import to_ms, utc_now


def test_a_moment_is_the_same_in_every_time_zone():
    moment = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
    assert to_ms(moment) == 1_767_323_045_678
    assert to_ms(moment.astimezone(timezone(timedelta(hours=-7)))) == 1_767_323_045_678


def test_a_moment_without_a_time_zone_is_refused():
    with pytest.raises(ValueError, match="no time zone"):
        to_ms(datetime(2026, 1, 2))


def test_the_clock_says_its_time_zone():
    assert utc_now().tzinfo is UTC
