"""The live list for all browsers of a workspace: every 50 ms one diff, encoded once, to a bounded outbox a connection.

It reads the registry and Presence and knows no socket; the endpoint in `livemon.api.live` sends what an outbox gives.
"""

import asyncio
import time
from collections.abc import Generator
from contextlib import contextmanager

import orjson

from livemon_runtime.errors import ProtocolError

from .feed import CallFeed, FeedState
from .outbox import Outbox
from .presence import Presence
from .registry import Change
from .rows import row

TICK_S = 0.05
SILENCE_MS = 5_000
"""The longest that a socket is left without a word."""


class ListFeed:
    """Rows by call id, each encoded when it changes; `run()` sends what changed since the last tick."""

    def __init__(self, calls: CallFeed, presence: Presence, tick_s: float = TICK_S) -> None:
        self._calls = calls
        self._presence = presence
        self._tick_s = tick_s
        self._rows: dict[str, orjson.Fragment] = {}
        self._encoded: dict[str, bytes] = {}
        self._dirty: set[str] = set()
        self._started: set[str] = set()
        self._outboxes: set[Outbox] = set()
        self._seq = 0
        self._said_at = time.monotonic()
        self._snapshot: str | None = None
        self._woken = asyncio.Event()
        calls.changed.append(self._on_changes)
        calls.state_changed.append(self._on_state)
        presence.changed.append(self._on_presence)

    @contextmanager
    def connect(self) -> Generator[Outbox]:
        """An outbox for one connection, beginning with a snapshot."""
        outbox = Outbox("list", lambda: [self.snapshot()])
        self._outboxes.add(outbox)
        try:
            yield outbox
        finally:
            self._outboxes.discard(outbox)

    async def run(self) -> None:
        """Tick while there is something to say."""
        while True:
            try:
                async with asyncio.timeout(SILENCE_MS / 1000):  # `wait_for` loses a cancellation before Python 3.12
                    await self._woken.wait()
            except TimeoutError:
                self._say({"t": "tick", "now": self._calls.now()})
                continue
            self._woken.clear()
            self.tick()
            await asyncio.sleep(self._tick_s)

    def tick(self) -> None:
        """Bring the rows up to date and send one diff, if a row has changed."""
        put: list[orjson.Fragment] = []
        drop: list[str] = []
        new = [call_id for call_id in self._started if call_id in self._dirty]
        for call_id in self._dirty:
            self._renew_row_safely(call_id, put, drop)
        self._dirty.clear()
        self._started.clear()
        if put or drop:
            self._seq += 1
            now = self._calls.now()
            new = [call_id for call_id in new if call_id in self._rows]
            self._say({"t": "diff", "seq": self._seq, "now": now, "put": put, "new": new, "drop": drop})
        elif time.monotonic() - self._said_at >= SILENCE_MS / 1000:
            self._say({"t": "tick", "now": self._calls.now()})

    def snapshot(self) -> str:
        """Everything as of the last tick, encoded once for all who ask before the next."""
        if self._snapshot is None:
            calls = list(self._rows.values())
            feed = feed_json(self._calls.state)
            whole = {"t": "snapshot", "seq": self._seq, "now": self._calls.now(), "feed": feed, "calls": calls}
            self._snapshot = orjson.dumps(whole).decode()
            asyncio.get_running_loop().call_later(self._tick_s, self._forget_snapshot)
        return self._snapshot

    def _forget_snapshot(self) -> None:
        self._snapshot = None

    def _renew_row_safely(self, call_id: str, put: list[orjson.Fragment], drop: list[str]) -> None:
        """One row that cannot be made stays as it was; the others go on."""
        try:
            self._renew_row(call_id, put, drop)
        except Exception as error:
            live = self._calls.get(call_id)
            why = ProtocolError("no_row", f"{type(error).__name__}: {error}")
            self._calls.drops.drop("row", why, live.runtime if live else None, self._calls.now(), call_id)

    def _renew_row(self, call_id: str, put: list[orjson.Fragment], drop: list[str]) -> None:
        live = self._calls.get(call_id)
        if live is None or not live.listed:
            if self._rows.pop(call_id, None) is not None:
                del self._encoded[call_id]
                drop.append(call_id)
            return
        encoded = row(live, self._presence.of(call_id))
        if self._encoded.get(call_id) != encoded:
            self._encoded[call_id] = encoded
            self._rows[call_id] = fragment = orjson.Fragment(encoded)
            put.append(fragment)

    def _say(self, message: dict[str, object]) -> None:
        self._said_at = time.monotonic()
        self._snapshot = None
        if self._outboxes:
            encoded = orjson.dumps(message).decode()
            for outbox in self._outboxes:
                outbox.offer(encoded)

    def _on_changes(self, changes: list[Change]) -> None:
        for change in changes:
            self._dirty.add(change.call_id)
            waited = change.before is not None and not change.before.listed
            if change.now.listed and (change.started or waited):
                self._started.add(change.call_id)
        self._woken.set()

    def _on_presence(self, call_ids: set[str]) -> None:
        self._dirty |= call_ids
        self._woken.set()

    def _on_state(self, state: FeedState) -> None:
        self._say({"t": "feed", "now": self._calls.now(), **feed_json(state)})


def feed_json(state: FeedState) -> dict[str, object]:
    return {"state": state.state, "since": state.since}
