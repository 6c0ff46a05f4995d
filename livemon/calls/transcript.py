"""One call's transcript. Pure: stream entries and partials in, items out; no I/O, no clock.

Whatever order, doubled or revised, the same entries give the same items (docs/protocol.md, «Transcript entries»): ordered by
`time_ms`, then by stream number; a revision takes its entry's place; a partial grows and is gone once it is final; a tool's
result stands in the card of its invocation.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple, cast

from livemon_runtime.protocol import Entry, ToolCallInvocation, ToolCallResult, Turn

Item = dict[str, object]
Key = tuple[int, int]
PARTIAL_N = 2**53 - 1
MAX_ITEMS = 10_000
MAX_BYTES = 32_000_000
PAGE_BYTES = 1_000_000
"""After so many a page ends, however few its items: a browser gets it in one message."""
MAX_PARTIALS = 100
NEAR = 100
"""So many entries are looked at for the turns near one."""


@dataclass(frozen=True, slots=True)
class _Known:
    entry: Entry
    first: int
    """Stream number under which the entry first came: its place among entries of the same time."""
    last: int
    """Stream number of the revision shown."""
    size: int
    """Bytes of the revision shown."""

    @property
    def key(self) -> Key:
        return self.entry.time_ms, self.first

    def seen(self, n: int, entry: Entry, size: int) -> "_Known":
        """What is known after `entry` came as number `n`, in whatever order the revisions come."""
        if n > self.last:
            return _Known(entry, min(n, self.first), n, size)
        return _Known(self.entry, min(n, self.first), self.last, self.size)


class _ByToolCall:
    """The entries of one role by their `tool_call_id`, in the order of their stream numbers."""

    def __init__(self) -> None:
        self._entries: dict[str, list[tuple[int, str]]] = {}

    def add(self, tool_call_id: str, known: _Known) -> None:
        insort(self._entries.setdefault(tool_call_id, []), (known.last, known.entry.id))

    def discard(self, tool_call_id: str, known: _Known) -> None:
        entries = self._entries[tool_call_id]
        del entries[bisect_left(entries, (known.last, known.entry.id))]
        if not entries:
            del self._entries[tool_call_id]

    def newest(self, tool_call_id: str) -> tuple[int, str] | None:
        """Stream number and id of the last of them."""
        entries = self._entries.get(tool_call_id)
        return entries[-1] if entries else None

    def ids(self, tool_call_id: str) -> set[str]:
        return {entry_id for _, entry_id in self._entries.get(tool_call_id, ())}

    def __contains__(self, tool_call_id: str) -> bool:
        return tool_call_id in self._entries


@dataclass(frozen=True, slots=True)
class Update:
    """What to show anew, and what to take away, by item id."""

    put: list[Item] = field(default_factory=list[Item])
    remove: list[str] = field(default_factory=list[str])


class _Card(NamedTuple):
    """What a tool call's card shows: stream number and id of the invocation that it is, and of the result in it."""

    invocation: tuple[int, str] | None
    result: tuple[int, str] | None


