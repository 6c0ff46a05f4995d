"""A page of the list of calls: in which order, from where, and the key that leads on to the next. Pure.

The key is a place in the order (a start, an id), and no number of calls: a call that ends or begins between two pages moves
nobody else's.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from livemon.calls.registry import LiveCall

Order = Literal["ascending", "descending"]
PageKey = Annotated[str, Field(pattern=r"^[0-9]{1,16}\.[A-Za-z0-9_.-]{1,128}$")]
"""`start.id` of a page's last call."""
Place = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Page:
    calls: list[LiveCall]
    next: str | None
    """The key of the next page; None if there is none."""


def place_of(live: LiveCall) -> Place:
    return live.call.start_timestamp, live.call.call_id


def ordered(calls: Iterable[LiveCall], order: Order) -> list[LiveCall]:
    """By start; of the same start, by id."""
    return sorted(calls, key=place_of, reverse=order == "descending")


def after(calls: list[LiveCall], order: Order, key: str | None) -> list[LiveCall]:
    """Those behind the place that the key names, whether there is a call in that place or not."""
    if key is None:
        return calls
    start, _, call_id = key.partition(".")
    place = int(start), call_id
    return [live for live in calls if (place_of(live) < place if order == "descending" else place_of(live) > place)]


def cut(calls: list[LiveCall], skip: int, limit: int) -> Page:
    """`limit` of the calls, without the first `skip`."""
    rest = calls[skip:]
    page = rest[:limit]
    if len(rest) == len(page):
        return Page(page, None)
    start, call_id = place_of(page[-1])
    return Page(page, f"{start}.{call_id}")
