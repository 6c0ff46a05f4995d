"""Masking whatever JSON a runtime may send: texts, numbers, keys, at any depth, and JSON that stands in a text. Pure."""

from collections import Counter
from collections.abc import Iterable
from typing import cast

import orjson

from .digits import LONG, PIECE, find_digits
from .text import MASK, mask_number, mask_text

DEEPEST = 40
"""What lies deeper is masked whole; so is JSON in JSON in JSON …"""

_LETTERS = "bcdfghjkmpqrsvwxz"
_JSON_BEGINS = ("{", "[", '"')


def mask_value(value: object) -> object:
    """`value` masked; what holds nothing to mask comes back as it is."""
    return _settled(value, 0)


def _settled(value: object, depth: int) -> object:
    masked = _masked(value, depth)
    if isinstance(value, str | int | float) or not find_digits(_dump(masked)).long():
        return masked
    return _hidden(masked, depth)  # no part of it is too long, but the parts are, one beside another


def _masked(value: object, depth: int) -> object:
    if isinstance(value, str):
        return _masked_text(value, depth)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return MASK if abs(value) >= 10 ** (LONG - 1) else value
    if isinstance(value, float):
        return MASK if find_digits(repr(value)).long() else value
    if depth >= DEEPEST:
        return MASK
    if isinstance(value, dict):
        items = cast("dict[str, object]", value)
        values = [_masked(one, depth + 1) for one in items.values()]
        return _keyed([mask_text(key) for key in items], _without_parts(values, PIECE, str))
    return _without_parts([_masked(one, depth + 1) for one in cast("Iterable[object]", value)], 1, str | int)


def _masked_text(text: str, depth: int) -> str:
    """A text, or the JSON in it, which stays as it was written if there is nothing to mask."""
    if depth >= DEEPEST or not text.lstrip().startswith(_JSON_BEGINS):
        return mask_text(text)
    try:
        inner = cast("object", orjson.loads(text))
    except orjson.JSONDecodeError:
        return mask_text(text)
    masked = _settled(inner, depth + 1)
    return text if masked == inner and mask_text(text) == text else _dump(masked)


def _without_parts(values: list[object], least: int, kind: object) -> list[object]:
    """Without those of `kind` that are nothing but digits, `least` or more each, if they make a long run together."""
    parts = {index: digits for index, one in enumerate(values) if (digits := _bare(one, kind)) >= least}
    if sum(parts.values()) < LONG:
        return values
    return [MASK if index in parts else one for index, one in enumerate(values)]


def _bare(value: object, kind: object) -> int:
    """How many digits `value` has, if it is of `kind` and nothing else is in it; else 0."""
    if not isinstance(value, kind) or isinstance(value, bool):  # pyright: ignore[reportArgumentType]
        return 0
    found = find_digits(str(value))
    return sum(run.digits for run in found.runs) if found.bare else 0


def _hidden(value: object, depth: int) -> object:
    """Every text with a digit in it, and every number, masked whole."""
    if isinstance(value, str):
        return mask_number(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float) or depth >= DEEPEST:
        return MASK
    if isinstance(value, dict):
        items = cast("dict[str, object]", value)
        return _keyed([mask_number(key) for key in items], [_hidden(one, depth + 1) for one in items.values()])
    return [_hidden(one, depth + 1) for one in cast("Iterable[object]", value)]


def _keyed(keys: list[str], values: list[object]) -> dict[str, object]:
    """An object in which keys that masking has made alike are told apart by their place."""
    made: dict[str, object] = {}
    seen = Counter[str]()
    for key, value in zip(keys, values, strict=True):
        seen[key] += 1
        made[key if key not in made else f"{key} {_nth(seen[key])}"] = value
    return made


def _nth(number: int) -> str:
    """A number in letters, which spell no word: digits would be masked the next time."""
    letters = ""
    while number:
        number, place = divmod(number, len(_LETTERS))
        letters = _LETTERS[place] + letters
    return letters


def _dump(value: object) -> str:
    return orjson.dumps(value, default=str).decode()
