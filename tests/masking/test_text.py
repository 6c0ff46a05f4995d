"""Masking a text: numbers however they are written or said, addresses, and nothing that is neither."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemon.masking.text import ADDRESS_MASK, MASK, count_pieces, mask_number, mask_text
from tests.masking.readable import address_in, digits_in_a_row

CARDS = [
    "4242424242424242",
    "4242 4242 4242 4242",
    "4242-4242-4242-4242",
    "4242.4242/4242_4242",
    "378282246310005",
    "3782 822463 10005",
    "6304000000000000000",
    "42 42 42 42 42 42 42 42",
    "4 2 4 2 4 2 4 2 4 2 4 2 4 2 4 2",
]
PHONES = ["+12125550184", "+1 212 555 0184", "(212) 555-0184", "0049 (0)30 / 1234-567", "555.0184", "030/12 34 56"]


@pytest.mark.parametrize("number", [*CARDS, *PHONES, "12345", "2026-05-04", "1.234,56"])
def test_a_number_is_masked_whatever_it_is_grouped_by(number: str):
    masked = mask_text(f"It is {number}, thanks")
    assert masked.startswith("It is ")
    assert masked.endswith(", thanks")
    assert MASK in masked
    assert digits_in_a_row(masked) == 0


@pytest.mark.parametrize(
    "said",
    [
        "four two four two four",
        "Four Two, Four Two, Four Two",
        "four two uh four two um four",
        "four two one double five",
        "oh one seven triple two",
        "forty two forty two forty two",
        "nineteen eighty four twelve",
        "4 two 4 two 4",
        "five five five dash oh one eight four",
        "one hundred and twelve thousand three hundred forty five six",
    ],
)
def test_digits_that_are_said_as_words_are_masked(said: str):
    assert mask_text(f"My number is {said} okay") == f"My number is {MASK} okay"


@pytest.mark.parametrize(
    "hidden",
    [
        "\uff14\uff12\uff14\uff12\uff14",
        "٤٢٤٢٤",
        "४२४२४",
        "\U0001d7dc\U0001d7da\U0001d7dc\U0001d7da\U0001d7dc",
        "④②④②④",
        "⁴₂⁴₂⁴",
        "四二四二四",
        "4\u200b2\u200b4\u200b2\u200b4",
        "4\u00ad2\u20604\ufeff2\u200d4",
        "4️⃣2️⃣4️⃣2️⃣4️⃣",
        "fo\u200bur two four two fo\u00adur",
        "4%202%204%202%204",
        "4242%2D4",
        "%34%32%34%32%34",
        "%EF%BC%94%EF%BC%92%EF%BC%94%EF%BC%92%EF%BC%94",
        "&#52;&#50;&#52;&#50;&#52;",
        "&#x34;&#x32;&#x34;&#x32;&#x34;",
        "42&nbsp;42&nbsp;4",
        r"\u0034\u0032\u0034\u0032\u0034",
        r"42\n42\t4",
    ],
)
def test_digits_of_any_script_and_encoding_are_masked(hidden: str):
    assert mask_text(f"x {hidden} y").replace(" ", "") == f"x{MASK}y"


@pytest.mark.parametrize(
    "address",
    [
        "ada@example.com",
        "ada.b+c_d-e%f@mail.example.co.uk",
        "ADA@EXAMPLE.COM",
        "ada@localhost",
        "adá@exämple.com",
        "ada%40example.com",
        "ada&#64;example.com",
        "ada\uff20example.com",
        "a\u200bda@exam\u00adple.com",
        "ada @ example.com",
        "ada at example dot com",
        "ada dot lovelace at mail dot example dot co dot uk",
    ],
)
def test_an_address_is_masked_written_or_spoken(address: str):
    assert mask_text(f"write to: {address}, please") == f"write to: {ADDRESS_MASK}, please"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A table for 4 at 7:30, please",
        "room 214, and then room 215",
        "one or two people, three at most",
        "In 2026",
        "Ask @ada, or meet @ noon",
        "at five point two",
        "I was at home",
        "twenty twenty six",
        "someone, twofold",
        "50% off & more; [a] {b} \\n",
        "Ja, um 10:30 für 4",
    ],
)
def test_what_is_no_number_stays_as_it_is(text: str):
    assert mask_text(text) == text


def test_a_word_that_only_counts_digits_is_left():
    assert mask_text("double four two two five") == f"double {MASK}"


def test_letters_end_a_run_and_the_digits_within_a_word_count():
    assert mask_text("AB12345C, flat 12b, 34") == f"AB{MASK}C, flat 12b, 34"


def test_pieces_are_masked_only_where_they_are_asked_for():
    assert mask_text("it begins with 4242, and table 12") == "it begins with 4242, and table 12"
    assert mask_text("it begins with 4242, and table 12", pieces=True) == f"it begins with {MASK}, and table 12"
    assert mask_text("at 7:30 it is 120", pieces=True) == f"at 7:30 it is {MASK}"
    assert mask_text("42.", pieces=True) == f"{MASK}."


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("no number", 0),
        ("table 12", 0),
        ("room 214", 3),
        ("at 7:30", 0),
        ("7:30", 3),
        ("12", 2),
        ("uh four, two", 2),
        ("123 or 45678", 8),
        ("", 0),
    ],
)
def test_pieces_are_counted_where_three_digits_are_together_or_nothing_else_is_said(text: str, digits: int):
    assert count_pieces(text) == digits


@pytest.mark.parametrize("number", ["911", "4711", "+1 212 555 0184", "sip:0184@pbx", "ext 12"])
def test_what_is_a_number_by_its_meaning_is_masked_whole(number: str):
    assert mask_number(number) == MASK
    assert mask_number("anonymous") == "anonymous"


# --- whatever the text is

_SIGNS = st.sampled_from(
    [*"0123456789٤\uff14²④四", *"aeZé漢", *" .,-/()+:_%&#;\\@'\"", "\u200b", "\u00ad", "\u0301", "\n", "•", MASK, "ⓐ"]
)
_PIECES = st.sampled_from(
    ["one ", "two-", "forty ", "double ", " and ", " uh ", "hundred ", " at ", " dot ", "com", "@example.com", "ada@"]
)
_CODES = st.sampled_from(["4242", " 12345 ", "%34", "%2D", "&#52;", "&#x34;", "&nbsp;", "\\u0034", "\\n"])
_TEXTS = st.one_of(st.lists(_SIGNS, max_size=40), st.lists(st.one_of(_SIGNS, _PIECES, _CODES), max_size=40), st.text())


@given(_TEXTS.map("".join), st.booleans())
def test_no_run_of_five_digits_survives_and_no_address(text: str, pieces: bool):
    masked = mask_text(text, pieces=pieces)
    assert digits_in_a_row(masked) < 5
    assert address_in(masked) is None


@given(_TEXTS.map("".join), st.booleans())
def test_what_is_masked_is_masked_for_good(text: str, pieces: bool):
    once = mask_text(text, pieces=pieces)
    assert mask_text(once, pieces=pieces) == once
    assert mask_number(mask_number(text)) == mask_number(text)


HOSTILE = {
    "signs of addresses": "@" * 100_000,
    "half addresses": "a@" * 50_000,
    "a long word before an address": "a" * 100_000 + " at x dot com",
    "spoken addresses without an end": " at" + " a dot" * 16_000,
    "spoken addresses in one another": "at at dot " * 10_000,
    "short runs": "1 2 3 4 x " * 10_000,
    "one run": "1 " * 50_000,
    "one digit and blanks": "1" + " " * 100_000 + "x",
    "words between digits": "1 " + "and " * 25_000 + "x",
    "half encodings": "&#x" * 33_000,
    "an entity without an end": "&#" + "0" * 100_000,
    "percent signs": "%4" * 50_000,
    "backslashes": "\\u" * 50_000,
    "wide letters": "\uff411" * 50_000,
    "no width": "4\u200b" * 50_000,
    "brackets": '["' * 50_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_text_of_100_kb_keeps_the_server_busy(text: str):
    """No time is asserted: with a pattern that backtracks without bound this would not end."""
    assert digits_in_a_row(mask_text(text, pieces=True)) < 5