class Transcript:
    """The newest `max_items` entries of a call, or `max_bytes` of them, and the turns that are being spoken."""

    def __init__(self, max_items: int = MAX_ITEMS, max_bytes: int = MAX_BYTES) -> None:
        self._max_items, self._max_bytes = max_items, max_bytes
        self._known: dict[str, _Known] = {}
        self._order: list[tuple[int, int, str]] = []
        self._partials: dict[str, Turn] = {}
        self._retracted: dict[str, None] = {}
        self._bytes = 0
        self._invocations = _ByToolCall()
        self._results = _ByToolCall()

    # --- in

    def entry(self, n: int, entry: Entry, size: int = 0, *, show: bool = True) -> Update:
        """Take entry number `n` of the stream, which has `size` bytes there. Without `show` no items are made of it."""
        before = self._known.get(entry.id)
        known = _Known(entry, n, n, size) if before is None else before.seen(n, entry, size)
        if known == before:
            return Update()
        tool_calls = {name for name in (_tool_call(entry), before and _tool_call(before.entry)) if name}
        cards = {name: self._card(name) for name in tool_calls}
        stood = self._visible(entry.id)
        if before:
            self._take_out(before)
        self._put_in(known)
        update = self._update(entry.id, stood, cards) if show else Update()
        self._trim()
        return update

    def _update(self, entry_id: str, stood: bool, cards: "dict[str, _Card]") -> Update:
        """What changed with this entry, which `stood` as an item of its own before, and whose tool calls had `cards`."""
        put, gone = {entry_id}, {entry_id} if stood else set[str]()
        for tool_call_id, before in cards.items():
            now = self._card(tool_call_id)
            if now != before:
                put |= {invocation[1] for invocation in (before.invocation, now.invocation) if invocation}
            if bool(now.invocation) != bool(before.invocation):
                alone = self._results.ids(tool_call_id) - {entry_id}
                put |= alone
                gone |= alone if now.invocation else set()
        items = [self._item(item_id) for item_id in put if self._visible(item_id)]
        return Update(sorted(items, key=_key_of), sorted(item_id for item_id in gone if not self._visible(item_id)))

    def partial(self, turn: Turn) -> Update:
        """Take the text so far of a turn that is not final."""
        if turn.id in self._known or turn.id in self._retracted or self._partials.get(turn.id) == turn:
            return Update()
        if turn.retracted:
            return self._retract(turn.id)
        update = Update()
        if turn.id not in self._partials and len(self._partials) >= MAX_PARTIALS:
            update.remove.append(oldest := next(iter(self._partials)))
            del self._partials[oldest]
        self._partials[turn.id] = turn
        update.put.append(self._item(turn.id))
        return update

    def forget_partials(self) -> Update:
        """Take away the turns that are being spoken: what came of them may have been missed. Those that go on come again."""
        update = Update(remove=sorted(self._partials))
        self._partials.clear()
        return update

    # --- out

    def newest(self, count: int) -> tuple[list[Item], bool]:
        """The last `count` items and all partials, in order; and whether there are older ones."""
        items, older = self._page(len(self._order), count)
        items += [self._item(turn_id) for turn_id in self._partials]
        items.sort(key=_key_of)
        return items, older

    def before(self, key: Key, count: int) -> tuple[list[Item], bool]:
        """The `count` items before `key`, in order; and whether there are older ones."""
        return self._page(bisect_left(self._order, (*key, "")), count)

    def turns_near(self, key: Key, item_id: str, count: int) -> list[Turn]:
        """The `count` turns before that place and the `count` after it, in order, with those that are being spoken."""
        start = bisect_left(self._order, (*key, item_id))
        before = [*islice(self._turns(range(start - 1, max(-1, start - 1 - NEAR), -1), item_id), count)]
        after = [*islice(self._turns(range(start, min(len(self._order), start + NEAR)), item_id), count)]
        spoken = [] if len(after) == count else [turn for turn in self._partials.values() if turn.id != item_id]
        return [*reversed(before), *after, *spoken]

    def item(self, item_id: str) -> Item:
        """One item that is there."""
        return self._item(item_id)

    def _turns(self, places: range, but: str) -> Iterator[Turn]:
        entries = ((item_id, self._known[item_id].entry) for item_id in (self._order[place][2] for place in places))
        return (entry for item_id, entry in entries if isinstance(entry, Turn) and item_id != but)

    def _page(self, end: int, count: int) -> tuple[list[Item], bool]:
        items: list[Item] = []
        start, size = end, 0
        while start > 0 and len(items) < count and size < PAGE_BYTES:
            start -= 1
            item_id = self._order[start][2]
            if self._visible(item_id):
                items.append(self._item(item_id))
                size += self._known[item_id].size
        items.reverse()
        return items, start > 0

    def _item(self, item_id: str) -> Item:
        known = self._known.get(item_id)
        if known is None:
            turn = self._partials[item_id]
            return {**turn.model_dump(exclude_none=True), "final": False, "key": [turn.time_ms, PARTIAL_N]}
        item: Item = {**known.entry.model_dump(exclude_none=True), "key": list(known.key)}
        if isinstance(known.entry, Turn):
            item["final"] = True
        if isinstance(known.entry, ToolCallInvocation):
            item["result"] = self._result(known)
        return item

    def _result(self, invocation: _Known) -> dict[str, object] | None:
        """The last result, in the card of the last invocation: of two that share an id nobody knows which is meant."""
        tool_call_id = _tool_call(invocation.entry) or ""
        card = self._card(tool_call_id)
        if card.invocation != (invocation.last, invocation.entry.id) or card.result is None:
            return None
        result = self._known[card.result[1]].entry
        assert isinstance(result, ToolCallResult)
        said = {"content": result.content, "successful": result.successful, "time_ms": result.time_ms}
        return {"id": result.id, **said}

    # --- state

    def _card(self, tool_call_id: str) -> "_Card":
        return _Card(self._invocations.newest(tool_call_id), self._results.newest(tool_call_id))

    def _visible(self, item_id: str) -> bool:
        """Whether it is an item of its own; a result stands in its invocation's, if there is one."""
        known = self._known.get(item_id)
        if known is None:
            return item_id in self._partials
        return not (isinstance(known.entry, ToolCallResult) and known.entry.tool_call_id in self._invocations)

    def _put_in(self, known: _Known) -> None:
        entry = known.entry
        self._known[entry.id] = known
        self._partials.pop(entry.id, None)
        self._bytes += known.size
        insort(self._order, (*known.key, entry.id))
        if isinstance(entry, ToolCallInvocation):
            self._invocations.add(entry.tool_call_id, known)
        elif isinstance(entry, ToolCallResult):
            self._results.add(entry.tool_call_id, known)

    def _take_out(self, known: _Known) -> None:
        entry = known.entry
        del self._known[entry.id]
        self._bytes -= known.size
        del self._order[bisect_left(self._order, (*known.key, entry.id))]
        if isinstance(entry, ToolCallInvocation):
            self._invocations.discard(entry.tool_call_id, known)
        elif isinstance(entry, ToolCallResult):
            self._results.discard(entry.tool_call_id, known)

    def _retract(self, turn_id: str) -> Update:
        self._retracted[turn_id] = None
        if len(self._retracted) > MAX_PARTIALS:
            del self._retracted[next(iter(self._retracted))]
        return Update(remove=[turn_id] if self._partials.pop(turn_id, None) else [])

    def _trim(self) -> None:
        while len(self._order) > self._max_items or (self._bytes > self._max_bytes and len(self._order) > 1):
            self._take_out(self._known[self._order[0][2]])


def _tool_call(entry: Entry) -> str | None:
    return entry.tool_call_id if isinstance(entry, ToolCallInvocation | ToolCallResult) else None


def _key_of(item: Item) -> Key:
    time_ms, n = cast("list[int]", item["key"])
    return time_ms, n
