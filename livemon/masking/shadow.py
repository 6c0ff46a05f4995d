"""A text's shadow: what masking has to tell apart, and where each sign of it stands in the text. Pure.

Digits of every script are `0` to `9`, letters `a` to `z` (`\\x01` where there is no such letter); punctuation of ASCII stays,
everything else is a blank. What has no width, and what stands on a letter, is left out: nothing is hidden by it.
"""

import unicodedata
from collections.abc import Sequence

LETTER = "\x01"
_NOTHING = "\x02"
_KEPT = 8_192

Span = tuple[int, int]


class Shadow:
    """`plain` is the shadow; `span` leads from a span of it back into the text."""

    def __init__(self, text: str) -> None:
        self._length = len(text)
        self._places: Sequence[int] = range(self._length)
        self.plain = text.lower() if text.isascii() else text.translate(_signs)
        if _NOTHING in self.plain:
            self._places = [place for place, sign in enumerate(self.plain) if sign != _NOTHING]
            self.plain = self.plain.replace(_NOTHING, "")

    def span(self, start: int, end: int) -> Span:
        """The text's own, with what has no width at its end."""
        after = self._places[end] if end < len(self._places) else self._length
        return self._places[start], after


class _Signs(dict[int, str]):
    """By code point, as `str.translate` asks for it; bounded, whatever a text holds."""

    def __missing__(self, code: int) -> str:
        if len(self) >= _KEPT:
            self.clear()
        self[code] = sign = sign_of(chr(code))
        return sign


_signs = _Signs()


def sign_of(character: str) -> str:
    """The one sign that stands for a character."""
    if character.isascii():
        return character.lower() if character != _NOTHING else " "
    digit = unicodedata.digit(character, None)
    if digit is not None:
        return str(digit)
    plain = unicodedata.normalize("NFKC", character)
    if unicodedata.numeric(character, None) is not None or any(one.isdecimal() for one in plain):
        return "0"
    if len(plain) == 1 and plain.isascii() and plain.isalpha() <= character.isalpha():
        return plain.lower()
    if unicodedata.category(character) in ("Cf", "Mn", "Me"):
        return _NOTHING
    return LETTER if character.isalpha() else " "
