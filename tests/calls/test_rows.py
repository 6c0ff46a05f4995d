"""A call as the list shows it."""

import json

import pytest

from livemon.calls.presence import Listener
from livemon.calls.registry import LiveCall
from livemon.calls.rows import people, row
from livemon_runtime.protocol import Controller
from tests.calls.making import START, live, stored


def test_a_row_says_what_the_list_needs():
    call = live(
        direction="inbound",
        from_number="+1555",
        to_number="+1777",
        agent_id="a-1",
        agent_name="Ada",
        agent_version=3,
        audio={"caller": "opus", "agent": "opus"},
        capabilities=["listen", "end"],
    )
    assert json.loads(row(call, [])) == {
        "id": "call-1",
        "start": START,
        "type": "phone_call",
        "dir": "inbound",
        "from": "+1555",
        "to": "+1777",
        "agent": "Ada",
        "version": 3,
        "status": "ongoing",
        "holder": None,
        "listeners": [],
        "quiet": None,
        "caps": ["listen", "end"],
        "audio": True,
    }


def test_what_a_call_does_not_say_is_null_and_an_agent_without_a_name_goes_by_its_id():
    shown = json.loads(row(live(agent_id="a-1"), []))
    assert (shown["agent"], shown["from"], shown["version"], shown["audio"]) == ("a-1", None, None, False)


def test_a_row_names_who_has_the_call():
    held = stored(call_status="taken_over")
    controller = Controller(user_id="u-1", name="Grace", claim_id="c-1", generation=1, since=START)
    shown = json.loads(row(LiveCall(held.call, "i1", 1, "rt-1", controller), []))
    assert shown["holder"] == {"user_id": "u-1", "name": "Grace", "lost_since": None, "role_lost_since": None}


def test_a_row_says_since_when_the_caller_does_not_hear_who_has_the_call():
    held = stored(call_status="taken_over")
    controller = Controller(
        user_id="u-1", name="Grace", claim_id="c-1", generation=1, since=START, lost_since=START + 5
    )
    shown = json.loads(row(LiveCall(held.call, "i1", 1, "rt-1", controller), []))
    assert shown["holder"]["lost_since"] == START + 5


def test_a_row_says_since_when_its_supervisor_has_lost_the_role():
    held = stored(call_status="taken_over")
    controller = Controller(
        user_id="u-1", name="Grace", claim_id="c-1", generation=1, since=START, role_lost_since=START + 5
    )
    shown = json.loads(row(LiveCall(held.call, "i1", 1, "rt-1", controller), []))
    assert (shown["holder"]["lost_since"], shown["holder"]["role_lost_since"]) == (None, START + 5)


def test_each_person_is_listed_once_however_many_tabs_they_listen_in():
    listeners = [Listener("l-1", "u-1", "Grace"), Listener("l-2", "u-2", "Ada"), Listener("l-3", "u-1", "Grace")]
    assert people(listeners) == [{"user_id": "u-1", "name": "Grace"}, {"user_id": "u-2", "name": "Ada"}]


@pytest.mark.parametrize("version", [2**70, "3.1-rc", 0])
def test_any_version_that_the_protocol_allows_can_be_shown(version: object):
    """A number beyond 64 bits once stopped the whole list."""
    shown = json.loads(row(live(agent_version=version), []))["version"]
    assert str(shown) == str(version)
