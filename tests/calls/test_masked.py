"""What leaves the server for whoever may not see numbers: rows, details and transcripts, each with nothing to read off."""

import json

from hypothesis import given
from hypothesis import strategies as st

from livemon.calls.masked import PRESSED, MaskedTranscript, mask_call, mask_holder, mask_id, mask_row
from livemon.calls.rows import row
from livemon.calls.transcript import Transcript
from livemon.masking.text import ADDRESS_MASK, MASK
from livemon_runtime.protocol import CALL
from tests.calls.making import call_data, entry, invocation, live, partial, result, turn
from tests.masking.readable import digits_in_a_row

CARD = "4242 4242 4242 4242"


class Reader:
    """A masked reader of one transcript: what was put before them, by id, and everything they ever saw."""

    def __init__(self) -> None:
        self.transcript = Transcript()
        self.masked = MaskedTranscript(self.transcript)
        self.shown: dict[str, str] = {}
        self.seen: set[tuple[str, str]] = set()
        self.n = 0

    def _put(self, update) -> None:
        for item in self.masked.put(update):
            self.shown[item["id"]] = item["content"]
            self.seen.add((item["id"], item["content"]))

    def say(self, content: str, role: str = "user", entry_id: str = "") -> None:
        self.n += 1
        self._put(self.transcript.entry(self.n, entry(role, entry_id or f"t{self.n}", self.n * 100, content=content)))

    def speak(self, content: str, entry_id: str = "spoken") -> None:
        self._put(self.transcript.partial(partial(entry_id, (self.n + 1) * 100, content)))

    def anew(self) -> list[str]:
        return [item["content"] for item in self.masked.items(self.transcript.newest(500)[0])]


def one_item(made, *more) -> dict:
    transcript = Transcript()
    for n, each in enumerate([made, *more], 1):
        transcript.entry(n, each)
    return MaskedTranscript(transcript).items(transcript.newest(500)[0])[0]


# --- rows and details


def test_a_row_keeps_what_names_it_and_its_state_and_no_number():
    call = live("call-1700000000000", from_number="+12125550184", to_number="911", agent_name="Ada, ext. 55501")
    masked = json.loads(mask_row(row(call, [])))
    plain = json.loads(row(call, []))
    assert (masked["from"], masked["to"], masked["agent"]) == (MASK, MASK, f"Ada, ext. {MASK}")
    kept = plain.keys() - {"from", "to", "agent"}
    assert {name: masked[name] for name in kept} == {name: plain[name] for name in kept}


def test_a_calls_details_are_masked_in_every_field_known_or_not():
    data = call_data(
        from_number="+12125550184",
        to_number="100",
        agent_id="agent-12345",
        agent_version=123456,
        direction="inbound",
        disconnection_reason="error_12125550184",
        metadata={"customer": {"mail": "ada@example.org", "phones": [12125550184]}, "12125550184": "key"},
        audio={"caller": "l16/16000", "agent": "pcmu", "note": CARD},
        capabilities=["end", CARD],
        variables={"card": CARD, "table": 4},
    )
    masked = mask_call(CALL.validate_python(data).model_dump(mode="json", exclude_none=True))
    assert masked["metadata"] == {"customer": {"mail": ADDRESS_MASK, "phones": [MASK]}, MASK: "key"}
    assert masked["audio"] == {"caller": "l16/16000", "agent": "pcmu"}
    assert (masked["variables"], masked["capabilities"]) == ({"card": MASK, "table": 4}, ["end", MASK])
    kept = ["call_id", "call_type", "direction", "start_timestamp", "call_status"]
    assert {name: masked[name] for name in kept} == {name: data[name] for name in kept}
    rest = {name: value for name, value in masked.items() if name not in [*kept, "audio"]}
    assert digits_in_a_row(json.dumps(rest, ensure_ascii=False)) < 5


def test_who_has_a_call_is_named_and_nothing_is_added():
    holder = {"user_id": "u-12345678", "name": "Ada", "since": 1_700_000_000_000, "phone": "+12125550184"}
    assert mask_holder(holder) == {"user_id": "u-12345678", "name": "Ada", "since": 1_700_000_000_000}
    assert mask_holder(None) is None


# --- entries


def test_a_tool_call_is_masked_with_its_result_and_keeps_its_form():
    arguments = json.dumps({"card": CARD, "pay": {"exp": "12/27", "by": "ada@example.org"}, "guests": 4})
    item = one_item(
        invocation("t1", 100, name="charge", arguments=arguments),
        result("t2", 200, content=json.dumps({"receipt": 20260504, "ok": True})),
    )
    assert json.loads(item["arguments"]) == {
        "card": MASK,
        "pay": {"exp": "12/27", "by": ADDRESS_MASK},
        "guests": 4,
    }
    assert json.loads(item["result"]["content"]) == {"receipt": MASK, "ok": True}
    assert (item["id"], item["name"], item["time_ms"], item["key"]) == ("t1", "charge", 100, [100, 1])
    assert (item["result"]["successful"], item["result"]["time_ms"]) == (True, 200)


