"""Brings what the calls have to say to Redis: one task, one connection, everything that is due in one pipeline.

What is said is decided in `record.py`; this module only carries it, again and again while Redis is away.
"""

import asyncio
import contextlib
import logging
import math
from collections import deque

from redis.exceptions import NoScriptError, ResponseError

from .clock import Clock
from .connection import AWAY, Backoff, Connection, Outage, connect_anew
from .drops import Drops
from .record import CallRecord, Request
from .scripts import Command

_LOG = logging.getLogger("livemon_runtime")
_MOST_REQUESTS = 500
_MOST_BYTES = 2_000_000
_REFUSED_PAUSE_S = 1.0
_MOST_STRAY = 1_000
_TOGETHER_MS = 50
"""Between two lots of partials, so that those of many calls go in one pipeline: a pipeline costs as much as four words."""


class Sender:
    def __init__(
        self, connection: Connection, clock: Clock, drops: Drops, outage: Outage, ready: asyncio.Event
    ) -> None:
        """Nothing is sent before `ready`: until then Redis's time is not known."""
        self._connection, self._clock, self._drops = connection, clock, drops
        self._outage, self._ready = outage, ready
        self._due: dict[str, CallRecord] = {}
        self._partials_from = 0
        """When the next partials may go (ms, Redis's time); what is final waits for nothing."""
        self._rests_until = math.inf
        """Monotonic seconds; only what is due sooner wakes the sender."""
        self._stray: deque[Command] = deque(maxlen=_MOST_STRAY)
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def notice(self, record: CallRecord) -> None:
        """This call has something to say. Never blocks."""
        self._due[record.call.call_id] = record
        self._idle.clear()
        if self._clock.monotonic() + self._wait(record, self._clock.now_ms()) < self._rests_until:
            self._wake.set()

    def say(self, command: Command) -> None:
        """Something that concerns none of our calls, such as the result of a command to an unknown one."""
        self._stray.append(command)
        self._idle.clear()
        self._wake.set()

    async def drained(self) -> None:
        """Wait until Redis has everything that was said so far."""
        await self._idle.wait()

    async def run(self) -> None:
        await self._ready.wait()
        backoff = Backoff()
        while True:
            try:
                await self._step()
            except AWAY as error:
                self._outage.began(error)
                await asyncio.sleep(backoff.next())
            else:
                backoff.reset()

    async def _step(self) -> None:
        self._wake.clear()
        now = self._clock.now_ms()
        requests = self._requests(now)
        stray = list(self._stray)
        if requests or stray:
            await self._send(requests, stray)
            self._outage.over()
        self._forget_silent()
        if not self._due and not self._stray:
            self._idle.set()
        await self._rest()

    def _requests(self, now: int) -> list[tuple[CallRecord, Request]]:
        """What is due, as much as one pipeline should carry; the calls left out are the first of the next one."""
        requests: list[tuple[CallRecord, Request]] = []
        size = 0
        for record in [record for record in self._due.values() if self._wait(record, now) == 0]:
            mine = self._commands_of(record, now)
            requests += [(record, request) for request in mine]
            size += sum(request.size for request in mine)
            self._due[record.call.call_id] = self._due.pop(record.call.call_id)
            if size > _MOST_BYTES or len(requests) > _MOST_REQUESTS:
                break
        return requests

    def _commands_of(self, record: CallRecord, now: int) -> list[Request]:
        try:
            return record.commands(now)
        except Exception:
            _LOG.exception("call %s: what it says cannot be sent; it is tried again", record.call.call_id)
            record.retry_at = self._clock.monotonic() + _REFUSED_PAUSE_S
            return []

    async def _send(self, requests: list[tuple[CallRecord, Request]], stray: list[Command]) -> None:
        if any(request.command[0] == "SPUBLISH" for _, request in requests):
            self._partials_from = self._clock.now_ms() + _TOGETHER_MS
        answers = await self._connection.run([*(request.command for _, request in requests), *stray])
        for sent in stray:
            if self._stray and self._stray[0] is sent:
                self._stray.popleft()
        for (record, request), answer in zip(requests, answers, strict=False):
            if connect_anew(answer):
                await self._connection.close()
            if isinstance(answer, ResponseError) and request.command[0] != "SPUBLISH":
                self._refused(record, answer)
                continue
            if isinstance(answer, ResponseError):
                self._drops.drop("partial_refused_by_redis", f"{record.call.call_id}: {answer}")
            self._take(record, request, answer)

    def _refused(self, record: CallRecord, error: ResponseError) -> None:
        """Redis is out of memory, a key is of another kind, …: that call waits a little, the others go on."""
        if not isinstance(error, NoScriptError):
            self._drops.drop("refused_by_redis", f"{record.call.call_id}: {error}; it is tried again")
            record.retry_at = self._clock.monotonic() + _REFUSED_PAUSE_S

    def _take(self, record: CallRecord, request: Request, answer: object) -> None:
        try:
            request.answered(answer)
        except Exception:
            _LOG.exception("call %s: an answer of Redis could not be taken; it is tried again", record.call.call_id)
            record.retry_at = self._clock.monotonic() + _REFUSED_PAUSE_S

    def _forget_silent(self) -> None:
        """Keep only the calls that have something more to say."""
        now = self._clock.now_ms()
        self._due = {call_id: record for call_id, record in self._due.items() if record.due_in(now) is not None}

    def _wait(self, record: CallRecord, now_ms: int) -> float:
        """In how many seconds this call's turn comes."""
        return max(
            (record.due_in(now_ms, self._partials_from) or 0) / 1000, record.retry_at - self._clock.monotonic(), 0.0
        )

    async def _rest(self) -> None:
        """Wait until somebody has something to say, or until something that waits is due."""
        now = self._clock.now_ms()
        due = min((self._wait(record, now) for record in self._due.values()), default=None)
        if due == 0:
            await asyncio.sleep(0)
            return
        if due is not None:
            self._rests_until = self._clock.monotonic() + due
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(due):
                await self._wake.wait()
        self._rests_until = math.inf
