"""A transcript: whatever order entries come in, doubled or revised, they give the same items."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemon.calls.transcript import MAX_PARTIALS, PARTIAL_N, Transcript, Update
from tests.calls.making import entry, invocation, partial, result, turn


def filled(*entries, **kwargs) -> Transcript:
    transcript = Transcript(**kwargs)
    for n, one in enumerate(entries, 1):
        transcript.entry(n, one)
    return transcript


def ids(transcript: Transcript, count: int = 500) -> list[str]:
    return [item["id"] for item in transcript.newest(count)[0]]


# --- order


def test_entries_stand_in_the_order_of_their_time_then_of_the_stream():
    transcript = filled(turn("late", 900), turn("early", 100), turn("same-1", 500), turn("same-2", 500))
    assert ids(transcript) == ["early", "same-1", "same-2", "late"]


def test_an_item_is_the_entry_with_its_place():
    update = Transcript().entry(7, turn("t1", 100, "Hi", words=[{"word": "Hi", "start": 0, "end": 0.2}]))
    assert update.put == [
        {
            "id": "t1",
            "time_ms": 100,
            "role": "agent",
            "content": "Hi",
            "final": True,
            "words": [{"word": "Hi", "start": 0, "end": 0.2}],
            "key": [100, 7],
        }
    ]


def test_a_doubled_entry_changes_nothing():
    transcript = filled(turn("t1", 100))
    assert transcript.entry(1, turn("t1", 100)) == Update()
    assert ids(transcript) == ["t1"]


def test_a_revision_takes_its_entrys_place():
    transcript = filled(turn("t1", 100, "Helo"), turn("t2", 100))
    update = transcript.entry(3, turn("t1", 100, "Hello", interrupted=True))
    assert [(item["content"], item["key"]) for item in update.put] == [("Hello", [100, 1])]
    assert ids(transcript) == ["t1", "t2"]


def test_an_older_revision_that_comes_late_does_not_win():
    transcript = Transcript()
    transcript.entry(2, turn("t1", 100, "new"))
    transcript.entry(1, turn("t1", 100, "old"))
    (item,) = transcript.newest(10)[0]
    assert (item["content"], item["key"]) == ("new", [100, 1])


@pytest.mark.parametrize(
    "one",
    [
        entry("node_transition", "e", 5, former_node_name="a", new_node_name="b", transition_type="edge"),
        entry("sms", "e", 5, content="your code", direction="outbound"),
        entry("dtmf", "e", 5, digit="5"),
        entry("injected", "e", 5, content="offer a refund", by="Grace"),
        entry("note", "e", 5, content="3 entries are missing"),
    ],
)
def test_every_kind_of_entry_is_an_item_of_its_own(one):
    (item,) = filled(one).newest(10)[0]
    assert item == {**one.model_dump(exclude_none=True), "key": [5, 1]}


# --- partials


def test_a_partial_grows_in_place_and_is_replaced_by_the_final_turn():
    transcript = Transcript()
    assert transcript.partial(partial("t1", 100, "Good mor")).put[0]["key"] == [100, PARTIAL_N]
    (grown,) = transcript.partial(partial("t1", 100, "Good morning")).put
    assert (grown["id"], grown["content"], grown["final"]) == ("t1", "Good morning", False)
    (final,) = transcript.entry(1, turn("t1", 100, "Good morning!")).put
    assert (final["id"], final["final"]) == ("t1", True)
    assert ids(transcript) == ["t1"]


def test_a_partial_after_the_final_turn_is_ignored():
    transcript = filled(turn("t1", 100, "whole"))
    assert transcript.partial(partial("t1", 100, "who")) == Update()
    assert transcript.newest(10)[0][0]["content"] == "whole"


def test_the_same_partial_again_is_no_news():
    transcript = Transcript()
    transcript.partial(partial("t1", 100, "Good"))
    assert transcript.partial(partial("t1", 100, "Good")) == Update()


def test_a_retracted_partial_goes_and_does_not_come_back_late():
    transcript = Transcript()
    transcript.partial(partial("t1", 100, "Uh"))
    assert transcript.partial(partial("t1", 100, "", retracted=True)).remove == ["t1"]
    assert transcript.partial(partial("t1", 100, "Uh")) == Update()
    assert ids(transcript) == []


def test_a_retraction_of_what_nobody_saw_says_nothing():
    assert Transcript().partial(partial("t1", 100, "", retracted=True)) == Update()


def test_a_final_turn_after_its_retraction_is_shown():
    transcript = Transcript()
    transcript.partial(partial("t1", 100, "", retracted=True))
    transcript.entry(1, turn("t1", 100))
    assert ids(transcript) == ["t1"]


def test_of_too_many_partials_the_oldest_goes_so_that_who_speaks_now_is_seen():
    transcript = Transcript()
    for number in range(MAX_PARTIALS):
        transcript.partial(partial(f"t{number}", number, "Uh"))
    update = transcript.partial(partial("new", 5_000, "Hello"))
    assert (update.remove, [item["id"] for item in update.put]) == (["t0"], ["new"])
    assert len(ids(transcript)) == MAX_PARTIALS


def test_partials_can_be_forgotten_and_those_that_go_on_come_again():
    transcript = filled(turn("t1", 50))
    transcript.partial(partial("t2", 100, "Hel"))
    assert transcript.forget_partials().remove == ["t2"]
    assert ids(transcript) == ["t1"]
    assert transcript.partial(partial("t2", 100, "Hello")).put
    assert ids(transcript) == ["t1", "t2"]


# --- tools


def test_a_late_result_lands_in_the_card_of_its_invocation():
    transcript = filled(invocation("i", 100), turn("t", 200))
    update = transcript.entry(3, result("r", 9_000, content="2 bookings", successful=False))
    (card,) = update.put
    assert (card["id"], card["key"]) == ("i", [100, 1])
    assert card["result"] == {"id": "r", "content": "2 bookings", "successful": False, "time_ms": 9_000}
    assert ids(transcript) == ["i", "t"]


def test_an_invocation_without_a_result_yet_says_so():
    assert filled(invocation("i", 100)).newest(10)[0][0]["result"] is None


def test_a_result_without_an_invocation_is_an_item_of_its_own_until_the_invocation_comes():
    transcript = Transcript()
    (alone,) = transcript.entry(2, result("r", 300)).put
    assert (alone["id"], alone["content"]) == ("r", "found")
    update = transcript.entry(1, invocation("i", 100))
    assert update.remove == ["r"]
    assert update.put[0]["result"]["content"] == "found"
    assert ids(transcript) == ["i"]


def test_a_revised_result_shows_its_last_revision():
    transcript = filled(invocation("i", 100), result("r", 200, content="searching"))
    transcript.entry(3, result("r", 200, content="done"))
    assert transcript.newest(10)[0][0]["result"]["content"] == "done"


def test_each_result_goes_to_its_own_invocation():
    transcript = filled(
        invocation("i1", 1, "a"), invocation("i2", 2, "b"), result("r2", 3, "b", "B"), result("r1", 4, "a", "A")
    )
    assert [item["result"]["content"] for item in transcript.newest(10)[0]] == ["A", "B"]


def test_a_revision_that_moves_a_result_to_another_invocation_changes_both_cards():
    transcript = filled(invocation("i1", 1, "a"), invocation("i2", 2, "b"), result("r", 3, "a"))
    update = transcript.entry(4, result("r", 3, "b"))
    assert {item["id"]: item["result"] is not None for item in update.put} == {"i1": False, "i2": True}


# --- pages


def test_the_newest_page_says_whether_there_is_more_and_the_pages_before_join_without_a_seam():
    transcript = filled(*(turn(f"t{n}", n * 10) for n in range(25)))
    page, older = transcript.newest(10)
    seen = [item["id"] for item in page]
    while older:
        page, older = transcript.before(tuple(page[0]["key"]), 10)
        seen = [item["id"] for item in page] + seen
    assert seen == [f"t{n}" for n in range(25)]


def test_a_page_that_holds_all_says_that_nothing_is_older():
    assert filled(*(turn(f"t{n}", n) for n in range(10))).newest(10)[1] is False


def test_before_the_first_there_is_nothing():
    assert filled(turn("t", 5)).before((5, 1), 10) == ([], False)


def test_partials_come_with_the_newest_page_and_never_with_older_ones():
    transcript = filled(*(turn(f"t{n}", n) for n in range(5)))
    transcript.partial(partial("p", 2, "Hel"))
    assert [item["id"] for item in transcript.newest(2)[0]] == ["p", "t3", "t4"]
    assert [item["id"] for item in transcript.before((3, 4), 10)[0]] == ["t0", "t1", "t2"]


def test_of_too_many_entries_the_oldest_go():
    transcript = filled(*(turn(f"t{n}", n) for n in range(12)), max_items=10)
    assert ids(transcript) == [f"t{n}" for n in range(2, 12)]
    assert transcript.newest(10)[1] is False


def test_a_result_whose_invocation_was_trimmed_is_an_item_of_its_own():
    transcript = filled(invocation("i", 0), result("r", 10), turn("t", 20), max_items=2)
    assert ids(transcript) == ["r", "t"]


# --- any order

TIMES = st.integers(0, 50)
IDS = st.sampled_from("abcdef")
TOOLS = st.sampled_from(["tool-1", "tool-2"])


@st.composite
def streams(draw) -> list[tuple[int, object]]:
    """A stream's entries: an id keeps its role, and may be revised."""
    roles = {name: draw(st.sampled_from(["turn", "invocation", "result"])) for name in "abcdef"}
    stream = []
    for n in range(1, draw(st.integers(1, 14)) + 1):
        name, time_ms = draw(IDS), draw(TIMES)
        if roles[name] == "turn":
            one = turn(name, time_ms, f"revision {n}")
        else:
            make = invocation if roles[name] == "invocation" else result
            one = make(name, time_ms, draw(TOOLS))
        stream.append((n, one))
    return stream


