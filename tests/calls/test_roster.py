"""Which runtimes are there, and whether one is connected: by a call of its own that came, and by nothing else."""

import json
from dataclasses import replace

from livemon.calls.roster import MOST, Connection, Roster
from livemon_runtime.protocol import CallStatus
from tests.calls.making import live

NOW = 1_700_000_000_000
KEY = b'{"name": "front-desk", "version": "1.2", "protocol": 1}'


def roster(*there: str) -> Roster:
    made = Roster()
    made.look(dict.fromkeys(there, KEY), NOW)
    return made


def of(runtime: str, call_id: str = "c-1", start: int = NOW, status: CallStatus = CallStatus.ONGOING):
    return replace(live(call_id, start_timestamp=start, call_status=status), runtime=runtime)


def test_with_nobody_there_it_waits():
    assert roster().connection is Connection.WAITING


def test_a_runtime_without_a_call_is_there_and_not_connected():
    made = roster("a")
    assert made.connection is Connection.RUNTIME
    (one,) = made.there
    assert (one.name, one.version, one.since, one.speaks) == ("front-desk", "1.2", NOW, True)


def test_its_first_call_connects_it():
    made = roster("a")
    made.take(of("a"))
    assert made.connection is Connection.CONNECTED


def test_a_call_that_is_only_registered_connects_nobody_until_it_is_ongoing():
    made = roster("a")
    made.take(of("a", status=CallStatus.REGISTERED))
    assert made.connection is Connection.RUNTIME
    made.take(of("a", status=CallStatus.ONGOING))
    assert made.connection is Connection.CONNECTED


def test_one_that_was_never_ongoing_connects_nobody_by_its_end():
    made = roster("a")
    made.take(of("a", status=CallStatus.REGISTERED))
    made.take(of("a", status=CallStatus.ERROR))
    assert made.connection is Connection.RUNTIME


def test_anothers_call_connects_nobody_else():
    made = roster("a")
    made.take(of("gone"))
    assert made.connection is Connection.RUNTIME
    made.look({"a": b""}, NOW)
    assert made.connection is Connection.WAITING


def test_a_call_that_has_ended_came_all_the_same_and_says_that_it_is_over():
    made = roster("a")
    made.take(of("a"))
    made.take(of("a", status=CallStatus.ENDED))
    assert made.connection is Connection.CONNECTED
    assert made.latest.over


def test_a_runtime_that_leaves_connects_nobody_any_more_and_its_call_is_remembered():
    made = roster("a")
    made.take(of("a"))
    made.look({"a": b""}, NOW + 1)
    assert made.connection is Connection.WAITING
    assert made.there == []
    assert made.latest.call.call_id == "c-1"
    assert not made.is_there("a")


def test_the_latest_call_is_the_one_that_started_last_of_those_whose_runtime_is_there():
    made = roster("a", "b")
    made.take(of("a", "c-1", NOW))
    made.take(of("b", "c-2", NOW + 2))
    made.take(of("gone", "c-3", NOW + 3))
    made.take(of("a", "c-0", NOW - 1))  # an older one, told of later
    assert made.latest.call.call_id == "c-2"
    assert made.latest_of("a").call.call_id == "c-1"


def test_it_is_seen_since_the_first_look_and_anew_when_it_comes_back():
    made = roster("a")
    made.look({"a": KEY}, NOW + 5_000)
    assert made.there[0].since == NOW
    made.look({"a": b""}, NOW + 6_000)
    made.look({"a": KEY}, NOW + 7_000)
    assert made.there[0].since == NOW + 7_000


def test_what_a_runtime_says_of_itself_may_be_anything():
    made = Roster()
    values = [b"x", b"[]", b"null", b'{"name": 5, "version": null}', json.dumps({"name": "n" * 900}).encode()]
    made.look({f"r{n}": value for n, value in enumerate(values)}, NOW)
    names = {one.runtime_id: one.name for one in made.there}
    assert names == {"r0": "", "r1": "", "r2": "", "r3": "", "r4": "n" * 100}
    assert not any(one.speaks for one in made.there)


def test_it_remembers_so_many_and_no_more_and_rather_the_newer_calls():
    made = Roster(most=3)
    made.look({f"r{n}": KEY for n in range(9)}, NOW)
    assert len(made.there) == 3
    for n in range(9):
        made.take(of(f"gone{n}", f"c-{n}", NOW + n))
    assert made.wanted - {one.runtime_id for one in made.there} == {"gone6", "gone7", "gone8"}
    made.take(of("gone-old", "c-old", NOW - 5))
    assert "gone-old" not in made.wanted
    assert MOST > 100
