"""The calls that an Admin is told of on every page: whose supervisor has lost the role, or is not heard by the caller.

They are few, so whoever follows gets all of them at each change. It knows no socket; the endpoint is in `livemon.api.live`.
"""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

import orjson

from .feed import CallFeed, FeedState
from .list_feed import SILENCE_MS, feed_json
from .outbox import Outbox
from .registry import Change, LiveCall
from .rows import row

PAUSE_S = 0.1
"""Between two messages: an outage of the network moves many calls at once."""


def alarming(live: LiveCall) -> bool:
    holder = live.controller
    if live.over or not live.listed or holder is None:
        return False
    return holder.role_lost_since is not None or holder.lost_since is not None


class Alerts:
    """Such calls of one workspace; `run` tells of them."""

    def __init__(self, calls: CallFeed, pause_s: float = PAUSE_S) -> None:
        self._calls, self._pause_s = calls, pause_s
        self._alarming: dict[str, LiveCall] = {}
        self._outboxes: set[Outbox] = set()
        self._woken = asyncio.Event()
        calls.changed.append(self._on_changes)
        calls.state_changed.append(self._on_state)

    @contextmanager
    def connect(self) -> Generator[Outbox]:
        """An outbox for one connection, beginning with what is so."""
        outbox = Outbox("alerts", lambda: [self._whole()])
        self._outboxes.add(outbox)
        try:
            yield outbox
        finally:
            self._outboxes.discard(outbox)

    async def run(self) -> None:
        """Speak at each change, and now and then without one, so that silence means a dead connection."""
        while True:
            try:
                async with asyncio.timeout(SILENCE_MS / 1000):  # `wait_for` loses a cancellation before Python 3.12
                    await self._woken.wait()
            except TimeoutError:
                self._say(orjson.dumps({"t": "tick", "now": self._calls.now()}).decode())
                continue
            self._woken.clear()
            self._say(self._whole())
            await asyncio.sleep(self._pause_s)

    def _say(self, message: str) -> None:
        for outbox in self._outboxes:
            outbox.offer(message)

    def _whole(self) -> str:
        rows = [orjson.Fragment(row(live, ())) for live in self._alarming.values()]
        state = feed_json(self._calls.state)
        return orjson.dumps({"t": "alerts", "now": self._calls.now(), "feed": state, "calls": rows}).decode()

    def _on_changes(self, changes: list[Change]) -> None:
        for change in changes:
            before = self._alarming.pop(change.call_id, None)
            if alarming(change.now):
                self._alarming[change.call_id] = change.now
            if before is not None or change.call_id in self._alarming:
                self._woken.set()

    def _on_state(self, _: FeedState) -> None:
        self._woken.set()
