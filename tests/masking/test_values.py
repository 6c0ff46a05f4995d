"""Masking JSON: at any depth, in keys, in numbers, and where JSON stands in a text."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemon.masking.text import ADDRESS_MASK, MASK
from livemon.masking.values import DEEPEST, mask_value
from tests.masking.readable import address_in, digits_in_a_row

CARD = "4242424242424242"


@pytest.mark.parametrize(
    "value", [None, True, 0, 1234, -1234, 1.5, "a table for 4", [], {}, [1, 2, "x"], {"a": {"b": 3}}]
)
def test_what_holds_no_number_stays_as_it_is(value: object):
    assert mask_value(value) == value


def test_numbers_and_addresses_are_masked_at_any_depth_in_keys_and_as_numbers():
    value = {"card": int(CARD), "deep": [{"x": [f"no {CARD}", 12345.5, "ada@example.org"]}], CARD: 1, "ok": [3, None]}
    assert mask_value(value) == {
        "card": MASK,
        "deep": [{"x": [f"no {MASK}", MASK, ADDRESS_MASK]}],
        MASK: 1,
        "ok": [3, None],
    }


def test_json_in_a_text_is_masked_as_json_and_stays_json():
    inner = json.dumps({"card": CARD, "n": int(CARD), "to": [{"mail": "ada@example.org"}], "guests": 4})
    outer = json.dumps({"payload": inner})
    masked = mask_value(json.dumps(outer))
    payload = json.loads(json.loads(json.loads(str(masked)))["payload"])
    assert payload == {"card": MASK, "n": MASK, "to": [{"mail": ADDRESS_MASK}], "guests": 4}


def test_json_in_a_text_that_holds_nothing_to_mask_is_left_as_it_was_written():
    text = '{ "guests": 4,\n  "time": "19:30" }'
    assert mask_value(text) == text


@pytest.mark.parametrize(
    "text",
    [
        f'{{"card": "{CARD}"',
        f"[{CARD}",
        f'{{"card": "{CARD}", "card": "none"}}',
        f'"{CARD}"',
        '["\\u0034\\u0032\\u0034\\u0032\\u0034"]',
        '{"1": 23, "4": 56}',
        "[4, 2, 4, 2, 4]",
        "[1e400, 12345]",
    ],
)
def test_json_that_is_none_or_hides_digits_is_masked_too(text: str):
    assert digits_in_a_row(str(mask_value(text))) < 5


def test_a_number_that_is_spread_over_a_list_or_over_an_object_is_masked():
    assert mask_value(["4242", "4242"]) == [MASK, MASK]
    assert mask_value([4, 2, 4, 2, 4, "x"]) == [MASK] * 5 + ["x"]
    assert mask_value({"a": "4242", "b": "4242", "guests": 4}) == {"a": MASK, "b": MASK, "guests": 4}
    assert mask_value({"room": 214, "price": 120}) == {"room": 214, "price": 120}, "quantities are no parts"
    assert mask_value([1, [2, 3], 4, 5]) == [MASK, [MASK, MASK], MASK, MASK]


def test_keys_that_masking_makes_alike_are_told_apart():
    masked = mask_value({"15551234567": 1, "15551234568": 2, "15551234569": 3})
    assert masked == {MASK: 1, f"{MASK} d": 2, f"{MASK} f": 3}
    assert mask_value(masked) == masked


def test_what_lies_too_deep_is_masked_whole():
    value: object = "safe"
    for _ in range(DEEPEST + 5):
        value = [value]
    assert "safe" not in json.dumps(mask_value(value))


_TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=8)  # JSON writes control signs with digits
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.integers(0, 99),
    st.floats(allow_nan=False, allow_infinity=False),
    _TEXT,
    st.text("0123456789 -x", max_size=12),
    st.sampled_from([CARD, "ada@example.org", "4242", '{"a": 12, "b": [34, "56"]}', '"4242"', "four two four"]),
)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(st.one_of(_TEXT, st.text("0123456789", max_size=6)), inner, max_size=4),
        inner.map(lambda value: json.dumps(value)),
    ),
    max_leaves=12,
)


@given(_JSON)
def test_whatever_json_it_is_no_run_of_five_digits_survives_and_it_is_masked_for_good(value: object):
    once = mask_value(value)
    written = orjson.dumps(once).decode()
    assert digits_in_a_row(written) < 5
    assert address_in(written) is None
    assert mask_value(once) == once
