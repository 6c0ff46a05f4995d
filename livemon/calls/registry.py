"""The calls of a workspace as this node knows them. Pure: snapshots, events and hashes in, changes out; no I/O, no clock.

The truth is the runtimes', shared through Redis; whatever order events arrive in, lost or doubled, the registry converges
to it (docs/protocol.md, «Snapshot and tail»). It does not read Redis: where an event alone cannot say what is so, it puts
the call's id into `wanted`, and the feed brings the hash.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from livemon_runtime.errors import ProtocolError
from livemon_runtime.protocol import Call, CallStatus, Claim, Controller

from .events import CallEvent, StoredCall

MAX_CALLS = 20_000
TOMBSTONE_MS = 3_600_000
MAX_TOMBSTONES = 200_000
RUNTIME_LOST = "runtime_lost"


@dataclass(frozen=True, slots=True)
class LiveCall:
    """A call and who has it. `quiet_since` (ms, Redis's clock): since when its runtime has not been heard."""

    call: Call
    incarnation: str
    rev: int
    runtime: str
    controller: Controller | None = None
    claim: Claim | None = None
    quiet_since: int | None = None

    @property
    def listed(self) -> bool:
        """Whether the live call list shows it."""
        return self.call.call_status.listed

    @property
    def over(self) -> bool:
        return self.call.call_status.final


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one call; an ended one comes once, with how it ended. `started`: it has only just begun."""

    call_id: str
    before: LiveCall | None
    now: LiveCall
    started: bool = False


class Registry:
    """Live calls by id, and what is remembered of ended ones.

    `vanished` are calls that Redis no longer has though nobody said that they ended (it was emptied, or is a copy from
    before): their rows stay, as not reporting, until their runtimes announce them again or the feed gives them up.
    """

    def __init__(self, max_calls: int = MAX_CALLS) -> None:
        self._max_calls = max_calls
        self._calls: dict[str, LiveCall] = {}
        self._ended: dict[str, int] = {}
        self._by_runtime: dict[str, set[str]] = {}
        self._quiet: dict[str, int] = {}
        self.vanished: dict[str, int] = {}
        self.wanted: dict[str, bool] = {}
        """Ids whose hash must be read, and whether an event said that the call has only just started."""

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[LiveCall]:
        return iter(self._calls.values())

    def __contains__(self, call_id: object) -> bool:
        return call_id in self._calls

    def get(self, call_id: str) -> LiveCall | None:
        return self._calls.get(call_id)

    def ids(self) -> set[str]:
        return set(self._calls)

    def runtimes(self) -> list[str]:
        return list(self._by_runtime)

    def calls_of(self, runtime: str) -> list[LiveCall]:
        return [self._calls[call_id] for call_id in self._by_runtime.get(runtime, ())]

    def ended(self, call_id: str) -> bool:
        """Whether its own runtime said within the last hour that the call ended: nothing brings it back."""
        return call_id in self._ended

    # --- events

    def event(self, event: CallEvent, now: int) -> list[Change]:
        """Take one event; raises `ProtocolError` if its data is malformed, and leaves the call as it was."""
        call_id = event.call_id
        if self.ended(call_id):
            return []
        known = self._calls.get(call_id)
        if known is None or known.incarnation != event.incarnation or call_id in self.vanished:
            self._want(event, known)
            return []
        if event.rev <= known.rev:
            return []
        state = event.state()
        stored = StoredCall(state.call, event.incarnation, event.rev, state.runtime, state.controller, state.claim)
        return self._put(stored, known, now, started=False)

    def _want(self, event: CallEvent, known: LiveCall | None) -> None:
        fresh = event.type == "call_started" and known is None and not event.state().resumed
        self.wanted[event.call_id] = self.wanted.get(event.call_id, False) or fresh

    def take_wanted(self) -> dict[str, bool]:
        wanted, self.wanted = self.wanted, {}
        return wanted

    # --- hashes

    def stored(self, call_id: str, stored: StoredCall | None, now: int, started: bool = False) -> list[Change]:
        """Take what Redis holds of one call (None: neither hash nor place in the index)."""
        if self.ended(call_id):
            return []
        known = self._calls.get(call_id)
        if stored is None:
            return self._vanish(known, now)
        if known is None and stored.call.call_status.final:
            self._bury(stored.call, now)
            return []
        if known is None and len(self._calls) >= self._max_calls:
            raise ProtocolError("too_many_calls", f"a workspace may have {self._max_calls} live calls")
        return self._put(stored, known, now, started)

    def snapshot(
        self, stored: Mapping[str, StoredCall], now: int, unreadable: Collection[str] = ()
    ) -> tuple[list[Change], list[ProtocolError]]:
        """Take all live calls of Redis at once; what it no longer has vanishes, what it has unreadable stays as it was.

        Answers also what was refused.
        """
        changes: list[Change] = []
        refused: list[ProtocolError] = []
        for call_id in [*self._calls, *(one for one in stored if one not in self._calls)]:
            if call_id in unreadable:
                continue
            try:
                changes += self.stored(call_id, stored.get(call_id), now)
            except ProtocolError as error:
                refused.append(error)
        return changes, refused

    def differs(self, call_id: str, incarnation: str, rev: int) -> bool:
        """Whether the index of Redis has a call otherwise than it stands here."""
        if self.ended(call_id):
            return False
        known = self._calls.get(call_id)
        if known is None:
            return True
        return (known.incarnation, known.rev) != (incarnation, rev) or call_id in self.vanished

    def _put(self, stored: StoredCall, known: LiveCall | None, now: int, started: bool) -> list[Change]:
        call_id = stored.call.call_id
        live = LiveCall(
            stored.call,
            stored.incarnation,
            stored.rev,
            stored.runtime,
            stored.controller,
            stored.claim,
            self._quiet.get(stored.runtime),
        )
        self.vanished.pop(call_id, None)
        if live.over:
            self._forget(call_id)
            self._bury(live.call, now)
            return [Change(call_id, known, replace(live, quiet_since=None))]
        if live == known:
            return []
        if known is None or known.runtime != live.runtime:
            self._forget(call_id)
            self._by_runtime.setdefault(live.runtime, set()).add(call_id)
        self._calls[call_id] = live
        return [Change(call_id, known, live, started and known is None)]

    def _bury(self, call: Call, now: int) -> None:
        """Remember for an hour that its runtime ended it; `runtime_lost` is livemon's own judgement, which may be wrong."""
        if call.disconnection_reason != RUNTIME_LOST:
            self._ended[call.call_id] = now + TOMBSTONE_MS

    def _forget(self, call_id: str) -> None:
        known = self._calls.pop(call_id, None)
        if known is None:
            return
        mine = self._by_runtime[known.runtime]
        mine.discard(call_id)
        if not mine:
            del self._by_runtime[known.runtime]
            self._quiet.pop(known.runtime, None)

    # --- silence

    def _vanish(self, known: LiveCall | None, now: int) -> list[Change]:
        if known is None or known.call.call_id in self.vanished:
            return []
        call_id = known.call.call_id
        self.vanished[call_id] = now
        if known.quiet_since is not None:
            return []
        self._calls[call_id] = quiet = replace(known, quiet_since=now)
        return [Change(call_id, known, quiet)]

    def give_up(self, call_ids: Iterable[str], now: int) -> list[Change]:
        """End vanished calls that nobody brought back, as livemon's judgement."""
        changes: list[Change] = []
        for call_id in call_ids:
            known = self._calls.get(call_id)
            if known is not None and self.vanished.pop(call_id, None) is not None:
                self._forget(call_id)
                changes.append(Change(call_id, known, lost(known, now)))
        return changes

    def quiet(self, runtime: str, since: int) -> list[Change]:
        """The runtime's key is missing: its calls are not reporting."""
        self._quiet[runtime] = since
        return self._mark(runtime, since)

    def heard(self, runtime: str) -> list[Change]:
        """The runtime's key is there."""
        self._quiet.pop(runtime, None)
        return self._mark(runtime, None)

    def _mark(self, runtime: str, since: int | None) -> list[Change]:
        changes: list[Change] = []
        for known in self.calls_of(runtime):
            call_id = known.call.call_id
            if known.quiet_since == since or call_id in self.vanished:
                continue
            self._calls[call_id] = marked = replace(known, quiet_since=since)
            changes.append(Change(call_id, known, marked))
        return changes

    def expire(self, now: int) -> None:
        """Forget tombstones older than an hour (they stand in the order of their burial)."""
        while self._ended:
            oldest = next(iter(self._ended))
            if self._ended[oldest] > now and len(self._ended) <= MAX_TOMBSTONES:
                return
            del self._ended[oldest]


def lost(known: LiveCall, now: int) -> LiveCall:
    """The call as it is once it is given up, because its runtime did not come back."""
    ending = {"call_status": CallStatus.ENDED, "end_timestamp": now, "disconnection_reason": RUNTIME_LOST}
    call = known.call.model_copy(update=ending)
    return replace(known, call=call, rev=known.rev + 1, controller=None, claim=None, quiet_since=None)
