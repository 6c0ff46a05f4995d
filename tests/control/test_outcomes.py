"""What a supervisor reads when a command was not done."""

import pytest

from livemon.control.outcomes import CommandFailed, Declined, NoAnswer, RedisAway, TooMany

CODES = ["not_found", "already_ended", "refused", "unsupported", "too_late", "failed", "out_of_coffee"]


@pytest.mark.parametrize("failure", [RedisAway(), NoAnswer(), NoAnswer(gone=True), TooMany(), *map(Declined, CODES)])
def test_every_failure_says_in_whole_sentences_what_happened(failure: CommandFailed):
    text = str(failure)
    assert text.endswith(".")
    assert text.count(". ") >= 1
    assert "{" not in text


@pytest.mark.parametrize("code", ["refused", "failed", "out_of_coffee"])
@pytest.mark.parametrize(
    ("said", "shown"), [("I am busy", "I am busy. "), ("No!", "No! "), ("", "it gave no reason. ")]
)
def test_the_runtimes_own_reason_is_passed_on_as_a_sentence(code: str, said: str, shown: str):
    assert f": {shown}" in str(Declined(code, said))


def test_a_reason_in_braces_is_only_text():
    assert "{said} {0}." in str(Declined("refused", "{said} {0}"))


def test_what_a_runtime_says_is_cut_to_what_can_be_shown():
    failure = Declined("x" * 10_000, "y" * 10_000)
    assert len(failure.code) == 64
    assert len(str(failure)) < 500


def test_codes_are_the_protocols_or_ours():
    assert [one().code for one in (RedisAway, NoAnswer, TooMany)] == ["redis_away", "no_answer", "too_many"]
    assert [Declined(code).code for code in CODES] == CODES


def test_a_silent_runtime_and_one_that_is_gone_are_told_apart():
    assert "not answered" in str(NoAnswer())
    assert "not reporting" in str(NoAnswer(gone=True))
