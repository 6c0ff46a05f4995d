"""JSON for the browser, whatever a runtime has put in."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemon.calls.encoding import encode

LEAVES = st.none() | st.booleans() | st.integers(-(10**80), 10**80) | st.floats(allow_nan=False) | st.text(max_size=8)
ANY_JSON = st.recursive(LEAVES, lambda some: st.lists(some) | st.dictionaries(st.text(max_size=8), some), max_leaves=12)


@given(ANY_JSON)
def test_everything_that_json_can_say_is_encoded(value: object):
    encode(value).decode()


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**4_000])
def test_numbers_that_no_browser_holds_become_their_digits(number: int):
    assert json.loads(encode({"metadata": [{"x": number}], "n": 1})) == {"metadata": [{"x": str(number)}], "n": 1}


@pytest.mark.parametrize("number", [2**64 - 1, -(2**63)])
def test_numbers_that_fit_stay_numbers(number: int):
    assert json.loads(encode([number])) == [number]


def test_what_is_encoded_already_is_passed_through_beside_them():
    assert encode([orjson.Fragment(b'{"a":1}'), 2**64]) == b'[{"a":1},"18446744073709551616"]'