def test_every_other_kind_of_entry_is_masked_in_all_of_its_fields():
    for made in (
        entry("sms", "t1", 100, content=f"Code {CARD}", multimedia=[{"url": f"https://x/{CARD}"}], to="+1 212 555"),
        entry("node_transition", "t1", 100, new_node_name=f"pay {CARD}", former_node_id="12345", data={"n": [CARD]}),
        entry("injected", "t1", 100, content=CARD, by=f"ada@example.org {CARD}"),
        entry("note", "t1", 100, content=CARD),
        entry("dtmf", "t1", 100, digit="1", final=CARD, result={"content": CARD}, retracted=CARD),
        turn("t1", 100, "Hi", **{f"x {CARD}": {"y": [CARD]}, "interrupted": True}),
        result("t1", 100, tool_call_id="4242424242424242", content=CARD),
    ):
        item = one_item(made)
        assert (item["id"], item["role"]) == ("t1", made.role)
        rest = {name: value for name, value in item.items() if name not in ("key", "time_ms")}
        assert digits_in_a_row(json.dumps(rest, ensure_ascii=False)) < 5, made.role
        assert "example.org" not in json.dumps(rest)


def test_keys_that_are_pressed_one_by_one_spell_no_number():
    assert [one_item(entry("dtmf", "t1", 100, digit=digit))["digit"] for digit in ("4", "42", "#", "*", "٤")] == [
        PRESSED,
        PRESSED,
        "#",
        "*",
        PRESSED,
    ]


def test_the_words_of_a_turn_with_their_times_are_left_out():
    words = [
        {"word": word, "start": n, "end": n + 0.5} for n, word in enumerate(["four", "two", "four", "two", "four"])
    ]
    item = one_item(turn("t1", 100, "four two four two four", words=words))
    assert (item["content"], "words" in item) == (MASK, False)


def test_an_entrys_id_is_another_where_a_number_may_stand_in_it_and_always_the_same():
    assert mask_id("turn-12") == "turn-12"
    other = mask_id("from +12125550184")
    assert other == mask_id("from +12125550184") != mask_id("from +12125550185")
    assert digits_in_a_row(other) == 0
    assert mask_id(other) == other


# --- numbers that are said bit by bit


def test_of_a_turn_that_is_being_spoken_no_more_is_ever_shown_than_four_digits():
    reader = Reader()
    said = f"My card is {CARD}, thanks"
    for end in range(len(said)):
        reader.speak(said[: end + 1])
    reader.say(said, entry_id="spoken")
    assert reader.shown["spoken"] == f"My card is {MASK}, thanks"
    assert max(digits_in_a_row(content) for _, content in reader.seen) < 5


def test_a_number_that_is_said_over_several_turns_is_masked_but_for_its_first_piece():
    reader = Reader()
    for content, role in [
        ("4242.", "user"),
        ("Go on.", "agent"),
        ("4242.", "user"),
        ("4242, yes?", "agent"),
        ("42", "user"),
    ]:
        reader.say(content, role)
    assert list(reader.shown.values()) == [f"{MASK}.", "Go on.", f"{MASK}.", f"{MASK}, yes?", MASK]
    assert {content for _, content in reader.seen} == {*reader.shown.values(), "4242."}, "before the second came"
    assert reader.anew() == list(reader.shown.values())


def test_digits_one_a_turn_are_masked_from_the_fifth():
    reader = Reader()
    for word in ("four", "two", "four", "two", "four", "two"):
        reader.say(word)
    hidden = {(f"t{n}", MASK) for n in range(1, 7)}
    assert set(reader.shown.items()) == hidden
    assert reader.seen == {("t1", "four"), ("t2", "two"), ("t3", "four"), ("t4", "two"), *hidden}


def test_the_piece_that_is_being_spoken_counts_too():
    reader = Reader()
    reader.say("It begins with 4242")
    reader.speak("4")
    reader.speak("42")
    assert reader.shown == {"t1": f"It begins with {MASK}", "spoken": MASK}


def test_small_numbers_and_those_far_apart_stay_readable():
    reader = Reader()
    reader.say("A table for 4 at 7:30, room 214")
    for _ in range(8):
        reader.say("Let me see, one or two minutes")
    reader.say("That makes 120 dollars")
    assert MASK not in "".join(reader.shown.values())


def test_a_turn_that_is_too_old_to_be_kept_is_masked_by_itself():
    transcript = Transcript(max_items=1)
    transcript.entry(2, turn("late", 500, "4242"))
    update = transcript.entry(1, turn("early", 100, "42 42"))
    assert next(item["content"] for item in MaskedTranscript(transcript).put(update)) == MASK


_TURNS = st.lists(
    st.tuples(
        st.sampled_from(["agent", "user"]),
        st.sampled_from(["4242", "42", "four", "okay", "room 214", CARD, "it is 42", "", "two four two"]),
        st.integers(0, 9),
    ),
    max_size=12,
)


@given(_TURNS)
def test_what_a_page_is_told_bit_by_bit_is_what_one_that_is_opened_later_is_told(turns):
    """But for what stayed masked though what it belonged to was taken back."""
    reader = Reader()
    for n, (role, content, at) in enumerate(turns, 1):
        reader._put(reader.transcript.entry(n, entry(role, f"t{n}", at, content=content)))
    order = [item["id"] for item in reader.transcript.newest(500)[0]]
    assert [reader.shown[item_id] for item_id in order] == reader.anew()
