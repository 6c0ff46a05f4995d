"""Percentiles and the table that benchmarks print."""

import math

from hypothesis import given
from hypothesis import strategies as st

from livemon.bench.figures import percentile, table


def test_the_95th_percentile_of_a_hundred_values_is_the_95th():
    assert percentile(list(range(1, 101)), 0.95) == 95


def test_the_median_of_one_value_is_that_value():
    assert percentile([7.0], 0.5) == 7.0


def test_nothing_measured_is_not_a_figure():
    assert math.isnan(percentile([], 0.95))


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1))
def test_a_percentile_is_one_of_the_values_and_covers_its_share(values: list[float], share: float):
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values)


def test_the_table_lines_its_columns_up():
    lines = table(["", "ms"], [["livemon", "5"], ["another one", "1234"]]).splitlines()
    assert [line.rstrip()[-1] for line in lines] == ["s", "-", "5", "4"]
    assert len({len(line) for line in lines}) == 1
