"""The registry: whatever events are late, doubled or lost, it comes to what is so; nothing ended comes back."""

import pytest

from livemon.calls.events import CallEvent
from livemon.calls.registry import MAX_TOMBSTONES, TOMBSTONE_MS, Registry, lost
from livemon_runtime.errors import ProtocolError
from livemon_runtime.protocol import CallStatus
from tests.calls.making import ended, ended_data, event, live, stored

NOW = 1_700_000_100_000
HOUR = 3_600_000


def a_registry(*calls, **kwargs) -> Registry:
    registry = Registry(**kwargs)
    for call in calls:
        registry.stored(call.call.call_id, call, NOW)
    return registry


# --- events


def test_an_event_of_an_unknown_call_makes_it_ask_for_the_hash():
    registry = Registry()
    assert registry.event(event("call_started", rev=1), NOW) == []
    assert registry.take_wanted() == {"call-1": True}
    assert registry.take_wanted() == {}


def test_a_call_that_has_just_started_is_said_to_be_new_once():
    registry = Registry()
    registry.event(event("call_started", rev=1), NOW)
    (change,) = registry.stored("call-1", stored(), NOW, registry.take_wanted()["call-1"])
    assert (change.before, change.started, change.now.listed) == (None, True, True)
    assert registry.stored("call-1", stored(), NOW, started=True) == []


@pytest.mark.parametrize("event_", [event("call_started", rev=1, resumed=True), event("call_updated", rev=4)])
def test_a_call_that_is_resumed_or_only_now_seen_is_not_new(event_: CallEvent):
    registry = Registry()
    registry.event(event_, NOW)
    assert registry.take_wanted() == {"call-1": False}


def test_an_event_with_a_higher_rev_replaces_the_call_even_if_some_in_between_were_lost():
    registry = a_registry(stored(rev=1))
    (change,) = registry.event(event(rev=7, agent_name="Ada"), NOW)
    assert (change.now.rev, change.now.call.agent_name) == (7, "Ada")
    assert registry.get("call-1") == change.now


@pytest.mark.parametrize("rev", [1, 2, 3])
def test_a_late_or_doubled_event_changes_nothing(rev: int):
    registry = a_registry(stored(rev=3, agent_name="Ada"))
    assert registry.event(event(rev=rev, agent_name="Bob"), NOW) == []
    assert registry.get("call-1").call.agent_name == "Ada"
    assert not registry.wanted


def test_a_doubled_event_is_not_even_read():
    registry = a_registry(stored(rev=3))
    assert registry.event(CallEvent("call_updated", "call-1", "i1", 3, b"rubbish"), NOW) == []


def test_an_event_of_another_incarnation_makes_it_read_the_hash():
    registry = a_registry(stored(rev=9))
    assert registry.event(event(incarnation="i2", rev=1), NOW) == []
    assert registry.take_wanted() == {"call-1": False}
    (change,) = registry.stored("call-1", stored(incarnation="i2", rev=1), NOW)
    assert (change.now.incarnation, change.now.rev, change.started) == ("i2", 1, False)


def test_a_malformed_event_is_refused_and_leaves_the_call_as_it_was():
    registry = a_registry(stored())
    with pytest.raises(ProtocolError):
        registry.event(CallEvent("call_updated", "call-1", "i1", 2, b"rubbish"), NOW)
    assert registry.get("call-1") == live()


def test_a_call_that_its_runtime_hands_over_belongs_to_the_other():
    registry = a_registry(stored(), stored("call-2"))
    registry.event(event(rev=2, runtime="rt-2"), NOW)
    assert [call.call.call_id for call in registry.calls_of("rt-1")] == ["call-2"]
    assert [call.call.call_id for call in registry.calls_of("rt-2")] == ["call-1"]
    assert sorted(registry.runtimes()) == ["rt-1", "rt-2"]


# --- ends


def test_an_ended_call_goes_with_one_change_that_says_how():
    registry = a_registry(stored())
    (change,) = registry.event(ended(rev=2), NOW)
    assert change.now.over
    assert change.now.call.disconnection_reason == "user_hangup"
    assert (len(registry), registry.runtimes()) == (0, [])


