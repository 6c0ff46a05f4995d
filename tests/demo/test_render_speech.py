"""When each word begins, out of what the synthesiser says."""

from hypothesis import given
from hypothesis import strategies as st

from livemon.demo.render_speech import word_starts


def test_words_begin_at_their_marks() -> None:
    assert word_starts("one two three", [(0, 5), (4, 300), (8, 700)], 1_000) == [0, 300, 700]


def test_a_word_of_several_marks_begins_at_its_first() -> None:
    """A number or a contraction is spoken as several words."""
    assert word_starts("at 25 past", [(0, 0), (3, 200), (4, 350), (6, 600)], 900) == [0, 200, 600]


def test_a_word_without_a_mark_stands_between_its_neighbours() -> None:
    before, between, after = word_starts("aaa bbb ccc", [(0, 0), (8, 800)], 1_000)
    assert before < between < after


@given(
    st.lists(st.text("abc", min_size=1, max_size=8), min_size=1, max_size=20),
    st.lists(st.tuples(st.integers(0, 200), st.integers(-50, 9_999)), max_size=30),
)
def test_words_never_begin_backwards_or_outside_their_line(words: list[str], marks: list[tuple[int, int]]) -> None:
    starts = word_starts(" ".join(words), sorted(marks), 5_000)
    assert len(starts) == len(words)
    assert starts == sorted(starts)
    assert 0 <= starts[0] <= starts[-1] <= 5_000
