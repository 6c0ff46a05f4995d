"""What has been missing for too long, without a break."""

from livemon.calls.patience import Patience


def test_what_is_missing_at_every_check_for_the_time_is_answered():
    patience = Patience(60_000)
    assert [bool(patience.check({"a"}, at)) for at in range(0, 60_001, 5_000)] == [False] * 12 + [True]


def test_one_check_in_which_it_was_there_begins_anew():
    patience = Patience(10_000)
    patience.check({"a"}, 0)
    patience.check(set(), 5_000)
    assert not patience.check({"a"}, 10_000)
    assert not patience.check({"a"}, 19_999)
    assert patience.check({"a"}, 20_000) == {"a"}


def test_each_waits_by_itself():
    patience = Patience(10_000)
    patience.check({"a"}, 0)
    patience.check({"a", "b"}, 5_000)
    assert patience.check({"a", "b"}, 10_000) == {"a"}


def test_an_interruption_begins_anew():
    patience = Patience(10_000)
    patience.check({"a"}, 0)
    patience.interrupted()
    assert not patience.check({"a"}, 10_000)


def test_a_process_that_was_frozen_has_not_observed_the_time_in_between():
    patience = Patience(60_000)
    for at in range(0, 30_000, 5_000):
        patience.check({"a"}, at)
    assert not patience.check({"a"}, 115_000), "frozen for 90 s"
    assert not patience.check({"a"}, 120_000)