def test_nothing_late_revives_a_call_that_its_own_runtime_ended():
    registry = a_registry(stored())
    registry.event(ended(rev=2), NOW)
    assert registry.event(event(rev=3), NOW) == []
    assert registry.event(event("call_started", incarnation="i2", rev=1), NOW) == []
    assert registry.stored("call-1", stored(incarnation="i2"), NOW, started=True) == []
    assert registry.snapshot({"call-1": stored()}, NOW) == ([], [])
    assert not registry.wanted
    assert not registry.differs("call-1", "i2", 1)
    assert len(registry) == 0


def test_a_call_seen_only_after_its_end_leaves_a_tombstone_too():
    registry = Registry()
    assert registry.stored("call-1", stored(data=ended_data()), NOW) == []
    assert registry.ended("call-1")
    assert registry.stored("call-1", stored(), NOW) == []


def test_a_tombstone_is_kept_for_an_hour():
    registry = a_registry(stored(data=ended_data()))
    registry.expire(NOW + HOUR - 1)
    assert registry.ended("call-1")
    registry.expire(NOW + TOMBSTONE_MS)
    assert not registry.ended("call-1")


def test_of_very_many_tombstones_the_oldest_go():
    registry = Registry()
    call = stored(data=ended_data())
    for number in range(MAX_TOMBSTONES + 2):
        registry._bury(call.call.model_copy(update={"call_id": f"c{number}"}), NOW)
    registry.expire(NOW)
    assert [registry.ended(f"c{number}") for number in (0, 1, 2)] == [False, False, True]


def test_a_call_that_livemon_gave_up_comes_back_with_its_runtime():
    registry = a_registry(stored())
    (gone,) = registry.event(ended(reason="runtime_lost", rev=2), NOW)
    assert gone.now.over
    registry.event(event("call_started", incarnation="i2", rev=1, resumed=True), NOW)
    (back,) = registry.stored("call-1", stored(incarnation="i2"), NOW, registry.take_wanted()["call-1"])
    assert (back.now.listed, back.started) == (True, False)


def test_an_error_is_an_end():
    registry = a_registry(stored())
    data = ended_data(reason="error_sip") | {"call_status": "error"}
    (change,) = registry.event(event("call_ended", rev=2, data=data), NOW)
    assert change.now.over
    assert registry.ended("call-1")


def test_a_lost_call_says_so_and_nobody_has_it():
    known = lost(live(), NOW)
    assert (known.call.call_status, known.call.disconnection_reason) == (CallStatus.ENDED, "runtime_lost")
    assert (known.call.end_timestamp, known.rev, known.quiet_since) == (NOW, 2, None)


# --- snapshots


def test_a_snapshot_brings_what_is_new_and_changed_none_of_it_as_just_started():
    registry = a_registry(stored("a"), stored("b"))
    changes, refused = registry.snapshot({"a": stored("a"), "b": stored("b", rev=5), "c": stored("c")}, NOW)
    assert {change.call_id: change.started for change in changes} == {"b": False, "c": False}
    assert not refused
    assert registry.ids() == {"a", "b", "c"}


def test_what_a_snapshot_lacks_stays_as_not_reporting():
    registry = a_registry(stored("a"), stored("b"))
    changes, _ = registry.snapshot({"a": stored("a")}, NOW)
    assert [(change.call_id, change.now.quiet_since) for change in changes] == [("b", NOW)]
    assert registry.vanished == {"b": NOW}
    assert registry.snapshot({"a": stored("a")}, NOW + 1_000) == ([], []), "and says it once"


def test_what_a_snapshot_cannot_read_stays_as_it_was():
    registry = a_registry(stored("a"))
    assert registry.snapshot({}, NOW, {"a"}) == ([], [])
    assert registry.get("a") == live("a")


def test_a_vanished_call_comes_back_when_its_runtime_announces_it_again():
    registry = a_registry(stored())
    registry.snapshot({}, NOW)
    registry.event(event("call_started", incarnation="i2", rev=1, resumed=True), NOW)
    (change,) = registry.stored("call-1", stored(incarnation="i2"), NOW, registry.take_wanted()["call-1"])
    assert (change.now.quiet_since, change.started) == (None, False)
    assert not registry.vanished


