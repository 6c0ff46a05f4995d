"""The transcripts that somebody has open: one reader a watched call, however many watch it.

A reader subscribes to the call's partials, reads its stream from the beginning and follows it (docs/protocol.md, «Snapshot
and tail»); a new incarnation is read from the beginning again. It leaves Redis when the last watcher has left.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import cast

from redis.asyncio import Redis

from livemon.supervision import keep_running
from livemon_runtime.keys import Keys

from .encoding import encode
from .feed import CallFeed, FeedState
from .list_feed import SILENCE_MS, feed_json
from .masked import MaskedTranscript, mask_call, mask_holder, mask_id
from .outbox import Outbox
from .presence import Presence
from .registry import Change, LiveCall
from .rows import people
from .sight import EVERYTHING, Sight
from .stored import entry_id
from .transcript import Item, Key, Transcript, Update
from .transcript_reader import TranscriptReader

PAGE = 500
MAX_WATCHED = 1_000
TICK_S = 1.0
SETTLE_S = 10.0


class TooManyWatched(Exception):
    """This node reads as many transcripts as it may."""

    def __init__(self) -> None:
        super().__init__(f"{MAX_WATCHED} calls are open on this server already: close one, or try again shortly")


Message = dict[str, object]


class Watched:
    """One call that is open somewhere: its details, its transcript, and the outboxes of those who watch, each with its sight.

    A message is encoded once for all who may see everything, and once for all who read it masked, if there are any.
    """

    def __init__(self, live: LiveCall, calls: CallFeed, presence: Presence) -> None:
        self.live = live
        self.transcript = Transcript()
        self.loaded = False
        self._read_to, self._read_more = 0, asyncio.Event()
        self._masked = MaskedTranscript(self.transcript)
        self._calls = calls
        self._presence = presence
        self._outboxes: dict[Outbox, Sight] = {}
        self._silent_ticks = {True: 0, False: 0}
        """For those who read the transcript, and for those who don't, who are told less."""

    # --- watchers

    def open(self, sight: Sight) -> Outbox:
        outbox = Outbox("call", lambda: self._fresh(sight))
        self._outboxes[outbox] = sight
        return outbox

    def close(self, outbox: Outbox) -> None:
        self._outboxes.pop(outbox, None)

    @property
    def watched(self) -> bool:
        return bool(self._outboxes)

    @property
    def read(self) -> bool:
        """Whether anybody who watches may read what is said."""
        return any(sight.read for sight in self._outboxes.values())

    def older(self, outbox: Outbox, before: Key) -> None:
        """Answer one watcher with the page before `before`."""
        sight = self._outboxes[outbox]
        if not sight.read:
            outbox.offer(_encode(_withheld("older")))
            return
        items, older = self.transcript.before(before, PAGE)
        outbox.offer(_encode({"t": "older", "items": self._items(items, sight.unmasked), "older": older}))

    def newest(self, sight: Sight, count: int) -> tuple[list[Item], bool]:
        """The last `count` items, as somebody may read them, and whether there are older ones."""
        items, older = self.transcript.newest(count)
        return self._items(items, sight.unmasked), older

    # --- what happened

    def begin(self) -> None:
        """A new incarnation: the transcript is read from the beginning, and shown as it was until then."""
        self.transcript = Transcript()
        self._masked = MaskedTranscript(self.transcript)
        self.loaded, self._read_to = False, 0

    def load_done(self) -> None:
        """The stream has been read to its present end."""
        if not self.loaded:
            self.loaded = True
            self._read_more.set()
            self._say(self._reset, readers=True)

    def has_read(self, n: int) -> None:
        """Entry number `n` of the stream, and all before it, have been taken."""
        self._read_to = n
        self._read_more.set()

    async def read_up_to(self, n: int) -> None:
        """Return once that is so, and shown; at once if nobody may read it."""
        while self.read and not (self.loaded and self._read_to >= n):
            self._read_more.clear()
            await self._read_more.wait()

    def update(self, update: Update) -> None:
        if not self.loaded:
            return
        if update.remove:
            self._say(lambda unmasked: _removed(update.remove, unmasked), readers=True)
        if update.put:
            self._say(lambda unmasked: self._put(update, unmasked), readers=True)

    def tell(self) -> None:
        """The call, its listeners or its feed's state changed."""
        self._say(self._details)

    def tell_state(self, state: FeedState) -> None:
        self._say(lambda _: {"t": "feed", "now": self._calls.now(), **feed_json(state)})

    def tick(self) -> None:
        """Called every `TICK_S`: say that the connection lives, to whom nothing else was said for 5 s."""
        for reads in self._silent_ticks:
            self._silent_ticks[reads] += 1
        if max(self._silent_ticks.values()) * TICK_S * 1000 >= SILENCE_MS:
            self._say(lambda _: {"t": "tick", "now": self._calls.now()})

    # --- messages

    def _fresh(self, sight: Sight) -> list[str]:
        first = [_encode(self._details(sight.unmasked))]
        if not sight.read:
            return [*first, _encode(_withheld("reset"))]
        return [*first, _encode(self._reset(sight.unmasked))] if self.loaded else first

    def _reset(self, unmasked: bool) -> Message:
        items, older = self.transcript.newest(PAGE)
        return {"t": "reset", "items": self._items(items, unmasked), "older": older}

    def _put(self, update: Update, unmasked: bool) -> Message:
        return {"t": "put", "items": update.put if unmasked else self._masked.put(update)}

    def _items(self, items: list[Item], unmasked: bool) -> list[Item]:
        return items if unmasked else self._masked.items(items)

    def _details(self, unmasked: bool) -> Message:
        live = self.live
        call = live.call.model_dump(mode="json", exclude_none=True)
        controller = live.controller.model_dump(exclude_none=True) if live.controller else None
        claim = live.claim.model_dump(exclude_none=True) if live.claim else None
        return {
            "t": "call",
            "now": self._calls.now(),
            "feed": feed_json(self._calls.state),
            "call": call if unmasked else mask_call(call),
            "controller": controller if unmasked else mask_holder(controller),
            "claim": claim if unmasked else mask_holder(claim),
            "listeners": people(self._presence.of(live.call.call_id)),
            "quiet": live.quiet_since,
            "rev": live.rev,
            "incarnation": live.incarnation,
            "masked": not unmasked,
        }

    def _say(self, make: Callable[[bool], Message], *, readers: bool = False) -> None:
        """Tell everybody, or those who may read the transcript alone; `make` is told whether it is for the unmasked."""
        self._silent_ticks[True] = 0
        if not readers:
            self._silent_ticks[False] = 0
        encoded: dict[bool, str] = {}
        for outbox, sight in self._outboxes.items():
            if sight.read or not readers:
                if sight.unmasked not in encoded:
                    encoded[sight.unmasked] = _encode(make(sight.unmasked))
                outbox.offer(encoded[sight.unmasked])


