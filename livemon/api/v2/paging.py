"""A page of the list of calls: in which order, from where, and the key that leads on to the next. Pure.

The key is a place in the order (a start, an id), and no number of calls: a call that ends or begins between two pages moves
nobody else's.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, cast

import orjson

from livemon.calls.registry import LiveCall

Order = Literal["ascending", "descending"]
Place = tuple[int, str]
LONGEST_KEY = 512


class BadKey(ValueError):
    """A pagination key that is none of ours, or of the other order; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Page:
    calls: list[LiveCall]
    next: str | None
    """Leads on to the next page; None if there is none."""


def place_of(live: LiveCall) -> Place:
    return live.call.start_timestamp, live.call.call_id


def ordered(calls: Iterable[LiveCall], order: Order) -> list[LiveCall]:
    """By start; of the same start, by id."""
    return sorted(calls, key=place_of, reverse=order == "descending")


def after(calls: list[LiveCall], order: Order, key: str | None) -> list[LiveCall]:
    """Those behind the place that the key names. Raises `BadKey`."""
    if key is None:
        return calls
    place = _read(key, order)
    return [live for live in calls if (place_of(live) < place if order == "descending" else place_of(live) > place)]


def cut(calls: list[LiveCall], order: Order, skip: int, limit: int) -> Page:
    """`limit` of the calls, without the first `skip`."""
    rest = calls[skip:]
    page = rest[:limit]
    return Page(page, _write(page[-1], order) if len(rest) > len(page) else None)


def _write(live: LiveCall, order: Order) -> str:
    return urlsafe_b64encode(orjson.dumps([order[0], *place_of(live)])).decode().rstrip("=")


def _read(key: str, order: Order) -> Place:
    try:
        read = cast("list[object]", orjson.loads(urlsafe_b64decode(f"{key}{'=' * (-len(key) % 4)}")))
        direction, start, call_id = read
    except (ValueError, TypeError) as error:
        raise BadKey("pagination_key is none that livemon has given; begin without one") from error
    if not isinstance(start, int) or isinstance(start, bool) or not isinstance(call_id, str):
        raise BadKey("pagination_key is none that livemon has given; begin without one")
    if direction != order[0]:
        raise BadKey("pagination_key belongs to the other sort_order; go on in the order in which you began")
    return start, call_id