def test_a_vanished_call_that_is_back_unchanged_is_reporting_again():
    registry = a_registry(stored())
    registry.snapshot({}, NOW)
    assert registry.differs("call-1", "i1", 1)
    (change,) = registry.stored("call-1", stored(), NOW)
    assert change.now.quiet_since is None


def test_a_vanished_call_that_nobody_brings_back_is_given_up():
    registry = a_registry(stored("a"), stored("b"))
    registry.snapshot({"b": stored("b")}, NOW)
    assert registry.give_up(["b", "unknown"], NOW) == [], "only what has vanished"
    (change,) = registry.give_up(["a"], NOW + 60_000)
    assert change.now.call.disconnection_reason == "runtime_lost"
    assert registry.ids() == {"b"}
    assert not registry.ended("a"), "it may come back: its runtime never said that it ended"


def test_more_calls_than_a_workspace_may_have_are_refused_and_hurt_nobody():
    registry = Registry(max_calls=2)
    changes, refused = registry.snapshot({one: stored(one) for one in "abc"}, NOW)
    assert ([change.call_id for change in changes], [error.reason for error in refused]) == (
        ["a", "b"],
        ["too_many_calls"],
    )
    with pytest.raises(ProtocolError, match="2 live calls"):
        registry.stored("d", stored("d"), NOW)
    registry.event(event(call_id="a", rev=2, agent_name="Ada"), NOW)
    assert registry.get("a").call.agent_name == "Ada"
    registry.event(ended("b", rev=2), NOW)
    assert registry.stored("c", stored("c"), NOW)


def test_a_workspace_may_have_twenty_thousand_calls():
    registry = Registry()
    call = stored()
    for number in range(20_000):
        one = call.call.model_copy(update={"call_id": f"c{number}"})
        registry.stored(one.call_id, stored_with(call, one), NOW)
    assert len(registry) == 20_000
    with pytest.raises(ProtocolError) as caught:
        registry.stored("one-more", stored("one-more"), NOW)
    assert caught.value.reason == "too_many_calls"


def stored_with(pattern, call):
    return type(pattern)(call, pattern.incarnation, pattern.rev, pattern.runtime, None, None)


# --- silence


def test_a_quiet_runtime_marks_its_calls_and_only_them():
    registry = a_registry(stored("a"), stored("b", runtime="rt-2"))
    assert [(one.call_id, one.now.quiet_since) for one in registry.quiet("rt-1", NOW - 5_000)] == [("a", NOW - 5_000)]
    assert registry.get("b").quiet_since is None
    assert registry.quiet("rt-1", NOW - 5_000) == [], "and says it once"


def test_a_call_that_comes_in_while_its_runtime_is_quiet_is_not_reporting_either():
    registry = a_registry(stored("a"))
    registry.quiet("rt-1", NOW)
    (change,) = registry.stored("b", stored("b"), NOW)
    assert change.now.quiet_since == NOW


def test_an_update_of_a_quiet_call_does_not_unmark_it():
    registry = a_registry(stored())
    registry.quiet("rt-1", NOW)
    (change,) = registry.event(event(rev=2, agent_name="Ada"), NOW)
    assert change.now.quiet_since == NOW


def test_a_runtime_that_is_heard_again_unmarks_its_calls():
    registry = a_registry(stored("a"), stored("b"))
    registry.quiet("rt-1", NOW)
    assert {(one.call_id, one.now.quiet_since) for one in registry.heard("rt-1")} == {("a", None), ("b", None)}
    assert registry.heard("rt-1") == []


def test_a_vanished_call_stays_marked_though_its_runtime_is_heard():
    registry = a_registry(stored())
    registry.snapshot({}, NOW)
    assert registry.heard("rt-1") == []
    assert registry.get("call-1").quiet_since == NOW


def test_the_silence_of_a_runtime_is_forgotten_with_its_last_call():
    registry = a_registry(stored())
    registry.quiet("rt-1", NOW)
    registry.event(ended(rev=2), NOW)
    (change,) = registry.stored("call-2", stored("call-2"), NOW)
    assert change.now.quiet_since is None
