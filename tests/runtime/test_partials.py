"""What is being said costs little while nobody reads it, and is there at once for whoever does."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from livemon_runtime import Runtime, entries
from livemon_runtime.entries import Partial
from livemon_runtime.errors import ProtocolError
from livemon_runtime.keys import Keys
from livemon_runtime.protocol import Call, CallStatus
from livemon_runtime.record import PARTIALS_EVERY_MS, UNREAD_PARTIALS_EVERY_MS, CallRecord
from tests.runtime.conftest import Livemon

START = 1_000_000


def announced(**fields: Any) -> CallRecord:
    """A call that Redis has."""
    call = Call(call_id="c-1", call_type="web_call", start_timestamp=START, call_status=CallStatus.ONGOING, **fields)
    record = CallRecord(call, Keys(), "rt-1")
    (request,) = record.commands(START)
    request.answered([b"ok", 1, 0, b""])
    return record


def published(record: CallRecord, now: int, readers: int) -> list[bytes]:
    """What of its partials goes out at `now`, to so many readers."""
    requests = [request for request in record.commands(now) if request.command[0] == "SPUBLISH"]
    for request in requests:
        request.answered(readers)
    return [part for request in requests if isinstance(part := request.command[2], bytes)]


def times(record: CallRecord, readers: int, begin: int, end: int) -> list[int]:
    """When partials went out, of a turn that has a new word every 20 ms."""
    sent: list[int] = []
    for now in range(begin, end, 20):
        record.say_partial("t-1", spoken(str(now)))
        if record.due_in(now) == 0:
            assert published(record, now, readers) == [spoken(str(now)).data], "the latest of a turn wins"
            sent.append(now)
    return sent


def spoken(words: str, **more: Any) -> Partial:
    return Partial({"id": "t-1", "role": "agent", "time_ms": 0, "content": words, "final": False, **more})


def between(sent: list[int]) -> set[int]:
    return {later - sooner for sooner, later in pairwise(sent)}


def test_read_partials_go_ten_times_a_second() -> None:
    assert between(times(announced(), 1, START, START + 2_000)) == {PARTIALS_EVERY_MS}


def test_unread_partials_go_once_a_second_and_those_of_one_runtimes_calls_at_the_same_time() -> None:
    one = times(announced(), 0, START, START + 5_000)
    other = times(announced(), 0, START + 460, START + 5_000)
    assert one[0] == START
    assert between(one[1:]) == {UNREAD_PARTIALS_EVERY_MS}
    assert set(one) & set(other) == set(other[1:])


def test_who_begins_to_read_is_told_within_a_second_and_from_then_on_ten_times_a_second() -> None:
    record = announced()
    times(record, 0, START, START + 3_500)
    sent = times(record, 1, START + 3_500, START + 6_000)
    assert sent[0] <= START + 3_500 + UNREAD_PARTIALS_EVERY_MS
    assert between(sent) == {PARTIALS_EVERY_MS}


def test_what_is_said_when_the_call_ends_and_what_was_before_a_clock_went_back_waits_for_nothing() -> None:
    record = announced()
    times(record, 0, START, START + 100)
    record.say_partial("t-1", spoken("and"))
    assert record.due_in(START + 120) != 0
    assert published(record, START - 3_600_000, 0) == [spoken("and").data]
    record.say_partial("t-1", spoken("good-bye"))
    record.become(record.call.model_copy(update={"call_status": CallStatus.ENDED}))
    assert published(record, START + 140, 0) == [spoken("good-bye").data]


async def test_the_partials_of_many_calls_go_together(livemon: Livemon, runtime: Runtime) -> None:
    calls = [runtime.call(call_id=f"c-{n}") for n in range(20)]
    await asyncio.wait_for(runtime.sender.drained(), 60)
    async with livemon.redis.pubsub(ignore_subscribe_messages=True) as pubsub:
        for call in calls:
            await pubsub.ssubscribe(livemon.keys.partials(call.call_id))
        turns = [call.user_turn() for call in calls]
        before = await _counted(livemon)
        for word in range(15):
            for turn in turns:
                turn.partial(f"{word}")
                await asyncio.sleep(0.005)
        await asyncio.wait_for(runtime.sender.drained(), 60)
        reads, publishes = (after - then for then, after in zip(before, await _counted(livemon), strict=True))
    print(f"{publishes} partials of 20 calls in {reads} reads of Redis's")
    assert publishes >= 40
    assert reads < publishes / 3


async def _counted(livemon: Livemon) -> tuple[int, int]:
    """What Redis has read from its clients, in pieces, and which of its commands were partials."""
    stats: dict[str, Any] = await livemon.redis.info("all")
    return int(stats["total_reads_processed"]), int(stats.get("cmdstat_spublish", {}).get("calls", 0))


def test_only_what_is_sent_of_a_turn_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    encode = entries.encode
    monkeypatch.setattr(entries, "encode", lambda entry: written.append(entry["content"]) or encode(entry))
    record = announced()
    for words in ("Good", "Good mor", "Good morning"):
        record.say_partial("t-1", spoken(words))
    assert published(record, START, 1)
    assert written == ["Good morning"]


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("content", "x" * 16_001),
        ("content", "half a letter: \ud800"),
        ("content", 5),
        ("content", ["words"]),
        ("id", ""),
        ("id", "i" * 257),
        ("role", "nobody"),
        ("time_ms", -1),
        ("time_ms", "soon"),
        ("final", "perhaps"),
    ],
)
def test_what_is_wrong_with_a_turn_is_found_when_it_is_said(field: str, wrong: Any) -> None:
    with pytest.raises(ProtocolError):
        spoken("Good", **{field: wrong})


def test_a_turn_goes_out_as_it_was_when_it_was_said_whatever_becomes_of_it_in_the_bot() -> None:
    words = [{"word": "Good", "start": 0.0, "end": 0.2}]
    entry: dict[str, Any] = {"id": "t-1", "role": "agent", "time_ms": 0, "content": "Good", "final": False}
    timed, plain = entry | {"words": words}, dict(entry)
    said = [Partial(timed), Partial(plain)]
    words[0]["word"] = plain["content"] = "Bad"
    assert not any(b"Bad" in partial.data for partial in said)
    assert b'"Good"' in said[0].data
