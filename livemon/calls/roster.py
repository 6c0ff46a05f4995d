"""Which runtimes are there, and the latest call of each, for the Connect page. Pure: keys found and calls in, a word out.

A runtime is there while its key is (docs/protocol.md, «Names»). It is connected once a call of its own has come: one that the
list showed, whether it is over by now or not. A call that is only `registered`, or whose runtime is gone, connects nobody.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

import orjson

from livemon_runtime.protocol import VERSION

from .registry import LiveCall

MOST = 500
"""Runtimes, and latest calls, that are remembered; those beyond are not told of."""
MAX_TEXT = 100
"""Of a name or a version."""


class Connection(StrEnum):
    """How far a first agent has come. Whether Redis can be asked is the feed's to say."""

    WAITING = "waiting"
    RUNTIME = "runtime"
    """A runtime is there, and no call of one that is there has come."""
    CONNECTED = "connected"


@dataclass(frozen=True, slots=True)
class Present:
    """A runtime that is there. `since` (ms, Redis's clock): since when it has been seen; it may be older."""

    runtime_id: str
    name: str
    version: str
    since: int
    speaks: bool
    """Whether it says that it speaks this protocol."""


class Roster:
    """The runtimes of one workspace, from the first look on."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._there: dict[str, Present] = {}
        self._latest: dict[str, LiveCall] = {}

    @property
    def wanted(self) -> set[str]:
        """The runtimes to be looked at by name, whatever else is found."""
        return self._there.keys() | self._latest.keys()

    @property
    def there(self) -> list[Present]:
        """Those that were seen last come first."""
        return sorted(self._there.values(), key=lambda one: (-one.since, one.name, one.runtime_id))

    @property
    def connection(self) -> Connection:
        if self._there.keys() & self._latest.keys():
            return Connection.CONNECTED
        return Connection.RUNTIME if self._there else Connection.WAITING

    @property
    def latest(self) -> LiveCall | None:
        """The call that started last, of the runtimes that are there; if none of these has one, of those that have gone."""
        return max(self._latest.values(), key=lambda live: (self.is_there(live.runtime), _age(live)), default=None)

    def is_there(self, runtime: str) -> bool:
        return runtime in self._there

    def latest_of(self, runtime: str) -> LiveCall | None:
        return self._latest.get(runtime)

    def look(self, found: Mapping[str, bytes], now: int) -> None:
        """Take what the keys hold of all runtimes that were looked at; empty: there is no such key."""
        for runtime, value in found.items():
            if not value:
                self._there.pop(runtime, None)
            elif runtime in self._there or len(self._there) < self._most:
                known = self._there.get(runtime)
                self._there[runtime] = _present(runtime, value, known.since if known else now)

    def take(self, live: LiveCall) -> None:
        """Take how a call is now."""
        if self._counts(live):
            self._latest[live.runtime] = live

    def take_all(self, calls: Iterable[LiveCall]) -> None:
        for live in calls:
            self.take(live)

    def _counts(self, live: LiveCall) -> bool:
        latest = self._latest.get(live.runtime)
        if latest is not None and latest.call.call_id == live.call.call_id:
            return True
        if not live.listed:
            return False
        return self._has_room(live) if latest is None else _age(live) > _age(latest)

    def _has_room(self, live: LiveCall) -> bool:
        """Whether one more runtime's call is remembered; where all places are taken, it has to be newer than the oldest."""
        if len(self._latest) < self._most:
            return True
        oldest = min(self._latest, key=lambda runtime: (self.is_there(runtime), _age(self._latest[runtime])))
        if self.is_there(oldest) or _age(self._latest[oldest]) > _age(live):
            return False
        del self._latest[oldest]
        return True


def _age(live: LiveCall) -> tuple[int, str]:
    return live.call.start_timestamp, live.call.call_id


def _present(runtime: str, value: bytes, since: int) -> Present:
    """What the runtime says of itself; one that says nothing that can be read is there all the same."""
    try:
        said: Any = orjson.loads(value)
    except orjson.JSONDecodeError:
        said = None
    fields = cast("dict[str, object]", said) if isinstance(said, dict) else {}
    speaks = fields.get("protocol") == VERSION
    return Present(runtime, _text(fields.get("name")), _text(fields.get("version")), since, speaks)


def _text(value: object) -> str:
    return value[:MAX_TEXT] if isinstance(value, str) else ""
