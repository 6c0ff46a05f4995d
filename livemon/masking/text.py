"""Masking one text: addresses first, then whatever digits are left. Pure, and the same again for what is masked already."""

from collections.abc import Iterable

from .addresses import find_addresses
from .digits import find_digits
from .shadow import Span

MASK = "•••"
"""In place of digits, however many there were."""
ADDRESS_MASK = "•••@•••"


def mask_text(text: str, *, pieces: bool = False) -> str:
    """`text` without its long runs of digits and its e-mail addresses; with `pieces`, without what may be a part of one, too."""
    text = _replace(text, find_addresses(text), ADDRESS_MASK)
    found = find_digits(text)
    runs = found.pieces() if pieces else found.long()
    return _replace(text, [(run.start, run.end) for run in runs], MASK)


def count_pieces(text: str) -> int:
    """How many digits of a number `text` may hold, all in all."""
    return sum(run.digits for run in find_digits(text).pieces())


def mask_number(text: str) -> str:
    """What is a number by its meaning, such as a caller's: masked whole if there is a digit in it, however few."""
    return MASK if find_digits(text).runs else mask_text(text)


def _replace(text: str, spans: Iterable[Span], mask: str) -> str:
    parts: list[str] = []
    at = 0
    for start, end in spans:
        parts += text[at:start], mask
        at = end
    return "".join([*parts, text[at:]])
