"""Commands to the runtimes that hold the calls: sent through Redis, answered by an event, given up after a deadline.

It sends, and never repeats by itself; nothing here changes a call, only its runtime does.
"""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypedDict
from uuid import uuid4

import structlog
from redis.asyncio import Redis
from redis.exceptions import ConnectionError

from livemon.calls.feed import AWAY, CallFeed, State
from livemon.calls.registry import Change, LiveCall
from livemon.metrics import COMMANDS
from livemon_runtime.keys import Keys
from livemon_runtime.protocol import COMMAND_DEADLINE_MS, COMMANDS_KEPT, CommandResult, EndCommand, InjectCommand

from .outcomes import KNOWN_CODES, CommandFailed, Declined, NoAnswer, RedisAway, TooMany

MAX_WAITING = 1_000
SLACK_MS = 500
"""How much longer than the deadline an answer may take on its way back."""

_log = structlog.get_logger("livemon.control")


class _About(TypedDict):
    """What every command says."""

    command_id: str
    call_id: str
    by: str
    by_name: str
    deadline: int


@dataclass(frozen=True, slots=True)
class _Waiting:
    call_id: str
    answer: "asyncio.Future[CommandResult | None]"
    """None: the call has ended, whoever ended it."""


class Control:
    """Sends commands for one workspace and awaits their results from the feed."""

    def __init__(self, redis: Redis, keys: Keys, calls: CallFeed, deadline_ms: int = COMMAND_DEADLINE_MS) -> None:
        self._redis = redis
        self._keys = keys
        self._calls = calls
        self._deadline_ms = deadline_ms
        self._waiting: dict[str, _Waiting] = {}
        calls.answered.append(self._on_answer)
        calls.changed.append(self._on_changes)

    def __len__(self) -> int:
        """How many commands wait for an answer."""
        return len(self._waiting)

    async def end(self, call_id: str, by: str, by_name: str) -> None:
        """End the call for everyone; return once its runtime has said so, or if it has ended already.

        `by` and `by_name` say who asks. Raises a `CommandFailed` whose text can be shown.
        """
        with self._counted("end", call_id, by):
            live = await self._live(call_id, "end")
            if live is None:
                return
            try:
                await self._ask(live, EndCommand(type="end", **self._about(call_id, by, by_name)))
            except Declined as declined:
                if declined.code != "already_ended":
                    raise

    async def inject(self, call_id: str, content: str, by: str, by_name: str, *, trigger_response: bool) -> None:
        """Give the agent context (at most `MAX_TURN_TEXT` characters; none, if it is only to answer now), unheard by the
        caller; return once its runtime has taken it. It is never sent twice.

        Raises a `CommandFailed` whose text can be shown.
        """
        with self._counted("inject", call_id, by):
            live = await self._live(call_id, "inject")
            if live is None:
                raise Declined("already_ended")
            about = self._about(call_id, by, by_name)
            command = InjectCommand(type="inject", content=content, trigger_response=trigger_response, **about)
            if not await self._ask(live, command):
                raise Declined("already_ended")

    @contextmanager
    def _counted(self, kind: str, call_id: str, by: str) -> Generator[None]:
        """Count and log what becomes of a command."""
        outcome = "broken_off"
        try:
            yield
            outcome = "ok"
        except CommandFailed as failure:
            outcome = failure.code
            raise
        finally:
            label = outcome if outcome in KNOWN_CODES else "other"  # a runtime may answer anything
            COMMANDS.labels(self._keys.workspace, kind, label).inc()
            _log.info(kind, workspace=self._keys.workspace, call_id=call_id, by=by, outcome=outcome)

    def _about(self, call_id: str, by: str, by_name: str) -> _About:
        deadline = self._calls.now() + self._deadline_ms
        return {
            "command_id": uuid4().hex,
            "call_id": call_id,
            "by": by[:512],
            "by_name": by_name[:512],
            "deadline": deadline,
        }

    async def _live(self, call_id: str, kind: str) -> LiveCall | None:
        """The call, None if it has ended. Raises `Declined` if there is no such call."""
        try:
            live = await self._calls.find(call_id)
        except AWAY as error:
            raise RedisAway(kind) from error
        if live is None:
            raise Declined("not_found")
        return None if live.over else live

    async def _ask(self, live: LiveCall, command: EndCommand | InjectCommand) -> bool:
        """Whether the runtime has done it; False if the call has ended meanwhile. Raises `CommandFailed`."""
        if command.type not in live.call.capabilities:
            raise Declined("unsupported")
        with self._expect(command.command_id, command.call_id) as answer:
            await self._send(live.runtime, command)
            result = await self._await(answer, command)
        if result is not None and not result.ok:
            raise Declined(result.error.code, result.error.message) if result.error else Declined("failed")
        return result is not None

    async def _send(self, runtime: str, command: EndCommand | InjectCommand) -> None:
        try:
            if not await self._is_there(runtime):
                raise NoAnswer(command.type, gone=True)
            data = command.model_dump_json()
            await self._redis.xadd(self._keys.commands(runtime), {"data": data}, maxlen=COMMANDS_KEPT, approximate=True)
        except AWAY as error:
            raise RedisAway(command.type) from error

    async def _is_there(self, runtime: str) -> bool:
        """Asked twice if need be: the first connection may be one that Redis closed when it was restarted."""
        key = self._keys.runtime(runtime)
        try:
            return bool(await self._redis.exists(key))
        except (ConnectionError, OSError):
            return bool(await self._redis.exists(key))

    async def _await(
        self, answer: "asyncio.Future[CommandResult | None]", command: EndCommand | InjectCommand
    ) -> CommandResult | None:
        try:
            # Not `wait_for`, which loses a cancellation before Python 3.12.
            async with asyncio.timeout((self._deadline_ms + SLACK_MS) / 1000):
                return await answer
        except TimeoutError as error:
            if self._calls.state.state is State.STALE:
                raise RedisAway(command.type) from error
            if await self._live(command.call_id, command.type) is None:
                return None
            raise NoAnswer(command.type) from error

    @contextmanager
    def _expect(self, command_id: str, call_id: str) -> Generator["asyncio.Future[CommandResult | None]"]:
        if len(self._waiting) >= MAX_WAITING:
            raise TooMany
        answer: asyncio.Future[CommandResult | None] = asyncio.get_running_loop().create_future()
        self._waiting[command_id] = _Waiting(call_id, answer)
        try:
            yield answer
        finally:
            del self._waiting[command_id]

    def _on_answer(self, result: CommandResult) -> None:
        waiting = self._waiting.get(result.command_id)
        if waiting and waiting.call_id == result.call_id and not waiting.answer.done():
            waiting.answer.set_result(result)

    def _on_changes(self, changes: list[Change]) -> None:
        over = {change.call_id for change in changes if change.now.over}
        for waiting in self._waiting.values():
            if waiting.call_id in over and not waiting.answer.done():
                waiting.answer.set_result(None)
