"""Reads the commands to this runtime and does them: each once, none past its deadline, each with a result."""

import asyncio
import logging
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

from . import protocol
from .connection import AWAY, Backoff, Connection
from .errors import ProtocolError
from .handlers import Outcome, ask
from .protocol import COMMAND, Command, EndCommand, InjectCommand, TakeOverCommand, TapCommand
from .scripts import CallScripts
from .supervisor import Supervisor
from .verdict import Verdict

if TYPE_CHECKING:
    from .call import Call
    from .runtime import Runtime

_LOG = logging.getLogger("livemon_runtime")
_BLOCK_MS = 2_000
_REMEMBER_S = 600.0
_MOST_REMEMBERED = 10_000
_MOST_AT_ONCE = 200


class Commands:
    def __init__(self, runtime: "Runtime", connection: Connection, handler_timeout: float) -> None:
        self._runtime, self._connection, self._timeout = runtime, connection, handler_timeout
        self._cursor: str = "0"
        self._done: OrderedDict[str, tuple[float, str | None]] = OrderedDict()
        """Result by command id; None while it is being done."""
        self._at_once = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    async def quiet(self) -> None:
        """Wait until no command is being done."""
        await self._quiet.wait()

    async def run(self) -> None:
        """Read and do commands until cancelled. Begins once a heartbeat has measured Redis's time."""
        await self._runtime.alive.wait()
        backoff = Backoff()
        async with asyncio.TaskGroup() as tasks:
            while True:
                try:
                    await self._read(tasks)
                except AWAY:
                    await asyncio.sleep(backoff.next())
                    await self._look_back()
                else:
                    backoff.reset()

    async def _read(self, tasks: asyncio.TaskGroup) -> None:
        key = self._runtime.keys.commands(self._runtime.runtime_id)
        command = ("XREAD", "COUNT", 100, "BLOCK", _BLOCK_MS, "STREAMS", key, self._cursor)
        (answer,) = await self._connection.run([command], wait=_BLOCK_MS / 1000)
        if isinstance(answer, ResponseError):
            raise answer
        entries: list[tuple[bytes, list[bytes]]] = answer[0][1] if answer else []
        for entry_id, fields in entries:
            self._cursor = entry_id.decode()
            self.take(dict(zip(fields[::2], fields[1::2], strict=True)).get(b"data", b""), tasks)

    async def _look_back(self) -> None:
        """A Redis restored from before may give ids that our cursor has passed."""
        key = self._runtime.keys.commands(self._runtime.runtime_id)
        try:
            (newest,) = await self._connection.run([("XREVRANGE", key, "+", "-", "COUNT", 1)])
        except AWAY:
            return
        if isinstance(newest, ResponseError):
            return
        if not newest or _number(newest[0][0].decode()) < _number(self._cursor):
            self._cursor = "0"

    def take(self, data: bytes, tasks: asyncio.TaskGroup) -> None:
        """Do one command, unless it is malformed, done already, or too late."""
        try:
            command = protocol.read(COMMAND, data)
        except ProtocolError as error:
            self._runtime.drops.drop(f"command_{error.reason}", error.detail)
            return
        self._forget_old()
        if command.command_id in self._done:
            _, result = self._done[command.command_id]
            if result is not None:
                self._publish(command, result)
            return
        self._done[command.command_id] = (self._runtime.clock.monotonic(), None)
        if self._at_once >= _MOST_AT_ONCE:
            self._finish(command, Outcome(False, "failed", "The agent's program has too much to do."))
            return
        self._at_once += 1
        self._quiet.clear()
        tasks.create_task(self._do_safely(command))

    def _forget_old(self) -> None:
        oldest = self._runtime.clock.monotonic() - _REMEMBER_S
        while self._done:
            first = next(iter(self._done))
            if self._done[first][0] >= oldest and len(self._done) < _MOST_REMEMBERED:
                return
            del self._done[first]

    async def _do_safely(self, command: Command) -> None:
        try:
            if (outcome := await self._do(command)) is not None:
                self._finish(command, outcome)
        except Exception as error:
            _LOG.exception("command %s (%s) failed", command.command_id, command.type)
            self._finish(command, Outcome(False, "failed", f"The runtime failed: {type(error).__name__}."))
        finally:
            self._at_once -= 1
            if not self._at_once:
                self._quiet.set()

    def _finish(self, command: Command, outcome: Outcome) -> None:
        result: dict[str, Any] = {"command_id": command.command_id, "call_id": command.call_id, "ok": outcome.ok}
        if not outcome.ok:
            result["error"] = {"code": outcome.code, "message": outcome.message}
        data = protocol.CommandResult.model_validate(result).model_dump_json(exclude_none=True)
        self._done[command.command_id] = (self._runtime.clock.monotonic(), data)
        self._publish(command, data)

    def _publish(self, command: Command, result: str) -> None:
        call = self._runtime.call_of(command.call_id)
        if call is not None:
            call.record.say_result(result, self._runtime.clock.now_ms())
            self._runtime.sender.notice(call.record)
        else:
            scripts = CallScripts(self._runtime.keys, self._runtime.runtime_id, command.call_id)
            self._runtime.sender.say(scripts.result(result))

    # --- what each does -------------------------------------------------------------------------------------------

    async def _do(self, command: Command) -> Outcome | None:
        """How it went; None if the result is said elsewhere (a take-over's comes from its script)."""
        call = self._runtime.call_of(command.call_id)
        if self._runtime.clock.now_ms() > command.deadline and not isinstance(command, TakeOverCommand):
            return Outcome(False, "too_late", "The command came after its deadline and was not done.")
        if call is None or call.ended:
            return self._without_call(command)
        if isinstance(command, TapCommand):
            self._runtime.heartbeat.look_at(call.call_id)
            return Outcome(True)
        if isinstance(command, EndCommand):
            return await self._end(command, call)
        if isinstance(command, InjectCommand):
            return await self._inject(command, call)
        await self._take_over(command, call)
        return None

    def _without_call(self, command: Command) -> Outcome:
        if not self._runtime.had(command.call_id):
            return Outcome(False, "not_found", "The runtime has no such call.")
        if isinstance(command, EndCommand):
            return Outcome(True)
        return Outcome(False, "already_ended", "The call has ended.")

    async def _end(self, command: EndCommand, call: "Call") -> Outcome:
        handler = call.handlers.get("end")
        if handler is None:
            return Outcome(False, "unsupported", "The agent's program cannot end this call: it has no on_end handler.")
        call.ending = "manual_stopped"
        try:
            outcome = await ask(handler, command, self._timeout, "end")
            if outcome.ok:
                call.end("manual_stopped")
        finally:
            call.ending = ""
        return Outcome(True) if call.ended else outcome

    async def _inject(self, command: InjectCommand, call: "Call") -> Outcome:
        handler = call.handlers.get("inject")
        if handler is None:
            return Outcome(False, "unsupported", "The agent's program takes no hints: it has no on_inject handler.")
        if call.agent_silent:
            return Outcome(False, "refused", "A supervisor has the caller: the agent is silent and takes no hints.")
        outcome = await ask(handler, command, self._timeout, "inject")
        if outcome.ok and command.content:  # without words the agent was only to answer
            call.injected(command.content, command.by_name)
        return outcome

    async def _take_over(self, command: TakeOverCommand, call: "Call") -> None:
        """Ask the bot, then let a script decide; its answer is what the agent obeys."""
        supervisor = Supervisor(command.claim_id, command.by, command.by_name, command.grace_ms)
        refusal = await self._refusal(command, call, supervisor)
        settled: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def settle(accepted: bool) -> None:
            if not settled.done():
                settled.set_result(accepted)

        deadline = command.deadline
        call.record.say_verdict(
            Verdict(command.claim_id, command.generation, command.command_id, deadline, refusal, supervisor, settle)
        )
        self._runtime.sender.notice(call.record)
        await call.obey(settled, supervisor, refused=refusal is not None)
        self._done.pop(command.command_id, None)  # asked again, the script gives the result again

    async def _refusal(self, command: TakeOverCommand, call: "Call", supervisor: Supervisor) -> tuple[str, str] | None:
        handler = call.handlers.get("take_over")
        if handler is None:
            return "unsupported", "The agent's program has no on_take_over handler."
        if command.claim_id == call.record.claim_id:
            return None
        if command.generation <= call.record.generation:
            return "too_late", "This claim was answered already."
        left = (command.deadline - self._runtime.clock.now_ms()) / 1000
        if left <= 0:
            return "too_late", "The claim came after its deadline: the agent has the call."
        outcome = await ask(handler, supervisor, min(left, self._timeout), "take_over")
        return None if outcome.ok else (outcome.code, outcome.message)


def _number(entry_id: str) -> tuple[int, ...]:
    return tuple(int(part) for part in entry_id.split("-"))
