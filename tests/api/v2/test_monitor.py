"""What a program that monitors a call is told, made of the feed's messages (pure)."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from livemon.api.v2.monitor import Monitor
from livemon.api.v2.transcript_object import entries_of
from livemon.calls.transcript import Transcript
from tests.calls.making import invocation, partial, result, turn

LIVE = {"state": "live", "since": None}


def call(status: str = "ongoing", **fields: Any) -> dict[str, Any]:
    """The feed's word of the call."""
    return {"t": "call", "feed": LIVE, "call": {"call_id": "c", "call_status": status, **fields}}


def reset(*items: dict[str, Any], older: bool = False) -> dict[str, Any]:
    return {"t": "reset", "items": list(items), "older": older}


def put(*items: dict[str, Any]) -> dict[str, Any]:
    return {"t": "put", "items": list(items)}


def said(item_id: str, content: str, time_ms: int = 0, *, final: bool = True, n: int = 1) -> dict[str, Any]:
    return {"id": item_id, "role": "user", "content": content, "time_ms": time_ms, "final": final, "key": [time_ms, n]}


def started(*items: dict[str, Any], **more: Any) -> Monitor:
    monitor = monitor_of()
    monitor.take(call())
    monitor.take(reset(*items, **more))
    return monitor


def monitor_of() -> Monitor:
    return Monitor("c", lambda message: message["call"])  # pyright: ignore[reportArgumentType, reportReturnType]


def test_the_snapshot_comes_first_and_has_the_call_in_it():
    monitor = monitor_of()
    assert monitor.take({"t": "feed", "state": "stale", "since": 5}) == []
    assert monitor.take(call()) == []
    (snapshot,) = monitor.take(reset(said("a", "Hello", 1_500)))
    assert snapshot == {
        "type": "transcript_snapshot",
        "call_id": "c",
        "transcripts": [{"id": "a", "role": "user", "content": "Hello", "words": [], "time_sec": 1.5, "final": True}],
        "pre_session_transcripts": [],
        "call": {"call_id": "c", "call_status": "ongoing"},
        "feed": LIVE,
        "withheld": False,
    }


def test_a_change_of_the_call_is_told_and_what_changes_nothing_is_not():
    monitor = started()
    assert monitor.take(call()) == []
    (told,) = monitor.take(call("taken_over"))
    assert (told["type"], told["call"]["call_status"]) == ("call_updated", "taken_over")
    assert not monitor.over


def test_that_redis_is_away_is_told():
    (told,) = started().take({"t": "feed", "now": 9, "state": "stale", "since": 5})
    assert told == {"type": "feed_updated", "call_id": "c", "feed": {"state": "stale", "since": 5}}


def test_a_tick_is_nothing_to_a_program():
    assert started().take({"t": "tick", "now": 1}) == []


def test_a_turn_that_grows_is_told_by_the_same_id():
    monitor = started()
    (first,) = monitor.take(put(said("a", "Hel", final=False)))
    (last,) = monitor.take(put(said("a", "Hello.")))
    assert [one["transcripts"][0]["content"] for one in (first, last)] == ["Hel", "Hello."]
    assert {one["transcripts"][0]["id"] for one in (first, last)} == {"a"}


def test_a_turn_that_comes_to_nothing_is_overwritten_without_words():
    monitor = started()
    monitor.take(put(said("a", "Uh", 700, final=False)))
    (told,) = monitor.take({"t": "remove", "ids": ["a"]})
    assert told["transcripts"] == [
        {"id": "a", "role": "user", "time_sec": 0.7, "content": "", "final": True, "retracted": True}
    ]
    assert monitor.take({"t": "remove", "ids": ["a"]}) == []


def test_a_turn_that_a_new_snapshot_does_not_have_is_overwritten_too():
    monitor = started(said("a", "Uh", final=False), said("b", "So", final=False))
    snapshot, told = monitor.take(reset(said("b", "So what?")))
    assert [one["id"] for one in snapshot["transcripts"]] == ["b"]
    assert [(one["id"], one["retracted"]) for one in told["transcripts"]] == [("a", True)]


