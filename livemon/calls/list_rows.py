"""The live list as it is told to those of one sight: encoded rows by call id, a sequence of their own, an outbox a connection.

It knows no feed: `list_feed` says how each row is, and when to tell.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import orjson

from .outbox import Outbox
from .rows import changed_fields

Message = dict[str, object]


@dataclass(slots=True)
class Changes:
    """What has changed since the last diff."""

    put: list[orjson.Fragment | Message] = field(default_factory=list[orjson.Fragment | Message])
    drop: list[str] = field(default_factory=list[str])

    def __bool__(self) -> bool:
        return bool(self.put or self.drop)


class ListRows:
    """`about` makes what a snapshot says beside its rows; one is made for all who ask within `shared_s`."""

    def __init__(self, about: Callable[[], Message], shared_s: float) -> None:
        self.encoded: dict[str, bytes] = {}
        self.said_at = time.monotonic()
        self._about, self._shared_s = about, shared_s
        self._rows: dict[str, orjson.Fragment] = {}
        self._changes = Changes()
        self._outboxes: set[Outbox] = set()
        self._seq = 0
        self._snapshot: str | None = None

    def open(self) -> Outbox:
        outbox = Outbox("list", lambda: [self.snapshot()])
        self._outboxes.add(outbox)
        return outbox

    def close(self, outbox: Outbox) -> None:
        self._outboxes.discard(outbox)

    def put(self, call_id: str, encoded: bytes) -> None:
        """How a row is now; a diff is told of it if it was another before."""
        before = self.encoded.get(call_id)
        if before != encoded:
            self.encoded[call_id] = encoded
            self._rows[call_id] = whole = orjson.Fragment(encoded)
            self._changes.put.append(whole if before is None else changed_fields(before, encoded))

    def drop(self, call_id: str) -> None:
        if self._rows.pop(call_id, None) is not None:
            del self.encoded[call_id]
            self._changes.drop.append(call_id)

    def fill(self, call_id: str, encoded: bytes) -> None:
        """A row that was there before anybody of this sight was: in the next snapshot, and news to nobody."""
        if call_id not in self._rows:
            self.encoded[call_id] = encoded
            self._rows[call_id] = orjson.Fragment(encoded)
            self._snapshot = None

    def tell_changes(self, now: int, new: list[str]) -> bool:
        """Send what has changed, if anything has; `new` are the calls to be highlighted, if they are in it."""
        changes, self._changes = self._changes, Changes()
        if not changes:
            return False
        self._seq += 1
        new = [call_id for call_id in new if call_id in self._rows]
        self.say({"t": "diff", "seq": self._seq, "now": now, "put": changes.put, "new": new, "drop": changes.drop})
        return True

    def say(self, message: Message) -> None:
        """To everybody of this sight, encoded once."""
        self.said_at = time.monotonic()
        self._snapshot = None
        if self._outboxes:
            encoded = orjson.dumps(message).decode()
            for outbox in self._outboxes:
                outbox.offer(encoded)

    def snapshot(self) -> str:
        """Everything as of the last diff."""
        if self._snapshot is None:
            whole = {"t": "snapshot", "seq": self._seq, **self._about(), "calls": list(self._rows.values())}
            self._snapshot = orjson.dumps(whole).decode()
            asyncio.get_running_loop().call_later(self._shared_s, self._forget_snapshot)
        return self._snapshot

    def _forget_snapshot(self) -> None:
        self._snapshot = None
