"""Where digits stand in a text, however they are written: in any script, encoded, grouped, or as English words. Pure.

A run goes on for as long as nothing stands between its digits but signs, blanks and the words that people say between
digits ("dash", "and", "uh"). A text is read from left to right, and no part of it twice.
"""

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote

from .shadow import LETTER, Shadow

LONG = 5
"""So many digits in one run are masked, whatever they are; fewer are harmless alone."""
PIECE = 3
"""So many, or a text that is nothing but digits, may be a piece of a number that is said bit by bit."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_UNITS = _words("zero oh o nought one two three four five six seven eight nine")
_TENS = _words("twenty thirty forty fourty fifty sixty seventy eighty ninety")
_TEENS = _words("ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen")
_WORTH = {**dict.fromkeys(_UNITS, 1), **dict.fromkeys(_TENS | _TEENS, 2)}
_TIMES = {"double": 1, "triple": 2, "treble": 2}
"""How many digits more the next one stands for."""
_BETWEEN = _words(
    "and uh uhm um er erm ah hm hmm then dash hyphen minus space dot point period slash plus comma"
    " hundred thousand million double triple treble"
)


def _word(words: Iterable[str]) -> str:
    return rf"(?<![a-z{LETTER}])(?:{'|'.join(sorted(words))})(?![a-z{LETTER}])"


_CODE = r"(?:%[0-9a-f]{2})+|&#x?[0-9a-f]{1,8};?|&[a-z]{2,31};|\\u\{?[0-9a-f]{2,6}\}?|\\x[0-9a-f]{2}|\\[bfnrt]"
_TOKEN = re.compile(rf"(?P<digits>[0-9]+)|(?P<word>{_word([*_WORTH, *_TIMES])})|(?P<code>{_CODE})")
# Nothing possessive: Python 3.11 has matched `(…)*+` wrongly up to 3.11.4, and nothing was masked.
_GAP = re.compile(rf"(?:[^a-z{LETTER}]|{_word(_BETWEEN)})*")
_CLOCK = re.compile(r"[0-2]?[0-9]:[0-5][0-9]")


@dataclass(slots=True)
class Run:
    """`text[start:end]` holds `digits` digits, and nothing of another kind; `clock`: it is a time of day, such as 7:30."""

    start: int
    end: int
    digits: int
    clock: bool = False


@dataclass(slots=True)
class Digits:
    """What `find_digits` has found: the runs in order, and whether there is not a word besides."""

    runs: list[Run] = field(default_factory=list[Run])
    bare: bool = True

    def long(self) -> list[Run]:
        return [run for run in self.runs if run.digits >= LONG]

    def pieces(self) -> list[Run]:
        """The long runs, and whatever may be a piece of a number."""
        return [run for run in self.runs if self.bare or (run.digits >= PIECE and not run.clock)]


class _Reader:
    """Takes what may be digits, from left to right; `at` is how far the text has been read."""

    def __init__(self, plain: str) -> None:
        self._plain, self._at = plain, 0
        self._run: Run | None = None
        self._more, self._after_tens = 0, False
        self.found = Digits()

    def reach(self, start: int, end: int) -> None:
        """Go on to what stands from `start` to `end`; what lies before it may end the run."""
        if _GAP.fullmatch(self._plain, self._at, start) is None:
            self._run, self._more, self.found.bare = None, 0, False
        self._at = end

    def take(self, start: int, end: int, count: int) -> None:
        count, self._more, self._after_tens = count + self._more, 0, False
        if self._run is None:
            self._run = Run(start, end, count)
            self.found.runs.append(self._run)
        else:
            self._run.end, self._run.digits = end, self._run.digits + count

    def word(self, start: int, end: int, word: str) -> None:
        if word in _TIMES:
            self._more += _TIMES[word]
            return
        completes = self._after_tens and self._run is not None and word in _UNITS  # "forty two" is two digits
        self.take(start, end, 0 if completes else _WORTH[word])
        self._after_tens = word in _TENS


def find_digits(text: str) -> Digits:
    """All digits of `text`, in runs."""
    shadow = Shadow(text)
    reader = _Reader(shadow.plain)
    for token in _TOKEN.finditer(shadow.plain):
        start, end = token.span()
        reader.reach(start, end)
        if token.lastgroup == "word":
            reader.word(start, end, token.group())
        elif count := end - start if token.lastgroup == "digits" else _encoded(token.group()):
            reader.take(start, end, count)
    reader.reach(len(shadow.plain), len(shadow.plain))
    for run in reader.found.runs:
        run.clock = _CLOCK.fullmatch(shadow.plain, run.start, run.end) is not None
        run.start, run.end = shadow.span(run.start, run.end)
    return reader.found


def _encoded(code: str) -> int:
    """How many digits an encoding stands for, or is written with: the larger."""
    decoded = unquote(code, errors="replace") if code.startswith("%") else html.unescape(_as_entity(code))
    return max(_count(code), _count(Shadow(decoded).plain))


def _as_entity(code: str) -> str:
    return f"&#x{code[2:].strip('{}')};" if code.startswith("\\") else code


def _count(signs: str) -> int:
    return sum("0" <= one <= "9" for one in signs)
