"""Which runtimes are gone: what Redis answers about their keys, and what follows."""

from hypothesis import given
from hypothesis import strategies as st

from livemon.calls.liveness import Liveness

NOW = 1_700_000_000_000
MISSING = -2


def test_a_runtime_whose_key_is_there_is_neither_quiet_nor_lost():
    verdicts = Liveness().check({"a": 15_000}, NOW, 0)
    assert (verdicts.quiet, verdicts.heard, verdicts.lost) == ({}, set(), set())


def test_a_missing_key_says_since_when_by_the_age_of_the_last_heartbeat():
    liveness = Liveness()
    liveness.check({"a": 11_000}, NOW, 0)
    verdicts = liveness.check({"a": MISSING}, NOW + 12_000, 12_000)
    assert verdicts.quiet == {"a": NOW - 4_000}
    assert liveness.is_quiet("a")


def test_the_moment_stays_the_same_while_it_is_quiet():
    liveness = Liveness()
    liveness.check({"a": MISSING}, NOW, 0)
    assert liveness.check({"a": MISSING}, NOW + 5_000, 5_000).quiet == {"a": NOW}


def test_one_never_heard_is_quiet_since_it_was_first_missed():
    assert Liveness().check({"a": MISSING}, NOW, 0).quiet == {"a": NOW}


def test_it_is_lost_after_a_minute_in_which_every_check_was_answered():
    liveness = Liveness(60_000)
    lost = [liveness.check({"a": MISSING}, NOW + at, at).lost for at in range(0, 65_000, 5_000)]
    assert lost == [set()] * 12 + [{"a"}]


def test_an_outage_of_redis_in_between_measures_anew_so_that_nothing_is_lost_by_it():
    liveness = Liveness(60_000)
    for at in range(0, 55_000, 5_000):
        assert not liveness.check({"a": MISSING}, NOW + at, at).lost
    liveness.interrupted()
    for at in range(60_000, 120_000, 5_000):
        assert not liveness.check({"a": MISSING}, NOW + at, at).lost
    assert liveness.check({"a": MISSING}, NOW + 120_000, 120_000).lost == {"a"}


def test_a_runtime_that_comes_back_is_heard_once_and_its_silence_forgotten():
    liveness = Liveness(10_000)
    liveness.check({"a": MISSING}, NOW, 0)
    assert liveness.check({"a": 15_000}, NOW + 5_000, 5_000).heard == {"a"}
    assert not liveness.is_quiet("a")
    assert liveness.check({"a": 15_000}, NOW + 10_000, 10_000).heard == set()
    assert not liveness.check({"a": MISSING}, NOW + 15_000, 15_000).lost


def test_a_key_without_an_expiry_counts_as_heard_now():
    liveness = Liveness()
    liveness.check({"a": -1}, NOW, 0)
    assert liveness.check({"a": MISSING}, NOW + 5_000, 5_000).quiet == {"a": NOW}


def test_runtimes_without_calls_are_forgotten():
    liveness = Liveness()
    liveness.check({"a": MISSING}, NOW, 0)
    liveness.check({}, NOW, 5_000)
    assert not liveness.is_quiet("a")


@given(st.lists(st.tuples(st.sampled_from(["there", "missing", "away"]), st.integers(1, 15_000)), max_size=60))
def test_whatever_happens_lost_needs_a_minute_of_answered_checks_without_the_key(steps: list[tuple[str, int]]):
    liveness, elapsed, missing_since = Liveness(60_000), 0, None
    for what, pause in steps:
        elapsed += pause
        if what == "away":
            liveness.interrupted()
            missing_since = None
            continue
        verdicts = liveness.check({"a": MISSING if what == "missing" else 15_000}, NOW + elapsed, elapsed)
        if what == "there":
            missing_since = None
            assert not verdicts.quiet
        else:
            missing_since = elapsed if missing_since is None else missing_since
            assert "a" in verdicts.quiet
        if verdicts.lost:
            assert missing_since is not None
            assert elapsed - missing_since >= 60_000
