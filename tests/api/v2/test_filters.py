"""Which calls a filter lets through, and what it sees of them."""

import pytest
from pydantic import ValidationError

from livemon.api.v2.filters import NOT_HERE, FilterCriteria, View, lets_through
from livemon.calls.registry import LiveCall
from tests.api.v2.making import NOW, live


def fits(live: LiveCall, criteria: object, *, unmasked: bool = True) -> bool:
    return lets_through(FilterCriteria.model_validate(criteria), View(live, unmasked, NOW))


def by(name: str, kind: str, op: str, value: object = None) -> dict[str, object]:
    return {name: {"type": kind, "op": op, **({} if value is None else {"value": value})}}


CALL = live(
    call_type="phone_call",
    direction="inbound",
    from_number="+4930901820",
    to_number="+4940",
    agent_id="agent-7",
    agent_version=3,
    start_timestamp=NOW - 60_000,
    metadata={"tier": "gold", "seats": 4, "vip": True, "nothing": None, "deep": {"a": 1}},
)


@pytest.mark.parametrize(
    ("op", "value", "wanted"),
    [
        ("eq", "+4930901820", True),
        ("eq", "+49", False),
        ("ne", "+49", True),
        ("ne", "+4930901820", False),
        ("sw", "+4930", True),
        ("sw", "4930", False),
        ("ew", "1820", True),
        ("ew", "+49", False),
        ("co", "0901", True),
        ("co", "0902", False),
    ],
)
def test_strings(op: str, value: str, wanted: bool):
    assert fits(CALL, by("from_number", "string", op, value)) is wanted


@pytest.mark.parametrize(
    ("op", "value", "wanted"),
    [
        ("eq", 60_000, True),
        ("ne", 60_000, False),
        ("gt", 60_000, False),
        ("gt", 59_999.5, True),
        ("ge", 60_000, True),
        ("lt", 60_000, False),
        ("le", 60_000, True),
    ],
)
def test_numbers_and_how_long_a_call_goes_on_by_now(op: str, value: float, wanted: bool):
    assert fits(CALL, by("duration_ms", "number", op, value)) is wanted
    assert fits(CALL, {"metadata": [{"key": "seats", "type": "number", "op": op, "value": value / 15_000}]}) is wanted


@pytest.mark.parametrize(("value", "wanted"), [([4, 4], True), ([1, 4], True), ([4.5, 9], False), ([9, 1], False)])
def test_ranges_have_both_their_ends(value: list[float], wanted: bool):
    assert fits(CALL, {"metadata": [{"key": "seats", "type": "range", "op": "bt", "value": value}]}) is wanted


@pytest.mark.parametrize(
    ("key", "kind", "op", "value", "wanted"),
    [
        ("tier", "enum", "in", ["silver", "gold"], True),
        ("tier", "enum", "in", [], False),
        ("vip", "boolean", "eq", True, True),
        ("vip", "boolean", "eq", False, False),
        ("seats", "boolean", "eq", True, False),
        ("vip", "number", "eq", 1, False),
        ("tier", "number", "ne", 1, True),
        ("missing", "string", "ne", "x", True),
        ("missing", "string", "eq", "", False),
        ("tier", "present", "pr", None, True),
        ("nothing", "present", "pr", None, False),
        ("nothing", "present", "np", None, True),
        ("missing", "present", "np", None, True),
        ("deep", "string", "co", "a", False),
    ],
)
def test_metadata(key: str, kind: str, op: str, value: object, wanted: bool):
    given = {"key": key, "type": kind, "op": op, **({} if value is None else {"value": value})}
    assert fits(CALL, {"metadata": [given]}) is wanted


def test_all_conditions_have_to_fit_and_of_the_agents_one():
    gold = {"key": "tier", "type": "string", "op": "eq", "value": "gold"}
    assert fits(CALL, {"metadata": [gold], "agent": [{"agent_id": "x"}, {"agent_id": "agent-7"}]})
    assert not fits(CALL, {"metadata": [gold], "agent": [{"agent_id": "x"}]})
    assert not fits(CALL, {"metadata": [gold, {**gold, "value": "silver"}], "agent": [{"agent_id": "agent-7"}]})
    assert fits(CALL, {"agent": [{"agent_id": "agent-7", "version": [1, 3.0]}]})
    assert not fits(CALL, {"agent": [{"agent_id": "agent-7", "version": [1]}]})
    assert fits(CALL, {"agent": [{"agent_id": "agent-7", "version": []}]})


def test_without_any_all_calls_fit():
    assert fits(CALL, {})


def test_a_direction_that_nobody_has_said_is_neither():
    unsaid = live(call_type="phone_call")
    assert not fits(unsaid, by("direction", "enum", "in", ["inbound", "outbound"]))


def test_who_sees_numbers_masked_finds_nothing_out_by_asking_for_them():
    card = {"key": "card", "type": "string", "op": "sw", "value": "4111"}
    call = live(metadata={"card": "4111 1111 1111 1111"}, agent_id="agent-4930901820")
    assert fits(call, {"metadata": [card]})
    assert not fits(call, {"metadata": [card]}, unmasked=False)
    assert fits(call, {"agent": [{"agent_id": "agent-4930901820"}]})
    assert not fits(call, {"agent": [{"agent_id": "agent-4930901820"}]}, unmasked=False)
    tier = {"key": "tier", "type": "string", "op": "eq", "value": "gold"}
    assert fits(live(metadata={"tier": "gold", "card": "4111 1111 1111 1111"}), {"metadata": [tier]}, unmasked=False)


@pytest.mark.parametrize(
    "criteria",
    [
        by("from_number", "string", "like", "x"),
        by("from_number", "number", "eq", 1),
        by("from_number", "string", "eq", 7),
        by("call_status", "enum", "in", ["ended"]),
        by("duration_ms", "range", "bt", [1]),
        by("duration_ms", "range", "bt", [1, 2, 3]),
        {"metadata": [{"type": "string", "op": "eq", "value": "no key"}]},
        {"metadata": [{"key": "k", "type": "present", "op": "pr", "value": 1}]},
        {"agent": [{"version": [1]}]},
        {"unheard_of": 1},
        *({name: {}} for name in NOT_HERE),
    ],
)
def test_what_is_not_known_is_refused(criteria: object):
    with pytest.raises(ValidationError):
        FilterCriteria.model_validate(criteria)
