"""Says that the runtime lives, and finds out what Redis has lost of its calls. Also looks at who listens.

It only reads the calls' keys: what differs is told to the call's record, and the sender sets it right.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from redis.exceptions import ResponseError

from .connection import AWAY, Answer, Backoff, Connection, Outage
from .protocol import EXPIRE_AFTER_END_S, HEARTBEAT_S, RUNTIME_TTL_S, RuntimeInfo
from .scripts import Command
from .verdict import claim_of

if TYPE_CHECKING:
    from .call import Call
    from .runtime import Runtime

_LOG = logging.getLogger("livemon_runtime")
_CALLS_AT_ONCE = 200
_TAP_EVERY_S = 1.0


class _Before(NamedTuple):
    """What a call's record said when Redis was asked: only what Redis should have known by then is compared."""

    incarnation: str
    rev: int
    controller: str | None
    acked: int


class Heartbeat:
    def __init__(self, runtime: "Runtime", connection: Connection, info: RuntimeInfo, outage: Outage) -> None:
        self._runtime, self._connection, self._outage = runtime, connection, outage
        self._info = info.model_dump_json()
        self._wake = asyncio.Event()
        self._look: set[str] = set()

    def look_at(self, call_id: str) -> None:
        """Somebody may have begun to listen to this call."""
        self._look.add(call_id)
        self._wake.set()

    async def run(self) -> None:
        clock = self._runtime.clock
        backoff = Backoff()
        beat_at = clock.monotonic()
        while True:
            try:
                if clock.monotonic() >= beat_at:
                    await self._beat()
                    beat_at = clock.monotonic() + HEARTBEAT_S
                else:
                    await self._look_at_taps()
            except AWAY as error:
                self._outage.began(error)
                beat_at = clock.monotonic()
                self._switch(self._runtime.calls())
                await asyncio.sleep(backoff.next())
                continue
            backoff.reset()
            await self._rest(beat_at - clock.monotonic())

    async def _rest(self, until_beat: float) -> None:
        publishing = any(call.voices.caller_on or call.voices.agent_on for call in self._runtime.calls())
        seconds = min(until_beat, _TAP_EVERY_S) if publishing else until_beat
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await self._wake.wait()

    # --- who lives ------------------------------------------------------------------------------------------------

    async def _beat(self) -> None:
        keys, runtime_id, clock = self._runtime.keys, self._runtime.runtime_id, self._runtime.clock
        asked_at = clock.monotonic()
        (time,) = await self._connection.run([("TIME",)])
        if isinstance(time, ResponseError):
            raise time
        self._runtime.time_is(int(time[0]) * 1000 + int(time[1]) / 1000, asked_at, clock.monotonic())
        members = keys.runtime_calls(runtime_id)
        answers = await self._connection.run(
            [
                ("SET", keys.runtime(runtime_id), self._info, "EX", RUNTIME_TTL_S),
                ("EXPIRE", members, EXPIRE_AFTER_END_S),
                ("EXPIRE", keys.commands(runtime_id), EXPIRE_AFTER_END_S),
                ("SMEMBERS", members),
            ]
        )
        for answer in answers[:3]:
            if isinstance(answer, ResponseError):
                self._runtime.drops.drop("heartbeat_refused_by_redis", f"this runtime seems gone: {answer}")
        self._runtime.alive.set()
        self._outage.over()
        calls = iter(self._runtime.calls())
        while some := list(islice(calls, _CALLS_AT_ONCE)):
            await self._check(some)
        if not isinstance(answers[3], ResponseError):
            await self._end_strangers({member.decode(errors="replace") for member in answers[3]})

    async def _check(self, calls: "list[Call]") -> None:
        """Compare calls with Redis. What was written since the question was asked proves nothing, so it counts not."""
        before = [_before(call) for call in calls]
        answers = await self._connection.run([command for call in calls for command in self._questions(call)])
        for call, was, answer in zip(calls, before, _by(4, answers), strict=True):
            if not any(isinstance(part, ResponseError) for part in answer):
                self._compare(call, was, *answer)
        self._switch(calls)

    def _questions(self, call: "Call") -> list[Command]:
        keys, call_id = self._runtime.keys, call.call_id
        return [
            ("HMGET", keys.call(call_id), "incarnation", "rev", "controller"),
            ("ZSCORE", keys.calls, call_id),
            ("XREVRANGE", keys.transcript(call_id), "+", "-", "COUNT", 1),
            _tap_question(keys.tap(call_id)),
        ]

    def _compare(self, call: "Call", was: _Before, stored: Any, listed: Any, newest: Any, tap: Any) -> None:
        _take_tap(call, tap)
        record = call.record
        if not record.announced or record.over or record.incarnation != was.incarnation:
            return
        incarnation, rev, controller = (part.decode(errors="replace") if part else "" for part in stored)
        last = int(newest[0][0].split(b"-")[0]) if newest else 0
        if (
            incarnation != was.incarnation
            or (int(rev) if rev.isdecimal() else 0) < was.rev
            or listed is None
            or self._other(call, was, controller)
        ):
            _LOG.warning("call %s: Redis has lost it or has it otherwise; it is announced again", call.call_id)
            record.announce_again()
            self._runtime.sender.notice(record)
        elif last < was.acked:
            _LOG.warning("call %s: Redis has lost the end of its transcript; it is sent again", call.call_id)
            record.probe()
            self._runtime.sender.notice(record)

    def _other(self, call: "Call", was: _Before, controller: str) -> bool:
        """Whether Redis says that somebody else has the caller than this process knows."""
        if call.record.controller != was.controller or call.record.deciding:
            return False
        return claim_of(controller) != claim_of(was.controller)

    async def _end_strangers(self, members: set[str]) -> None:
        """End those that stand as ours and are not: nobody else will."""
        for call_id in members - {call.call_id for call in self._runtime.calls()}:
            key = self._runtime.keys.call(call_id)
            (stored,) = await self._connection.run([("HMGET", key, "incarnation", "data")])
            if not isinstance(stored, ResponseError):
                await self._connection.run(self._runtime.end_of_stranger(call_id, stored))

    # --- who listens ----------------------------------------------------------------------------------------------

    async def _look_at_taps(self) -> None:
        self._wake.clear()
        looked, self._look = self._look, set()
        calls = [
            call
            for call in self._runtime.calls()
            if call.call_id in looked or call.voices.caller_on or call.voices.agent_on
        ]
        if not calls:
            return
        keys = self._runtime.keys
        answers = await self._connection.run([_tap_question(keys.tap(call.call_id)) for call in calls])
        for call, tap in zip(calls, answers, strict=True):
            _take_tap(call, tap)
        self._switch(calls)

    def _switch(self, calls: "Iterable[Call]") -> None:
        for call in calls:
            call.voices.switch(taken_over=call.controller is not None)


def _before(call: "Call") -> _Before:
    record = call.record
    return _Before(record.incarnation, record.rev, record.controller, record.outbox.acked)


def _by(count: int, answers: list[Answer]) -> Iterator[list[Answer]]:
    return (answers[at : at + count] for at in range(0, len(answers), count))


def _tap_question(key: str) -> Command:
    return ("ZREVRANGE", key, 0, 0, "WITHSCORES")


def _take_tap(call: "Call", tap: Any) -> None:
    if not isinstance(tap, ResponseError):
        call.voices.tapped_until = int(float(tap[1])) if tap else 0
