"""A call in Retell's shape: what its SDK makes of it, and what only livemon knows."""

from typing import Any, get_args

import pytest
from pydantic import TypeAdapter
from retell.types import PhoneCallResponse, WebCallResponse

from livemon.api.v2.call_object import REASONS, call_object
from livemon.api.v2.shapes import AnyCall, Feed
from livemon.calls.presence import Listener
from livemon.calls.registry import LiveCall
from livemon.calls.sight import EVERYTHING, Sight
from livemon_runtime.protocol import CallStatus, Controller
from tests.api.v2.making import NOW, live

MASKED = Sight(unmasked=False)
SHAPE: TypeAdapter[Any] = TypeAdapter(AnyCall)


def told(call: LiveCall, sight: Sight = EVERYTHING, listeners: tuple[Listener, ...] = ()) -> dict[str, Any]:
    answer: dict[str, Any] = call_object(call, listeners, sight, NOW)
    whole = {**answer, "livemon": {**answer["livemon"], "feed": Feed(state="live", since=None).model_dump()}}
    SHAPE.validate_python(whole)
    return answer


@pytest.mark.parametrize("status", CallStatus)
def test_the_sdk_reads_each_status_as_a_call_of_its_kind(status: CallStatus):
    """It takes a word that it does not know for the other kind of call."""
    phone = told(
        live(call_type="phone_call", call_status=status, end_timestamp=NOW, disconnection_reason="runtime_lost")
    )
    PhoneCallResponse.model_validate(phone)
    WebCallResponse.model_validate(told(live(call_status=status)))
    assert phone["livemon"]["status"] == status


def test_a_call_that_a_supervisor_has_is_ongoing_and_says_who():
    holder = Controller(user_id="u-1", name="Maya", claim_id="k", generation=1, since=NOW, lost_since=NOW + 1)
    answer = told(live(holder, call_status="taken_over"))
    assert (answer["call_status"], answer["livemon"]["status"]) == ("ongoing", "taken_over")
    assert answer["livemon"]["holder"] == {
        **{"user_id": "u-1", "name": "Maya", "since": NOW},
        **{"lost_since": NOW + 1, "role_lost_since": None},
    }


def test_reasons_are_words_of_the_sdk_and_the_own_one_stands_beside():
    annotation = PhoneCallResponse.model_fields["disconnection_reason"].annotation
    assert set(get_args(get_args(annotation)[0])) == REASONS
    for said, word in (
        ("user_hangup", "user_hangup"),
        ("manual_stopped", "manual_stopped"),
        ("supervisor_hangup", "manual_stopped"),
        ("runtime_lost", "error_unknown"),
        ("on a whim", "error_unknown"),
    ):
        answer = told(live(call_status="ended", end_timestamp=NOW + 5, disconnection_reason=said))
        assert (answer["disconnection_reason"], answer["livemon"]["disconnection_reason"]) == (word, said)
        assert answer["duration_ms"] == 5


def test_what_nobody_has_said_is_filled_in_and_named():
    answer = told(live(call_type="phone_call"))
    assert (answer["direction"], answer["from_number"], answer["to_number"]) == ("inbound", "", "")
    assert (answer["agent_id"], answer["agent_version"]) == ("", 0)
    assert answer["livemon"]["unknown"] == ["direction", "from_number", "to_number", "agent_id", "agent_version"]
    assert told(live(agent_id="a", agent_version=2))["livemon"]["unknown"] == []


@pytest.mark.parametrize(("said", "number"), [("v2-beta", 0), (2**40, 0), (None, 0), (7, 7)])
def test_a_version_that_is_no_whole_number_stands_as_it_is_beside(said: object, number: int):
    answer = told(live(agent_version=said))
    assert (answer["agent_version"], answer["livemon"]["agent_version"]) == (number, said)


def test_what_may_not_be_seen_is_masked_wherever_it_stands():
    number, card = "+4930901820", "4111 1111 1111 1111"
    call = live(
        call_type="phone_call",
        from_number=number,
        to_number="110",
        agent_name=f"Desk {number}",
        agent_id=f"agent {number}",
        agent_version=f"for {number}",
        metadata={"card": card, number: 1, "tier": "gold"},
        variables={"card": card},
        disconnection_reason=f"transferred to {number}",
        call_status="ended",
        end_timestamp=NOW,
    )
    assert number in str(told(call))
    answer = told(call, MASKED)
    assert number[1:] not in str(answer)
    assert "4111" not in str(answer)
    assert (answer["from_number"], answer["to_number"]) == ("•••", "•••")
    assert answer["metadata"]["tier"] == "gold"
    assert answer["livemon"]["masked"] is True


@pytest.mark.parametrize("version", [30901820, 493090182])
def test_a_version_that_may_be_a_number_of_somebodys_is_masked_too(version: int):
    answer = told(live(agent_version=version), MASKED)
    assert str(version) not in str(answer)


def test_who_listens_and_that_nobody_reports_is_said():
    listeners = (Listener("l1", "u-1", "Maya"), Listener("l2", "u-1", "Maya"))
    answer = told(live(quiet=NOW - 5, capabilities=["end", "fly"], variables={"a": 1}), listeners=listeners)
    more = answer["livemon"]
    assert more["listeners"] == [{"user_id": "u-1", "name": "Maya"}]
    assert (more["not_reporting_since"], more["capabilities"], more["audio"]) == (NOW - 5, ["end"], False)
    assert more["fields"] == {"variables": {"a": 1}}
