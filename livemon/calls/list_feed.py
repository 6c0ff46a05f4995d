"""The live list for all browsers of a workspace: thirty times a second one diff, to a bounded outbox a connection.

A diff is encoded once for all who see the rows as they are, and once for all who see them masked, while there are any. It
reads the registry and Presence and knows no socket; the endpoint in `livemon.api.live` sends what an outbox gives.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

from livemon_runtime.errors import ProtocolError

from .feed import CallFeed, FeedState
from .list_rows import ListRows, Message
from .masked import mask_row
from .outbox import Outbox
from .presence import Presence
from .registry import Change
from .rows import row

TICK_S = 0.033
SILENCE_MS = 5_000
"""The longest that a socket is left without a word."""
MASKED_AT_ONCE = 200
"""So many rows are masked before others have their turn."""


class ListFeed:
    """Rows by call id, each encoded when it changes; `run()` sends what changed since the last tick."""

    def __init__(self, calls: CallFeed, presence: Presence, tick_s: float = TICK_S) -> None:
        self._calls = calls
        self._presence = presence
        self._tick_s = tick_s
        self._plain = self._rows(masked=False)
        self._masked: ListRows | None = None
        """Only while somebody needs it."""
        self._need_masked = 0
        self._masking = asyncio.Lock()
        self._dirty: set[str] = set()
        self._started: set[str] = set()
        self._woken = asyncio.Event()
        calls.changed.append(self._on_changes)
        calls.state_changed.append(self._on_state)
        presence.changed.append(self._on_presence)

    @contextmanager
    def connect(self) -> Generator[Outbox]:
        """An outbox for one connection that sees everything, beginning with a snapshot."""
        outbox = self._plain.open()
        try:
            yield outbox
        finally:
            self._plain.close(outbox)

    @asynccontextmanager
    async def connect_masked(self) -> AsyncGenerator[Outbox]:
        """An outbox for one connection that sees the rows masked, beginning with a snapshot."""
        self._need_masked += 1
        try:
            rows = await self._masked_rows()
            outbox = rows.open()
            try:
                yield outbox
            finally:
                rows.close(outbox)
        finally:
            self._need_masked -= 1
            if not self._need_masked:
                self._masked = None

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
        new = [call_id for call_id in self._started if call_id in self._dirty]
        for call_id in self._dirty:
            self._renew_row_safely(call_id)
        self._dirty.clear()
        self._started.clear()
        now = self._calls.now()
        for rows in self._kinds():
            if not rows.tell_changes(now, new) and time.monotonic() - rows.said_at >= SILENCE_MS / 1000:
                rows.say({"t": "tick", "now": now})

    # --- rows

    def _rows(self, *, masked: bool) -> ListRows:
        def about() -> Message:
            return {"now": self._calls.now(), "feed": feed_json(self._calls.state), "masked": masked}

        return ListRows(about, self._tick_s)

    def _kinds(self) -> list[ListRows]:
        return [self._plain] if self._masked is None else [self._plain, self._masked]

    async def _masked_rows(self) -> ListRows:
        """The rows masked, all of them: changes are put there from the beginning, the others little by little."""
        if self._masked is None:
            self._masked = self._rows(masked=True)
        rows = self._masked
        async with self._masking:
            for place, call_id in enumerate(list(self._plain.encoded)):
                if place % MASKED_AT_ONCE == 0:
                    await asyncio.sleep(0)
                if call_id not in rows.encoded and (encoded := self._plain.encoded.get(call_id)):
                    rows.fill(call_id, mask_row(encoded))
        return rows

    def _renew_row_safely(self, call_id: str) -> None:
        """One row that cannot be made stays as it was; the others go on."""
        try:
            self._renew_row(call_id)
        except Exception as error:
            live = self._calls.get(call_id)
            why = ProtocolError("no_row", f"{type(error).__name__}: {error}")
            self._calls.drops.drop("row", why, live.runtime if live else None, self._calls.now(), call_id)

    def _renew_row(self, call_id: str) -> None:
        live = self._calls.get(call_id)
        if live is None or not live.listed:
            for rows in self._kinds():
                rows.drop(call_id)
            return
        encoded = row(live, self._presence.of(call_id))
        self._plain.put(call_id, encoded)
        if self._masked is not None:
            self._masked.put(call_id, mask_row(encoded))

    # --- news

    def _say(self, message: Message) -> None:
        for rows in self._kinds():
            rows.say(message)

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
