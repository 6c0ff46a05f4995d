"""The protocol's Lua scripts (docs/protocol-scripts.md) as typed commands, and what their answers mean. Pure; no I/O.

Each function returns a `Command` for a connection to run; each `…Answer.read` takes what Redis answered.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, cast

from .keys import Keys

Word = str | bytes | int | float
Command = tuple[Word, ...]
"""One Redis command: its name and arguments."""

UNKNOWN_CONTROLLER = "?"
NAMES = ("announce", "update", "append", "end", "accept", "refuse", "supervisor", "result")


@dataclass(frozen=True, slots=True)
class Script:
    name: str
    source: str
    sha: str

    def call(self, keys: Sequence[str], *arguments: Word) -> Command:
        return ("EVALSHA", self.sha, len(keys), *keys, *arguments)


@cache
def script(name: str) -> Script:
    """One of `NAMES`, with `common.lua` before it."""
    folder = files("livemon_runtime") / "scripts"
    source = (folder / "common.lua").read_text("utf-8") + (folder / f"{name}.lua").read_text("utf-8")
    return Script(name, source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())


def loading() -> list[Command]:
    """The commands that make every script known to a server; to be run on each new connection."""
    return [("SCRIPT", "LOAD", script(name).source) for name in NAMES]


def _parts(answer: object) -> list[str | int]:
    parts = cast("list[bytes | str | int]", answer)
    return [part.decode(errors="replace") if isinstance(part, bytes) else part for part in parts]


@dataclass(frozen=True, slots=True)
class Announced:
    status: Literal["ok", "held", "ended"]
    rev: int
    last: int
    """Number of the transcript's last entry in Redis, 0 if there is none."""
    controller: str
    """JSON of who holds the call, or empty."""

    @classmethod
    def read(cls, answer: object) -> "Announced":
        status, rev, last, controller = _parts(answer)
        return cls(cast("Literal['ok', 'held', 'ended']", status), int(rev), int(last), str(controller))


@dataclass(frozen=True, slots=True)
class Written:
    """Answer of update, end, refuse and result."""

    status: Literal["ok", "announce", "moved", "refused", "accepted"]
    rev: int

    @classmethod
    def read(cls, answer: object) -> "Written":
        status, rev = _parts(answer)
        return cls(cast("Literal['ok', 'announce', 'moved', 'refused', 'accepted']", status), int(rev))


@dataclass(frozen=True, slots=True)
class Appended:
    known: bool
    """False: Redis has not this call in this incarnation."""
    last: int

    @classmethod
    def read(cls, answer: object) -> "Appended":
        status, last = _parts(answer)
        return cls(status == "ok", int(last))


@dataclass(frozen=True, slots=True)
class Accepted:
    yes: bool
    rev: int
    controller: str

    @classmethod
    def read(cls, answer: object) -> "Accepted":
        status, rev, controller = _parts(answer)
        return cls(status == "yes", int(rev), str(controller))


@dataclass(frozen=True, slots=True)
class Supervised:
    """Answer of supervisor."""

    status: Literal["ok", "other", "announce"]
    rev: int
    controller: str

    @classmethod
    def read(cls, answer: object) -> "Supervised":
        status, rev, controller = _parts(answer)
        return cls(cast("Literal['ok', 'other', 'announce']", status), int(rev), str(controller))


@dataclass(frozen=True, slots=True)
class CallScripts:
    """The scripts as one runtime uses them for one call."""

    keys: Keys
    runtime_id: str
    call_id: str

    def announce(
        self, incarnation: str, data: str, start_timestamp: int, *, resumed: bool, generation: int, controller: str
    ) -> Command:
        """`controller` is JSON, empty for none, or `UNKNOWN_CONTROLLER` when this process has no memory of the call."""
        keys = [
            self.keys.call(self.call_id),
            self.keys.calls,
            self.keys.events,
            self.keys.runtime_calls(self.runtime_id),
            self.keys.transcript(self.call_id),
        ]
        flags = (start_timestamp, int(resumed), generation, controller)
        return script("announce").call(keys, self.call_id, self.runtime_id, incarnation, data, *flags)

    def update(self, incarnation: str, data: str) -> Command:
        keys = [self.keys.call(self.call_id), self.keys.calls, self.keys.events]
        return script("update").call(keys, self.call_id, incarnation, data)

    def append(self, incarnation: str, number: int, entries: Sequence[bytes]) -> Command:
        """Entries `number`, `number` + 1, …; none: only asks for the last one."""
        keys = [self.keys.transcript(self.call_id), self.keys.call(self.call_id)]
        return script("append").call(keys, incarnation, number, *entries)

    def end(self, incarnation: str, data: str) -> Command:
        keys = [
            self.keys.call(self.call_id),
            self.keys.calls,
            self.keys.events,
            self.keys.runtime_calls(self.runtime_id),
            self.keys.transcript(self.call_id),
            self.keys.tap(self.call_id),
        ]
        return script("end").call(keys, self.call_id, incarnation, self.runtime_id, data)

    def accept(self, claim_id: str, data: str, command_id: str) -> Command:
        keys = [self.keys.call(self.call_id), self.keys.events]
        return script("accept").call(keys, self.call_id, claim_id, data, command_id)

    def refuse(self, claim_id: str, command_id: str, code: str, message: str) -> Command:
        keys = [self.keys.call(self.call_id), self.keys.events]
        return script("refuse").call(keys, self.call_id, claim_id, command_id, code, message)

    def supervisor(self, incarnation: str, claim_id: str, silent_ms: int | None) -> Command:
        """`silent_ms`: for how long the supervisor has not been heard; None: heard again."""
        keys = [self.keys.call(self.call_id), self.keys.events]
        silent = "" if silent_ms is None else silent_ms
        return script("supervisor").call(keys, self.call_id, incarnation, claim_id, silent)

    def result(self, result: str) -> Command:
        return script("result").call([self.keys.call(self.call_id), self.keys.events], self.call_id, result)
