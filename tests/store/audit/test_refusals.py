"""Refusals are told at once, and the same again only counted: nobody fills the log with them."""

from dataclasses import replace

from livemon.store.audit.acts import Act, Action, Outcome
from livemon.store.audit.refusals import MOST, MOST_OF_ONE, WINDOW_MS, Refusals

ADA = Act(Action.LISTEN, Outcome.REFUSED, "default", "u1", "Ada", call_id="call-1", address="192.0.2.7")


def test_the_first_is_told_at_once_and_the_rest_of_the_minute_as_a_number():
    refusals = Refusals()
    assert [refusals.add(ADA, now) for now in (0, 1, 30_000)] == [ADA, None, None]
    assert refusals.due(WINDOW_MS - 1) == []
    assert refusals.due(WINDOW_MS) == [replace(ADA, detail={"count": 2, "since": 0})]
    assert refusals.due(WINDOW_MS) == []
    assert refusals.add(ADA, WINDOW_MS) == ADA


def test_one_alone_is_not_counted():
    refusals = Refusals()
    refusals.add(ADA, 0)
    assert refusals.due(WINDOW_MS) == []


def test_another_person_call_action_or_address_is_another_refusal():
    refusals = Refusals()
    refusals.add(ADA, 0)
    for other in ({"person_id": "u2"}, {"call_id": "call-2"}, {"action": Action.END_CALL}, {"address": "192.0.2.8"}):
        assert refusals.add(replace(ADA, **other), 0) == replace(ADA, **other)


def test_one_who_asks_for_ever_other_calls_is_told_apart_no_more_and_hides_nobody_else():
    refusals = Refusals()
    told = [refusals.add(replace(ADA, call_id=f"call-{n}"), 0) for n in range(1_000)]
    assert sum(one is not None for one in told) == MOST_OF_ONE + 1
    bob = replace(ADA, person_id="u2", person="Bob")
    assert refusals.add(bob, 0) == bob
    assert [act.detail["count"] for act in refusals.due(WINDOW_MS)] == [1_000 - MOST_OF_ONE - 1]


def test_one_who_asks_from_everywhere_is_told_apart_no_more_and_leaves_room_for_others():
    refusals = Refusals()
    told = [refusals.add(replace(ADA, address=f"2001:db8::{n:x}"), 0) for n in range(1_000)]
    assert sum(one is not None for one in told) == MOST_OF_ONE + 1
    assert [one for one in told if one][-1] == replace(ADA, call_id="", address="")
    stranger = Act(Action.SIGN_IN, Outcome.REFUSED, address="192.0.2.9")
    assert refusals.add(stranger, 0) == stranger


def test_strangers_from_everywhere_do_not_fill_it():
    refusals = Refusals()
    strangers = [Act(Action.SIGN_IN, Outcome.REFUSED, address=f"2001:db8::{n:x}") for n in range(5_000)]
    told = [refusals.add(one, 0) for one in strangers]
    assert sum(one is not None for one in told) == MOST + 1
    assert refusals.due() == [Act(Action.ACCESS, Outcome.REFUSED, detail={"count": 5_000 - MOST - 1, "since": 0})]
