"""The runtime: one process that runs calls, and its connections to livemon's Redis or Valkey.

`async with Runtime("redis://…", name="front-desk") as runtime:` starts it; whether Redis is there does not matter:
what the calls say is kept until it is. Leaving it ends the calls that are left, and waits a few seconds for Redis to
have all.
"""

import asyncio
import contextlib
import logging
import secrets
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Self

from .call import Call
from .call_fields import checked, lost
from .clock import Clock
from .commands import Commands
from .connection import Connection, Outage
from .drops import Drops
from .handlers import stopping
from .heartbeat import Heartbeat
from .keys import Keys, check_id
from .protocol import CallStatus, RuntimeInfo
from .publisher import Publisher
from .record import CallRecord
from .scripts import CallScripts, Command
from .sender import Sender
from .supervisor_audio import SupervisorAudio

_LOG = logging.getLogger("livemon_runtime")
_MOST_ENDED = 10_000
_MOST_WAITING = 2_000
_STOP_S = 5.0
_PARTS = ("sender", "audio", "heartbeat", "commands", "supervisors")


class Runtime:
    def __init__(
        self,
        url: str = "redis://127.0.0.1:6379/0",
        *,
        name: str,
        version: str = "",
        workspace: str = "default",
        runtime_id: str | None = None,
        socket_timeout: float = 2.0,
        handler_timeout: float = 10.0,
        drain_timeout: float = 5.0,
    ) -> None:
        """`url`: `redis://`, `rediss://` or `unix://`. Timeouts are in seconds: for Redis, for the bot's handlers,
        and for what is left to send at the end. Raises `InvalidName` or `ValueError` for a bad name, workspace,
        runtime id or address.
        """
        self.keys = Keys(workspace)
        self.runtime_id = check_id("runtime_id", runtime_id or f"rt-{secrets.token_hex(8)}")
        self.clock = Clock()
        self.drops = Drops(self.clock.monotonic)
        self.alive = asyncio.Event()
        """Redis has seen a heartbeat of this runtime."""
        self.handler_timeout = handler_timeout
        self._drain_timeout = drain_timeout
        self._calls: dict[str, Call] = {}
        self._ended: OrderedDict[str, str] = OrderedDict()
        self._task: asyncio.Task[None] | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._connections = [Connection(url, timeout=socket_timeout, name=f"livemon-{part}") for part in _PARTS]
        writing, audio, watching, asking, hearing = self._connections
        outage = Outage()
        self.sender = Sender(writing, self.clock, self.drops, outage, self.alive)
        self.publisher = Publisher(audio, self.clock, self.drops)
        info = RuntimeInfo(name=name, version=version)
        self.heartbeat = Heartbeat(self, watching, info, outage)
        self._commands = Commands(self, asking, handler_timeout)
        self.supervisor_audio = SupervisorAudio(hearing)

    @property
    def counters(self) -> Counter[str]:
        """What was dropped, by reason."""
        return self.drops.counters

    # --- life -----------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name=f"livemon runtime {self.runtime_id}")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for call in list(self._calls.values()):
            call.end("error_runtime_stopped" if kind is not None else "agent_hangup")
        try:
            await self._drain()
        finally:
            await self._stop()

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(self._drain_timeout):
                await self._commands.quiet()
                await self.sender.drained()
        except TimeoutError:
            left = sum(call.record.outbox.unsent for call in self._calls.values())
            _LOG.error(
                "livemon: Redis did not take the last of it: %d entries of %d calls are lost", left, len(self._calls)
            )
        else:
            mine = (self.keys.runtime, self.keys.runtime_calls, self.keys.commands)
            self.sender.say(("DEL", *(key(self.runtime_id) for key in mine)))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self.sender.drained()

    async def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            _, left = await asyncio.wait([self._task], timeout=self._drain_timeout + _STOP_S)
            if left:
                _LOG.error("livemon: a handler of the bot's does not end though it was cancelled; it is left behind")
        for connection in self._connections:
            await connection.close()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            parts = (
                self.sender.run,
                self.publisher.run,
                self.heartbeat.run,
                self._commands.run,
                self.supervisor_audio.run,
            )
            for part, run in zip(_PARTS, parts, strict=True):
                tasks.create_task(self._forever(part, run), name=f"livemon {part}")

    async def _forever(self, part: str, run: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await run()
            except BaseException as error:
                if stopping() or not isinstance(error, Exception | asyncio.CancelledError):
                    raise
                _LOG.exception("livemon: %s failed; it is started again", part)
                await asyncio.sleep(1)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
        """Do something for a call in a task of this runtime's own, which ends with it; None if it does not run.

        What goes wrong there is logged and counted, and is no trouble of the other calls.
        """
        if self._tasks is None:
            work.close()
            return None
        task = self._tasks.create_task(self._alone(work))
        task.add_done_callback(lambda _: work.close())  # it may be cancelled before it has begun
        return task

    async def _alone(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except BaseException as error:
            if stopping() or not isinstance(error, Exception | asyncio.CancelledError):
                raise
            _LOG.exception("livemon: something that was to be done for a call failed")
            self.drops.drop("call_work_failed", repr(error))

    # --- calls ----------------------------------------------------------------------------------------------------

    def call(
        self,
        *,
        call_id: str | None = None,
        call_type: str | None = None,
        capabilities: Iterable[str] | None = None,
        **fields: Any,
    ) -> Call:
        """Announce a call; `async with` ends it. `fields` are those of docs/protocol.md, «Call»: `direction`,
        `from_number`, `to_number`, `agent_id`, `agent_name`, `agent_version`, `metadata`, `audio`, `start_timestamp`, …

        `capabilities` replaces what is derived from audio and handlers. Bad fields are dropped, counted and logged.
        """
        by_number = any(isinstance(fields.get(name), str) for name in ("from_number", "to_number"))
        defaults: dict[str, Any] = {
            "call_id": f"call-{secrets.token_hex(12)}",
            "call_type": "phone_call" if by_number else "web_call",
            "start_timestamp": self.clock.now_ms(),
            "call_status": CallStatus.ONGOING,
        }
        given = {"call_id": call_id, "call_type": call_type, **fields}
        given = {name: value for name, value in given.items() if value is not None}
        made = checked(given, defaults, self.drops)
        if self.had(made.call_id):
            self.drops.drop("call_twice", f"{made.call_id} was announced already: it gets another id")
            made = made.model_copy(update={"call_id": defaults["call_id"]})
        assumed = made.start_timestamp == defaults["start_timestamp"] and not self.clock.measured
        record = CallRecord(made, self.keys, self.runtime_id, start_assumed=assumed)
        call = Call(self, record, capabilities)
        self._calls[call.call_id] = call
        return call

    def time_is(self, redis_ms: float, asked_at: float, answered_at: float) -> None:
        """Redis's `TIME`, asked and answered at these monotonic seconds. The first sets right what began before it."""
        first = not self.clock.measured
        self.clock.measure(redis_ms, asked_at, answered_at)
        if first:
            for call in self._calls.values():
                call.record.shift(round(self.clock.offset_ms))

    def call_of(self, call_id: str) -> Call | None:
        """A call of this runtime that is not over, or whose end Redis has not got yet."""
        return self._calls.get(call_id)

    def calls(self) -> list[Call]:
        """The same, all of them."""
        for call_id, call in list(self._calls.items()):
            if call.record.settled:
                self._bury(call_id, call)
                if not call.ended:
                    self.drops.drop("call_refused", f"{call_id}: Redis says that its runtime ended it; use a new id")
        return list(self._calls.values())

    def call_ended(self, call: Call) -> None:
        """The bot has said that it is over. Too many whose end Redis has not taken: the oldest are given up."""
        self.sender.notice(call.record)
        waiting = [call_id for call_id, call in self._calls.items() if call.ended]
        for call_id in waiting[: max(0, len(waiting) - _MOST_WAITING)]:
            self.drops.drop("call_too_old", f"{call_id}: it ended while Redis was away for too long")
            self._calls[call_id].record.given_up = True

    def _bury(self, call_id: str, call: Call) -> None:
        """Forget an ended call but for its last word, in case a Redis restored from before has it live again."""
        del self._calls[call_id]
        self._ended[call_id] = call.record.last_word
        if len(self._ended) > _MOST_ENDED:
            self._ended.popitem(last=False)

    def had(self, call_id: str) -> bool:
        """Whether it was a call of this runtime."""
        return call_id in self._ended or call_id in self._calls

    def end_of_stranger(self, call_id: str, stored: list[bytes | None]) -> list[Command]:
        """What ends a call that Redis counts as this runtime's, and that is over or was never here."""
        incarnation, data = (part.decode(errors="replace") if part else "" for part in stored)
        if not incarnation or data == self._ended.get(call_id):
            return [("SREM", self.keys.runtime_calls(self.runtime_id), call_id), ("ZREM", self.keys.calls, call_id)]
        _LOG.warning("call %s: Redis has it live though it is over here; it is ended again", call_id)
        try:
            last_word = self._ended.get(call_id) or lost(data, self.clock.now_ms())
        except ValueError:
            return [("SREM", self.keys.runtime_calls(self.runtime_id), call_id)]
        return [CallScripts(self.keys, self.runtime_id, call_id).end(incarnation, last_word)]
