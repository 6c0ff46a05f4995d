"""Who listens to which call, over all nodes: what supervisors see of each other, and callers and agents never do.

Each node writes its own listeners into one field of `livemon:{ws}:listeners` and reads the others' once a second. A node
that is gone drops out after 15 s, and its field later. It stops nobody's listening; that is the media part's.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import cast

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from livemon_runtime.keys import Keys

POLL_S = 1.0
VALID_MS = 15_000
RENEW_MS = 5_000
LONGEST = 512
"""Characters of a name or an id that another node may tell."""
FORGOTTEN_MS = 60_000


@dataclass(frozen=True, slots=True)
class Listener:
    listener_id: str
    user_id: str
    name: str


_Listeners = dict[str, tuple[Listener, ...]]


class Presence:
    """Listeners by call. `changed` are plain functions, called in the event loop with the ids of the calls concerned."""

    def __init__(self, redis: Redis, keys: Keys, node_id: str, now: Callable[[], int], poll_s: float = POLL_S) -> None:
        self.changed: list[Callable[[set[str]], None]] = []
        self._redis = redis
        self._key = listeners_key(keys)
        self._node = node_id
        self._now = now
        self._poll_s = poll_s
        self._mine: dict[str, tuple[str, Listener]] = {}
        self._others: _Listeners = {}
        self._gone: set[bytes] = set()
        self._written_at = 0
        self._woken = asyncio.Event()

    def join(self, call_id: str, listener_id: str, user_id: str, name: str) -> None:
        """Somebody listens to a call through this node."""
        self._mine[listener_id] = (call_id, Listener(listener_id, user_id, name))
        self._announce({call_id})

    def leave(self, listener_id: str) -> None:
        """The listener has stopped; it does no harm if it is not known."""
        left = self._mine.pop(listener_id, None)
        if left is not None:
            self._announce({left[0]})

    def of(self, call_id: str) -> list[Listener]:
        """Who listens to the call, on whichever node."""
        mine = [listener for joined, listener in self._mine.values() if joined == call_id]
        return mine + list(self._others.get(call_id, ()))

    async def run(self) -> None:
        """Share with the other nodes until cancelled; while Redis is away the others' listeners stay as last seen."""
        try:
            while True:
                with contextlib.suppress(RedisError, OSError, TimeoutError):
                    await self._exchange()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._poll_s):  # `wait_for` loses a cancellation before Python 3.12
                        await self._woken.wait()
        finally:
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                await self._redis.hdel(self._key, self._node)  # pyright: ignore[reportGeneralTypeIssues]

    def _announce(self, call_ids: set[str]) -> None:
        self._written_at = 0
        self._woken.set()
        self._tell(call_ids)

    def _tell(self, call_ids: set[str]) -> None:
        if call_ids:
            for listener in self.changed:
                listener(call_ids)

    async def _exchange(self) -> None:
        self._woken.clear()
        now = self._now()
        due = not 0 <= now - self._written_at < RENEW_MS  # Redis's clock may also have been set back
        pipeline = self._redis.pipeline(transaction=False)
        if due:
            self._written_at = now
            pipeline.hset(self._key, self._node, self._encoded(now))
            pipeline.pexpire(self._key, FORGOTTEN_MS)
        for node in self._gone:
            pipeline.hdel(self._key, node)
        pipeline.hgetall(self._key)
        try:
            answers = cast("list[object]", await pipeline.execute())
        except (RedisError, OSError, TimeoutError):
            self._written_at = 0
            raise
        fields = cast("dict[bytes, bytes]", answers[-1])
        others = self._read(fields, now)
        before, self._others = self._others, others
        self._tell({one for one in before.keys() | others.keys() if before.get(one) != others.get(one)})

    def _encoded(self, now: int) -> bytes:
        calls: dict[str, list[dict[str, str]]] = {}
        for call_id, listener in self._mine.values():
            calls.setdefault(call_id, []).append(asdict(listener))
        return orjson.dumps({"until": now + VALID_MS, "calls": calls})

    def _read(self, fields: dict[bytes, bytes], now: int) -> _Listeners:
        others: _Listeners = {}
        self._gone.clear()
        for node, value in fields.items():
            if node.decode(errors="replace") == self._node:
                continue
            try:
                told = orjson.loads(value)
                if told["until"] <= now:
                    if told["until"] + FORGOTTEN_MS <= now:
                        self._gone.add(node)
                    continue
                for call_id, listeners in told["calls"].items():
                    found = tuple(_listener(listener) for listener in listeners)
                    others[call_id] = others.get(call_id, ()) + found
            except (ValueError, KeyError, TypeError, AttributeError):
                continue  # another version's way of writing: its listeners are not shown here
        return others


def _listener(told: dict[str, object]) -> Listener:
    """What another node wrote, if it is one: anybody with rights on the workspace's keys can write there."""
    listener = Listener(**told)  # pyright: ignore[reportArgumentType]
    if not all(isinstance(value, str) and len(value) <= LONGEST for value in asdict(listener).values()):
        raise ValueError("not a listener")
    return listener


def listeners_key(keys: Keys) -> str:
    """livemon's own key, not the runtimes' (docs/protocol.md, «livemon's own keys»)."""
    return f"{keys.calls.rsplit(':', 1)[0]}:listeners"
