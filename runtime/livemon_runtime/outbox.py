"""One call's transcript as its runtime keeps it, and how much of it Redis has. Pure.

The whole transcript stays in memory while the call lives, so that a lost tail, or all of it, can be sent again. Past
its limits the oldest entries go; what Redis never got of them is counted, and told by a note that takes their place.
"""

from collections import deque
from collections.abc import Callable

from .limits import KEPT_BYTES, KEPT_ENTRIES

MakeNote = Callable[[int], bytes]
"""From how many entries are missing to the JSON of the note entry that says so."""


class Outbox:
    """Entries by number. `kept[0]` has the number `first`; Redis is known to have them up to `acked`."""

    def __init__(self, note: MakeNote, *, most_entries: int = KEPT_ENTRIES, most_bytes: int = KEPT_BYTES) -> None:
        self._note = note
        self._most_entries, self._most_bytes = most_entries, most_bytes
        self._kept: deque[bytes] = deque()
        self._bytes = 0
        self.first = 1
        self.acked = 0
        self._attempted = 0
        self._missing = 0
        """Entries that Redis will never get, not told yet."""

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def last(self) -> int:
        """The number of the newest entry."""
        return self.first + len(self._kept) - 1

    @property
    def unsent(self) -> int:
        return self.last - self.acked + bool(self._missing)

    def add(self, entry: bytes) -> int:
        """Keep `entry`; answer how many old ones had to be dropped that Redis never got."""
        self._kept.append(entry)
        self._bytes += len(entry)
        lost = 0
        while len(self._kept) > self._most_entries or self._bytes > self._most_bytes:
            index = self._oldest_to_go()
            if index == len(self._kept) - 1:
                break  # the newest stays, and what is on its way: at most one batch more than the limit
            lost += self._forget(index)
        return lost

    def _oldest_to_go(self) -> int:
        """What Redis has goes first; what may be on its way there keeps its number and stays."""
        return 0 if self.first <= self.acked else min(self._attempted - self.first + 1, len(self._kept) - 1)

    def _forget(self, index: int) -> int:
        unsent = self.first > self.acked
        self._bytes -= len(self._kept[index])
        del self._kept[index]
        if unsent:
            self._missing += 1
        else:
            self.first += 1
        return int(unsent)

    def batch(self, most: int = 100, most_bytes: int = 1_000_000) -> tuple[int, list[bytes]]:
        """The next entries for Redis and the number of the first of them. At least one, if any is left."""
        if self._missing and self._attempted <= self.acked:
            self._insert_note()
        start = self.acked + 1 - self.first
        entries: list[bytes] = []
        size = 0
        for index in range(start, min(start + most, len(self._kept))):
            size += len(self._kept[index])
            if entries and size > most_bytes:
                break
            entries.append(self._kept[index])
        self._attempted = max(self._attempted, self.acked + len(entries))
        return self.acked + 1, entries

    def _insert_note(self) -> None:
        note = self._note(self._missing)
        self._missing = 0
        self._kept.insert(self.acked + 1 - self.first, note)
        self._bytes += len(note)

    def start_after(self, last: int) -> None:
        """Take in where a transcript that somebody else began ends: all that is kept comes after it."""
        self.first = last + 1
        self.acked = self._attempted = last

    def redis_has(self, last: int) -> None:
        """Take in the number of the last entry that Redis has: what comes next is `last` + 1."""
        if last < self.first - 1:
            # Lost there and no longer here: what is left moves down to where Redis stands.
            self._missing += self.first - 1 - last
            self.first = last + 1
        elif last > self.last:
            # Somebody else wrote, which only a second runtime of the same call does: ours come after it.
            self.first = last + 1 - (self.acked + 1 - self.first)
        self.acked = self._attempted = last