class Transcripts:
    """The watched calls of a workspace; `run()` owns their readers."""

    def __init__(self, redis: Redis, keys: Keys, calls: CallFeed, presence: Presence) -> None:
        self._redis = redis
        self._keys = keys
        self._calls = calls
        self._presence = presence
        self._watched: dict[str, Watched] = {}
        self._readers: dict[str, asyncio.Task[None]] = {}
        self._tasks: asyncio.TaskGroup | None = None
        calls.changed.append(self._on_changes)
        calls.state_changed.append(self._on_state)
        presence.changed.append(self._on_presence)

    def __len__(self) -> int:
        """How many calls are being read."""
        return len(self._readers)

    async def run(self) -> None:
        """Read what is watched until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                for call_id in self._watched:
                    self._follow(call_id)
                while True:
                    await asyncio.sleep(TICK_S)
                    for watched in self._watched.values():
                        watched.tick()
            finally:
                self._tasks = None
                self._readers.clear()

    @asynccontextmanager
    async def watch(self, live: LiveCall, sight: Sight = EVERYTHING) -> AsyncGenerator[tuple[Watched, Outbox]]:
        """Watch a call, live or ended, as far as `sight` goes. Raises `TooManyWatched`."""
        call_id = live.call.call_id
        watched = self._watched.get(call_id)
        if watched is None:
            if len(self._watched) >= MAX_WATCHED:
                raise TooManyWatched
            live = self._calls.get(call_id) or live  # the caller may have waited for Redis before
            watched = self._watched[call_id] = Watched(live, self._calls, self._presence)
        outbox = watched.open(sight)
        self._follow(call_id)
        try:
            yield watched, outbox
        finally:
            watched.close(outbox)
            if not watched.watched and self._watched.get(call_id) is watched:
                del self._watched[call_id]
            self._follow(call_id)

    async def newest(self, live: LiveCall, sight: Sight, count: int) -> tuple[list[Item], bool]:
        """What is said in a call by now: its last `count` items, and whether there are older ones.

        It waits for as long as Redis is away. Raises `TooManyWatched`.
        """
        async with self.watch(live, sight) as (watched, outbox):
            while not watched.loaded:
                await outbox.take()
            return watched.newest(sight, count)

    async def settle(self, watched: Watched) -> None:
        """Return once everything is shown that the call's stream holds at this moment; at once if nobody may read it.

        Raises one of `livemon.calls.feed.AWAY`, or `TimeoutError` if it takes longer than `SETTLE_S`.
        """
        async with asyncio.timeout(SETTLE_S):
            answer = await self._redis.xrevrange(self._keys.transcript(watched.live.call.call_id), count=1)
            last = cast("list[tuple[bytes, object]]", answer)
            await watched.read_up_to(entry_id(last[0][0].decode())[0] if last else 0)

    def _follow(self, call_id: str) -> None:
        """Read the transcript from its beginning once somebody may read it, and no longer than anybody does."""
        watched = self._watched.get(call_id)
        wanted = watched is not None and watched.read
        if wanted and call_id not in self._readers:
            self._start(call_id)
        elif not wanted and call_id in self._readers:
            self._stop(call_id)
            if watched is not None:
                watched.begin()

    def _start(self, call_id: str) -> None:
        if self._tasks is not None:
            reader = TranscriptReader(self._redis, self._keys, self._calls, self._watched[call_id])
            self._readers[call_id] = self._tasks.create_task(
                keep_running(name := f"transcript:{call_id}", reader.run), name=name
            )

    def _stop(self, call_id: str) -> None:
        reader = self._readers.pop(call_id, None)
        if reader is not None:
            reader.cancel()

    def _on_changes(self, changes: list[Change]) -> None:
        for change in changes:
            watched = self._watched.get(change.call_id)
            if watched is None:
                continue
            anew = watched.live.incarnation != change.now.incarnation
            watched.live = change.now
            watched.tell()
            if anew:
                self._stop(change.call_id)
                watched.begin()
                self._follow(change.call_id)

    def _on_presence(self, call_ids: set[str]) -> None:
        for call_id in call_ids & self._watched.keys():
            self._watched[call_id].tell()

    def _on_state(self, state: FeedState) -> None:
        for watched in self._watched.values():
            watched.tell_state(state)


def _encode(message: dict[str, object]) -> str:
    return encode(message).decode()


def _removed(ids: list[str], unmasked: bool) -> Message:
    return {"t": "remove", "ids": ids if unmasked else [mask_id(one) for one in ids]}


def _withheld(kind: str) -> Message:
    """In place of a transcript, for whoever may not read it."""
    return {"t": kind, "items": [], "older": False, "withheld": True}
