"""One call's transcript. Pure: stream entries and partials in, items out; no I/O, no clock.

Whatever order, doubled or revised, the same entries give the same items (docs/protocol.md, «Transcript entries»): ordered by
`time_ms`, then by stream number; a revision takes its entry's place; a partial grows and is gone once it is final; a tool's
result stands in the card of its invocation.
"""

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from typing import cast

from livemon_runtime.protocol import Entry, ToolCallInvocation, ToolCallResult, Turn

Item = dict[str, object]
Key = tuple[int, int]
PARTIAL_N = 2**53 - 1
MAX_ITEMS = 10_000
MAX_PARTIALS = 100


@dataclass(frozen=True, slots=True)
class _Known:
    entry: Entry
    first: int
    """Stream number under which the entry first came: its place among entries of the same time."""
    last: int
    """Stream number of the revision shown."""

    @property
    def key(self) -> Key:
        return self.entry.time_ms, self.first

    def seen(self, n: int, entry: Entry) -> "_Known":
        """What is known after `entry` came as number `n`, in whatever order the revisions come."""
        newest = entry if n > self.last else self.entry
        return _Known(newest, min(n, self.first), max(n, self.last))


@dataclass(frozen=True, slots=True)
class Update:
    """What to show anew, and what to take away, by item id."""

    put: list[Item] = field(default_factory=list[Item])
    remove: list[str] = field(default_factory=list[str])


class Transcript:
    """The newest `max_items` entries of a call, and the turns that are being spoken."""

    def __init__(self, max_items: int = MAX_ITEMS) -> None:
        self._max_items = max_items
        self._known: dict[str, _Known] = {}
        self._order: list[tuple[int, int, str]] = []
        self._partials: dict[str, Turn] = {}
        self._retracted: dict[str, None] = {}
        self._results: dict[str, set[str]] = {}
        self._invocations: dict[str, set[str]] = {}

    # --- in

    def entry(self, n: int, entry: Entry) -> Update:
        """Take entry number `n` of the stream."""
        before = self._known.get(entry.id)
        known = _Known(entry, n, n) if before is None else before.seen(n, entry)
        if known == before:
            return Update()
        touched = self._group(entry)
        if before:
            touched |= self._group(before.entry)
        shown = {item_id for item_id in touched if self._visible(item_id)}
        if before:
            self._take_out(before)
        self._put_in(known)
        put = sorted((self._item(item_id) for item_id in touched if self._visible(item_id)), key=_key_of)
        remove = sorted(item_id for item_id in shown if not self._visible(item_id))
        self._trim()
        return Update(put, remove)

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

    def _page(self, end: int, count: int) -> tuple[list[Item], bool]:
        items: list[Item] = []
        start = end
        while start > 0 and len(items) < count:
            start -= 1
            item_id = self._order[start][2]
            if self._visible(item_id):
                items.append(self._item(item_id))
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
            item["result"] = self._result(known.entry.tool_call_id)
        return item

    def _result(self, tool_call_id: str) -> dict[str, object] | None:
        results = [self._known[result_id] for result_id in self._results.get(tool_call_id, ())]
        if not results:
            return None
        result = max(results, key=lambda known: known.last).entry
        assert isinstance(result, ToolCallResult)
        return {"content": result.content, "successful": result.successful, "time_ms": result.time_ms}

    # --- state

    def _visible(self, item_id: str) -> bool:
        """Whether it is an item of its own; a result stands in its invocation's, if there is one."""
        known = self._known.get(item_id)
        if known is None:
            return item_id in self._partials
        return not (isinstance(known.entry, ToolCallResult) and known.entry.tool_call_id in self._invocations)

    def _group(self, entry: Entry) -> set[str]:
        """The ids of the items that may change with this entry."""
        group = {entry.id}
        if isinstance(entry, ToolCallInvocation | ToolCallResult):
            group |= self._invocations.get(entry.tool_call_id, set()) | self._results.get(entry.tool_call_id, set())
        return group

    def _put_in(self, known: _Known) -> None:
        entry = known.entry
        self._known[entry.id] = known
        self._partials.pop(entry.id, None)
        insort(self._order, (*known.key, entry.id))
        index = self._index(entry)
        if index is not None and isinstance(entry, ToolCallInvocation | ToolCallResult):
            index.setdefault(entry.tool_call_id, set()).add(entry.id)

    def _take_out(self, known: _Known) -> None:
        entry = known.entry
        del self._known[entry.id]
        del self._order[bisect_left(self._order, (*known.key, entry.id))]
        index = self._index(entry)
        if index is not None and isinstance(entry, ToolCallInvocation | ToolCallResult):
            index[entry.tool_call_id].discard(entry.id)
            if not index[entry.tool_call_id]:
                del index[entry.tool_call_id]

    def _index(self, entry: Entry) -> dict[str, set[str]] | None:
        if isinstance(entry, ToolCallInvocation):
            return self._invocations
        return self._results if isinstance(entry, ToolCallResult) else None

    def _retract(self, turn_id: str) -> Update:
        self._retracted[turn_id] = None
        if len(self._retracted) > MAX_PARTIALS:
            del self._retracted[next(iter(self._retracted))]
        return Update(remove=[turn_id] if self._partials.pop(turn_id, None) else [])

    def _trim(self) -> None:
        while len(self._order) > self._max_items:
            self._take_out(self._known[self._order[0][2]])


def _key_of(item: Item) -> Key:
    time_ms, n = cast("list[int]", item["key"])
    return time_ms, n