def test_a_tools_card_is_its_invocation_and_its_result():
    transcript = Transcript()
    transcript.entry(1, invocation("i", 100))
    (card,) = transcript.entry(2, result("r", 900, content="found", successful=False)).put
    call_of, outcome = entries_of(card)
    assert (call_of["role"], call_of["id"], call_of["time_sec"]) == ("tool_call_invocation", "i", 0.1)
    assert "result" not in call_of
    assert outcome == {
        "id": "r",
        "role": "tool_call_result",
        "tool_call_id": call_of["tool_call_id"],
        "content": "found",
        "successful": False,
        "time_sec": 0.9,
    }


def test_a_result_that_moves_into_its_card_keeps_its_words_and_its_id():
    transcript, monitor = Transcript(), started()
    (alone,) = monitor.take(put(*transcript.entry(1, result("r", 900)).put))
    update = transcript.entry(2, invocation("i", 100))
    told = [*monitor.take({"t": "remove", "ids": update.remove}), *monitor.take(put(*update.put))]
    assert update.remove == ["r"]
    assert alone["transcripts"][0]["id"] == "r"
    assert [one["id"] for message in told for one in message["transcripts"]] == ["i", "r"]


def test_what_is_older_than_the_first_page_is_to_be_asked_for():
    monitor = started(said("c", "Three", 300, n=3), older=True)
    assert monitor.older == (300, 3)
    monitor.older = None
    (told,) = monitor.take({"t": "older", "items": [said("a", "One", 100, n=1)], "older": False})
    assert told["transcripts"][0]["id"] == "a"
    assert monitor.older is None


def test_who_may_not_read_is_told_so():
    monitor = monitor_of()
    monitor.take(call())
    (snapshot,) = monitor.take({**reset(), "withheld": True})
    assert (snapshot["withheld"], snapshot["transcripts"]) == (True, [])


def test_the_end_says_when_and_why():
    monitor = started()
    monitor.take(call("ended", end_timestamp=9, disconnection_reason="user_hangup"))
    assert monitor.over
    end = monitor.end()
    assert (end["type"], end["event_timestamp"], end["disconnection_reason"]) == ("call_ended", 9, "user_hangup")


@given(st.data())
def test_whoever_merges_by_id_has_at_the_end_what_the_transcript_has(data: st.DataObject):
    """Whatever order, doubled or revised: as Retell's client does it."""
    transcript, monitor = Transcript(), started()
    kept: dict[str, dict[str, Any]] = {}
    for n in range(data.draw(st.integers(1, 25))):
        name, time_ms = data.draw(st.sampled_from("abcd")), data.draw(st.integers(0, 3))
        kind = data.draw(st.sampled_from(["turn", "partial", "invocation", "result"]))
        if kind == "partial":
            update = transcript.partial(partial(f"t{name}", time_ms, "So", retracted=data.draw(st.booleans()) or None))
        else:
            make, prefix = {"turn": (turn, "t"), "invocation": (invocation, "i"), "result": (result, "r")}[kind]
            update = transcript.entry(n + 1, make(f"{prefix}{name}", time_ms))
        for message in ({"t": "remove", "ids": update.remove}, put(*update.put)):
            for told in monitor.take(message):
                kept |= {one["id"]: one for one in told["transcripts"]}
    items, _ = transcript.newest(1_000)
    wanted = {str(one["id"]): one for item in items for one in entries_of(item)}
    shown = {name: one for name, one in kept.items() if not one.get("retracted")}
    finals = {item["id"]: item["final"] for item in items if "final" in item}
    assert {name: shown[name].pop("final") for name in finals} == finals
    for one in shown.values():
        one.pop("final", None)
    assert {name: shown[name] for name in wanted} == wanted
    more = [one["role"] for name, one in shown.items() if name not in wanted]
    assert set(more) <= {"tool_call_result"}, "of a tool's results a page shows the last alone"
