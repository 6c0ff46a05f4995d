"""What a program that monitors a call is told (docs/api.md, «Listen, take over, monitor»), made of a call's feed. Pure.

The feed speaks to livemon's own pages: cards with their result in them, items that are taken away. Programs are told in
Retell's shape: entries by id, of which the last counts, and none is ever taken away.
"""

from collections.abc import Callable
from typing import cast

from livemon.calls.transcript import Item, Key

from .transcript_object import entries_of

Message = dict[str, object]
Named = dict[str, object]

_CLOCK = ("now", "rev", "feed")
"""Of the feed's word of a call, what is no change of the call's."""
_FINAL = frozenset({"ended", "error"})


class Monitor:
    """One program's view of one call: takes the feed's messages, gives those that the program gets.

    `shape` makes Retell's call object of a message `call`. `older` is the place before which older entries are to be asked
    for, if there are any; whoever has asked sets it to None. `over`: the call has ended; `end` is then told last.
    """

    def __init__(self, call_id: str, shape: Callable[[Message], Message]) -> None:
        self._call_id, self._shape = call_id, shape
        self._call: Message | None = None
        self._heard: Message = {}
        self._told = False
        """Whether the first snapshot has been given."""
        self._feed: object = None
        self._spoken: dict[str, Named] = {}
        """Turns that are being spoken, as they were told, by id."""
        self.older: Key | None = None
        self.over = False

    def take(self, message: Message) -> list[Message]:
        """What one of the feed's messages is to a program; nothing, for what only pages need."""
        kind = message["t"]
        if kind == "call":
            return self._call_is(message)
        if kind == "feed":
            return self._feed_is({"state": message["state"], "since": message["since"]})
        if kind == "reset":
            return self._reset(message)
        if kind in ("put", "older"):
            self._look_back(message)
            return self._updated(self._entries(_items(message)))
        if kind == "remove":
            return self._updated(self._retracted(cast("list[str]", message["ids"])))
        return []

    def end(self) -> Message:
        """How the call ended."""
        call = self._call or {}
        told = {"event_timestamp": call.get("end_timestamp"), "disconnection_reason": call.get("disconnection_reason")}
        return {"type": "call_ended", "call_id": self._call_id, **told, "call": call}

    # --- the call

    def _call_is(self, message: Message) -> list[Message]:
        self.over = cast("Named", message["call"])["call_status"] in _FINAL
        heard = {name: value for name, value in message.items() if name not in _CLOCK}
        news: list[Message] = []
        if heard != self._heard:
            self._heard, self._call = heard, self._shape(message)
            news = self._say("call_updated", call=self._call)
        return [*news, *self._feed_is(cast("Message", message["feed"]))]

    def _feed_is(self, feed: object) -> list[Message]:
        before, self._feed = self._feed, feed
        return [] if before == feed else self._say("feed_updated", feed=feed)

    # --- the transcript

    def _reset(self, message: Message) -> list[Message]:
        self._told = True
        self._look_back(message)
        before, entries = self._spoken, self._fresh(message)
        gone = [_retraction(turn) for turn_id, turn in before.items() if turn_id not in {one["id"] for one in entries}]
        snapshot: Message = {
            "type": "transcript_snapshot",
            "call_id": self._call_id,
            "transcripts": entries,
            "pre_session_transcripts": [],
            "call": self._call,
            "feed": self._feed,
            "withheld": bool(message.get("withheld")),
        }
        return [snapshot, *self._updated(gone)]

    def _fresh(self, message: Message) -> list[Named]:
        self._spoken = {}
        return self._entries(_items(message))

    def _look_back(self, message: Message) -> None:
        """Note where to go on reading, if a page of entries was not all."""
        if message["t"] != "put":
            items = _items(message)
            self.older = _key_of(items[0]) if items and message["older"] else None

    def _entries(self, items: list[Item]) -> list[Named]:
        entries = [entry for item in items for entry in _told(item)]
        for entry in entries:
            if entry.get("final") is False:
                self._spoken[str(entry["id"])] = entry
            else:
                self._spoken.pop(str(entry["id"]), None)
        return entries

    def _retracted(self, ids: list[str]) -> list[Named]:
        """Turns that came to nothing. A result that is taken away has moved into its card, and is told with that."""
        return [_retraction(self._spoken.pop(turn_id)) for turn_id in ids if turn_id in self._spoken]

    def _updated(self, entries: list[Named]) -> list[Message]:
        return self._say("transcript_updated", transcripts=entries) if entries else []

    def _say(self, kind: str, **fields: object) -> list[Message]:
        """Nothing comes before the first snapshot, which has it all."""
        return [{"type": kind, "call_id": self._call_id, **fields}] if self._told else []


def _told(item: Item) -> list[Named]:
    """An item as it is in a call that is got, and of a turn whether it is still being spoken."""
    return [{**entry, "final": item["final"]} if "final" in item else entry for entry in entries_of(item)]


def _retraction(turn: Named) -> Named:
    """What overwrites a turn that came to nothing: no words, and it stays so."""
    return {
        **{name: turn[name] for name in ("id", "role", "time_sec")},
        "content": "",
        "final": True,
        "retracted": True,
    }


def _items(message: Message) -> list[Item]:
    return cast("list[Item]", message["items"])


def _key_of(item: Item) -> Key:
    time_ms, n = cast("list[int]", item["key"])
    return time_ms, n
