"""Pages of calls: all of them once, whatever begins and ends in between."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemon.api.v2.paging import Order, after, cut, ordered
from livemon.calls.registry import LiveCall
from tests.api.v2.making import live

PLACES = st.lists(st.tuples(st.integers(0, 5), st.sampled_from("abcdef")), unique_by=lambda each: each[1], max_size=6)


def made(places: list[tuple[int, str]]) -> list[LiveCall]:
    return [live(call_id=call_id, start_timestamp=start) for start, call_id in places]


def through(calls: list[LiveCall], order: Order, limit: int) -> list[str]:
    seen: list[str] = []
    key = None
    while True:
        page = cut(after(ordered(calls, order), order, key), 0, limit)
        seen += [one.call.call_id for one in page.calls]
        if page.next is None:
            return seen
        assert len(page.calls) == limit
        key = page.next


@given(PLACES, st.sampled_from(["ascending", "descending"]), st.integers(1, 7))
def test_pages_lead_through_all_calls_in_order(places: list[tuple[int, str]], order: Order, limit: int):
    wanted = [call_id for _, call_id in sorted(places, reverse=order == "descending")]
    assert through(made(places), order, limit) == wanted


@given(PLACES, st.data())
def test_a_call_that_ends_between_two_pages_moves_no_other(places: list[tuple[int, str]], data: st.DataObject):
    calls = ordered(made(places), "descending")
    first = cut(calls, 0, 2)
    if first.next is None:
        return
    gone = data.draw(st.sampled_from(calls))
    left = [one for one in calls if one is not gone]
    rest = cut(after(left, "descending", first.next), 0, 100)
    assert [one.call.call_id for one in rest.calls] == [one.call.call_id for one in calls[2:] if one is not gone]


@pytest.mark.parametrize(
    ("skip", "wanted", "more"), [(0, "ab", True), (1, "bc", False), (2, "c", False), (9, "", False)]
)
def test_some_may_be_skipped(skip: int, wanted: str, more: bool):
    page = cut(ordered(made([(1, "a"), (2, "b"), (3, "c")]), "ascending"), skip, 2)
    assert ("".join(one.call.call_id for one in page.calls), page.next is not None) == (wanted, more)


def test_an_id_may_have_dots():
    calls = ordered(made([(1, "a.b"), (1, "a.c")]), "ascending")
    page = cut(calls, 0, 1)
    assert page.next == "1.a.b"
    assert after(calls, "ascending", page.next) == calls[1:]