@given(streams(), st.randoms(use_true_random=False))
def test_any_order_and_doubling_of_entries_gives_the_same_items(stream, randomness: random.Random):
    straight, shuffled = Transcript(), Transcript()
    for n, one in stream:
        straight.entry(n, one)
    disorder = [*stream, *randomness.sample(stream, len(stream) // 2)]
    randomness.shuffle(disorder)
    for n, one in disorder:
        shuffled.entry(n, one)
    assert shuffled.newest(500) == straight.newest(500)


@given(streams(), st.randoms(use_true_random=False), st.integers(1, 30))
def test_who_follows_the_updates_sees_what_who_comes_later_gets(stream, randomness: random.Random, cut: int):
    """Entries in disorder, partials among them: the items put and removed add up to what the transcript holds."""
    transcript, screen = Transcript(), {}
    told = [("entry", n, one) for n, one in stream]
    told += [("partial", 0, partial(name, 10, text)) for name in "abx" for text in ("Hel", "Hello")]
    told += [("partial", 0, partial("x", 10, "", retracted=True))]
    randomness.shuffle(told)
    for step, (kind, n, one) in enumerate(told):
        if step == cut:
            apply(screen, transcript.forget_partials())
        apply(screen, transcript.entry(n, one) if kind == "entry" else transcript.partial(one))
    by_place = sorted(screen.values(), key=lambda item: (*item["key"], item["id"]))
    assert by_place == sorted(transcript.newest(500)[0], key=lambda item: (*item["key"], item["id"]))


def apply(screen: dict[str, dict], update: Update) -> None:
    for item_id in update.remove:
        screen.pop(item_id, None)
    for item in update.put:
        screen[item["id"]] = item


# --- much of it


def count_items(transcript: Transcript, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the items that are made from now on."""
    made: list[str] = []
    make = transcript._item
    monkeypatch.setattr(transcript, "_item", lambda item_id: made.append(item_id) or make(item_id))
    return made


def test_entries_that_share_a_tool_call_cost_each_the_same_however_many_there_are(monkeypatch):
    transcript = Transcript()
    made = count_items(transcript, monkeypatch)
    for number in range(1_000):
        transcript.entry(2 * number + 1, invocation(f"i{number}", number))
        transcript.entry(2 * number + 2, result(f"r{number}", number))
    assert len(made) <= 2 * 2_000


def test_while_it_is_read_from_the_beginning_no_items_are_made(monkeypatch):
    transcript = Transcript()
    made = count_items(transcript, monkeypatch)
    for number in range(100):
        assert transcript.entry(number + 1, turn(f"t{number}", number), show=False) == Update()
    assert made == []
    assert len(ids(transcript)) == 100


def test_of_two_invocations_with_one_tool_call_id_the_last_has_the_result():
    transcript = filled(invocation("i1", 100), result("r", 150), invocation("i2", 200))
    results = {item["id"]: item["result"] for item in transcript.newest(10)[0]}
    assert results["i1"] is None
    assert results["i2"]["time_ms"] == 150


def test_results_stand_by_themselves_until_their_invocation_comes():
    transcript = filled(result("r1", 100), result("r2", 110))
    update = transcript.entry(3, invocation("i", 90))
    assert (update.remove, [item["id"] for item in update.put]) == (["r1", "r2"], ["i"])
    update = transcript.entry(4, invocation("i", 90, tool_call_id="another"))
    assert (update.remove, [item["id"] for item in update.put]) == ([], ["i", "r1", "r2"])


def test_a_page_ends_where_it_would_be_too_large_for_one_message():
    transcript = Transcript()
    for number in range(10):
        transcript.entry(number + 1, turn(f"t{number}", number), 400_000)
    items, older = transcript.newest(500)
    assert ([item["id"] for item in items], older) == (["t7", "t8", "t9"], True)
    items, older = transcript.before((7, 8), 500)
    assert [item["id"] for item in items] == ["t4", "t5", "t6"]


def test_of_too_many_bytes_the_oldest_go():
    transcript = Transcript(max_bytes=1_000)
    for number in range(5):
        transcript.entry(number + 1, turn(f"t{number}", number), 400)
    assert ids(transcript) == ["t3", "t4"]
    transcript.entry(6, turn("t9", 9), 5_000)
    assert ids(transcript) == ["t9"]
