"""A call as its bot sees it: what is said here appears in livemon.

No method blocks, raises into the bot or needs an `await`: what cannot be sent is dropped, counted and logged. To be
used in the thread of the loop in which the `Runtime` runs.
"""

import asyncio
import contextlib
import re
import secrets
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Self, TypeVar

from . import entries
from .call_fields import checked, ended
from .codecs import Codec
from .errors import ProtocolError
from .handlers import Handler, ask
from .limits import EVENTS_PER_S, TokenBucket
from .protocol import COMMAND_DEADLINE_MS, EndCommand
from .record import CallRecord
from .supervision import Supervision
from .supervisor import Supervisor
from .turn import Turn
from .voice import Voices

if TYPE_CHECKING:
    from .runtime import Runtime

_H = TypeVar("_H", bound=Handler)
_ANSWER_S = 0.2
"""Redis answers sooner, unless it is in trouble."""
_MOST_TOLD = 100
_UPDATABLE = frozenset(
    {
        "call_type",
        "direction",
        "from_number",
        "to_number",
        "agent_id",
        "agent_name",
        "agent_version",
        "metadata",
        "call_status",
    }
)


class Call:
    """Made by `Runtime.call`. Leaving its `async with` ends it: `agent_hangup`, or `error_…` after an exception."""

    def __init__(self, runtime: "Runtime", record: CallRecord, capabilities: Iterable[str] | None) -> None:
        self._runtime, self.record = runtime, record
        self.handlers: dict[str, Handler] = {}
        self._own_capabilities = self._listed(capabilities)
        self._started_ms = runtime.clock.now_ms() - record.call.start_timestamp
        self._monotonic = runtime.clock.monotonic()
        self._ids = f"{secrets.token_hex(3)}-"
        self._count = 0
        self._bucket = TokenBucket(EVENTS_PER_S)
        self.ending = ""
        """Why the bot is being made to hang up: its own word for it then counts as that."""
        self.supervision = Supervision(runtime, self)
        self._told: deque[Supervisor] = deque(maxlen=_MOST_TOLD)
        """Who was told that the agent is silent, the newest last; they are told when it is not any more."""
        self.voices = Voices.of(record.call, record.keys, runtime.publisher, runtime.clock, runtime.drops)
        self.agent_silent = False
        """The agent must say nothing: a supervisor has the caller, or it is not known whether one has."""
        record.held, record.adopted, record.malformed = self._held, self._adopted, self._malformed
        self._speak(self._derived())

    # --- life -----------------------------------------------------------------------------------------------------

    @property
    def call_id(self) -> str:
        return self.record.call.call_id

    @property
    def ended(self) -> bool:
        return self.record.over

    @property
    def controller(self) -> str | None:
        """JSON of the supervisor who has the caller, None when the agent has."""
        return self.record.controller or None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and issubclass(kind, Exception):
            self.end(f"error_{_snake(kind.__name__)}")
        else:
            self.end()

    def end(self, reason: str = "agent_hangup") -> None:
        """The call is over, for good: `user_hangup`, `agent_hangup`, `max_duration_reached`, `error_…`."""
        self._safely("end", lambda: self._end(reason))

    def _end(self, reason: str) -> None:
        if self.ended:
            return
        if self.ending and reason == "agent_hangup":
            reason = self.ending
        self.record.become(ended(self.record.call, reason, self._runtime.clock.now_ms()))
        self.voices.close()
        self.supervision.leave()
        self._runtime.call_ended(self)

    async def end_without_supervisor(self) -> None:
        """Nobody has spoken with the caller for the whole grace time: the bot hangs up, and the call is over."""
        self.ending = "supervisor_lost"
        try:
            await self._ask_to_hang_up()
        finally:
            self.end("supervisor_lost")

    async def _ask_to_hang_up(self) -> None:
        if handler := self.handlers.get("end"):
            command = EndCommand(
                type="end",
                command_id=secrets.token_hex(16),
                call_id=self.call_id,
                by="livemon",
                by_name="livemon",
                deadline=self._runtime.clock.now_ms() + COMMAND_DEADLINE_MS,
            )
            await ask(handler, command, self._runtime.handler_timeout, "end")

    def update(self, **fields: Any) -> None:
        """New values of `metadata` (whole), `agent_name`, …; `call_status="ongoing"` lists a registered call."""
        self._safely("update", lambda: self._update(fields))

    def _update(self, fields: dict[str, Any]) -> None:
        for name in fields.keys() - _UPDATABLE:
            self._drop("update", f"{name} cannot be changed: {', '.join(sorted(_UPDATABLE))} can")
        wanted = {name: value for name, value in fields.items() if name in _UPDATABLE}
        status = wanted.get("call_status", "ongoing")
        if self.record.controller or self.record.deciding or status not in ("ongoing", "registered"):
            wanted.pop("call_status", None)
        if "call_status" in fields and "call_status" not in wanted:
            self._drop("update", "call_status cannot be changed so: ongoing and registered can, by the agent's side")
        if self.ended:
            self._drop("after_end", "update")
        elif wanted:
            self.record.become(checked(wanted, dict(self.record.call), self._runtime.drops))
            self._notice()

    # --- the transcript -------------------------------------------------------------------------------------------

    def agent_turn(self) -> Turn:
        """A turn of the agent that begins now."""
        return Turn(self, self._next_id(), "agent", self.elapsed_ms)

    def user_turn(self) -> Turn:
        """A turn of the caller's that begins now."""
        return Turn(self, self._next_id(), "user", self.elapsed_ms)

    caller_turn = user_turn

    def tool_call(self, tool_call_id: str, name: str, arguments: Any = None, *, type: str | None = None) -> None:
        """The agent calls a tool; `arguments`: JSON as a string, or what becomes JSON."""
        self._safely("entry", lambda: self._tool_call(tool_call_id, name, arguments, type))

    def _tool_call(self, tool_call_id: str, name: str, arguments: Any, kind: str | None) -> None:
        text = entries.as_json({} if arguments is None else arguments)
        self._say("tool_call_invocation", tool_call_id=tool_call_id, name=name, arguments=text, type=kind)

    def tool_result(self, tool_call_id: str, content: Any = "", *, successful: bool = True) -> None:
        """What came of it, however much later."""
        self._safely("entry", lambda: self._tool_result(tool_call_id, content, successful))

    def _tool_result(self, tool_call_id: str, content: Any, successful: bool) -> None:
        text = entries.as_json(content)
        self._say("tool_call_result", tool_call_id=tool_call_id, content=text, successful=successful)

    def node_transition(
        self,
        former_node_id: str | None = None,
        former_node_name: str | None = None,
        new_node_id: str | None = None,
        new_node_name: str | None = None,
        transition_type: str | None = None,
    ) -> None:
        """The agent goes from one node of its flow to another."""
        self._say(
            "node_transition",
            former_node_id=former_node_id,
            former_node_name=former_node_name,
            new_node_id=new_node_id,
            new_node_name=new_node_name,
            transition_type=transition_type,
        )

    def sms(self, content: str, *, direction: str = "outbound", multimedia: list[Any] | None = None) -> None:
        """A text message within the call; `direction`: `inbound` (from the caller) or `outbound`."""
        self._say("sms", content=content, direction=direction, multimedia=multimedia)

    def dtmf(self, digit: str) -> None:
        """The caller pressed a key."""
        self._say("dtmf", digit=digit)

    def injected(self, content: str, by: str | None = None) -> None:
        """A hint that the agent was given. Those that come through livemon are entered by the SDK."""
        self._say("injected", content=content, by=by)

    def _say(self, role: str, **fields: Any) -> None:
        self.say_entry({"id": self._next_id(), "role": role, "time_ms": self.elapsed_ms, **fields})

    def say_entry(self, entry: dict[str, Any]) -> bool:
        """Append one entry as in docs/protocol.md; False if it was dropped."""
        return self._safely("entry", lambda: self._append(entry))

    def _append(self, entry: dict[str, Any]) -> None:
        if not self._bucket.take(self._runtime.clock.monotonic()):
            raise ProtocolError("too_many", f"more than {EVENTS_PER_S} entries a second")
        data = entries.encode(entry)
        self.record.forget_partial(str(entry["id"]))
        if lost := self.record.add(data, self.elapsed_ms):
            self._runtime.drops.drop("entry_too_old", f"{self.call_id}: Redis was away for too long", lost)
        self._notice()

    def say_partial(self, entry_id: str, entry: dict[str, Any]) -> None:
        """Publish a turn that is not final; the latest of each turn wins."""

        def say() -> None:
            if self.record.say_partial(entry_id, entries.Partial(entry)):
                self._drop("partial_too_many", "more turns are begun at once than are kept: the oldest is not shown")
            self._notice()

        self._safely("partial", say)

    # --- audio ----------------------------------------------------------------------------------------------------

    def caller_audio(self, frame: bytes) -> None:
        """One encoded packet, or PCM (s16le, mono) of any length for `l16`. Costs nothing unless somebody listens."""
        if self.voices.caller_on:
            self.voices.say("caller", frame)

    def agent_audio(self, frame: bytes) -> None:
        """As the caller hears it: at real-time pace, without what a barge-in cut off."""
        if self.voices.agent_on:
            self.voices.say("agent", frame)

    # --- what livemon may ask -------------------------------------------------------------------------------------

    def on_end(self, handler: _H) -> _H:
        """The bot hangs up; then the SDK ends the call as `manual_stopped`. Without it, livemon cannot end the call."""
        return self._on("end", handler)

    def on_inject(self, handler: _H) -> _H:
        """Give the agent a hint: the handler gets a command with `content`, `trigger_response`, `by_name`."""
        return self._on("inject", handler)

    def on_take_over(self, handler: _H) -> _H:
        """Asked whether a supervisor may have the caller; `False` or `Refusal` says no. It gets a `Supervisor`, whose
        hooks say what becomes of their voice; see the README on take-over."""
        return self._on("take_over", handler)

    def on_agent_silenced(self, handler: _H) -> _H:
        """Called with True when the agent must be silent, with False when it may speak again."""
        return self._on("agent_silenced", handler)

    def _on(self, command: str, handler: _H) -> _H:
        if callable(handler):
            self.handlers[command] = handler
            self._speak(self._derived())
        else:
            self._drop("handler", f"on_{command} needs a function")
        return handler

    def _listed(self, capabilities: Iterable[str] | None) -> list[str] | None:
        """What the bot says that the call can do, None if it says nothing that can be understood."""
        if capabilities is None:
            return None
        with contextlib.suppress(Exception):
            given = [capabilities] if isinstance(capabilities, str) else list(capabilities)
            drops = self._runtime.drops
            return list(checked({"capabilities": given}, dict(self.record.call), drops).capabilities)
        self._drop("call_capabilities", "not a list of words")
        return None

    def _derived(self) -> list[str]:
        """What this call can do, from what its bot has said."""
        if self._own_capabilities is not None:
            return self._own_capabilities
        audible = self.record.call.audio is not None
        can = {"listen": audible, "take_over": audible and "take_over" in self.handlers}
        can |= {name: name in self.handlers for name in ("end", "inject")}
        return [name for name, able in can.items() if able]

    @property
    def supervisor_codec(self) -> Codec | None:
        """How a supervisor's voice comes."""
        audio = self.record.call.audio
        return (audio.supervisor or audio.caller) if audio else None

    def _speak(self, capabilities: list[str]) -> None:
        if capabilities != self.record.call.capabilities and not self.ended:
            self.record.become(self.record.call.model_copy(update={"capabilities": capabilities}))
        self._notice()

    def _held(self, supervisor: Supervisor) -> None:
        """The one place that follows: who it is, the record alone says, at the moment at which it is so."""
        if not self.ended:
            self.supervision.follow(supervisor)
            self.voices.switch(taken_over=True)

    async def obey(self, settled: asyncio.Future[bool], supervisor: Supervisor, *, refused: bool) -> None:
        """Silence the agent as the take-over's answer says; while it is not known, the agent holds its tongue.

        What this runtime has `refused` itself cannot become a yes. Who has the caller is told so, whoever had them before.
        """
        try:
            async with asyncio.timeout(None if refused else _ANSWER_S):
                accepted = await asyncio.shield(settled)
        except TimeoutError:
            await self._silence(supervisor)
            accepted = await settled
        if accepted:
            await self._silence(supervisor)
        elif self.controller is None and not self.record.deciding:
            await self._let_speak()

    def _adopted(self, supervisor: Supervisor) -> None:
        """A call that was announced here turns out to be a supervisor's already."""
        self._runtime.spawn(self._silence(supervisor))
        self._runtime.spawn(self._introduce(supervisor))

    async def _introduce(self, supervisor: Supervisor) -> None:
        """Let the bot set its hooks for the one who has an adopted call; its answer does not count."""
        timeout = self._runtime.handler_timeout
        if handler := self.handlers.get("take_over"):
            await ask(handler, supervisor, timeout, "take_over")
        if hook := supervisor.hooks.get("silence"):
            await ask(hook, True, timeout, "agent_silenced")

    def _malformed(self, error: ProtocolError) -> None:
        self._drop(f"controller_{error.reason}", f"the agent has the call: {error.detail}")

    async def _silence(self, supervisor: Supervisor) -> None:
        """The agent must be silent; that supervisor's hook is told once, also if it is silent already."""
        handlers = [] if self.agent_silent else [self.handlers.get("agent_silenced")]
        self.agent_silent = True
        if supervisor not in self._told:
            self._told.append(supervisor)
            handlers.append(supervisor.hooks.get("silence"))
        await self._tell(handlers, silent=True)

    async def _let_speak(self) -> None:
        """The agent may speak again."""
        if not self.agent_silent:
            return
        self.agent_silent = False
        hooks = [one.hooks.get("silence") for one in self._told]
        self._told.clear()
        await self._tell([self.handlers.get("agent_silenced"), *hooks], silent=False)

    async def _tell(self, handlers: Iterable[Handler | None], *, silent: bool) -> None:
        for handler in handlers:
            if handler:
                await ask(handler, silent, self._runtime.handler_timeout, "agent_silenced")

    # --- within ---------------------------------------------------------------------------------------------------

    @property
    def elapsed_ms(self) -> int:
        """Milliseconds since the call's start."""
        return max(0, self._started_ms + int((self._runtime.clock.monotonic() - self._monotonic) * 1000))

    def _next_id(self) -> str:
        self._count += 1
        return f"{self._ids}{self._count}"

    def _notice(self) -> None:
        self._runtime.sender.notice(self.record)

    def _drop(self, reason: str, detail: str) -> None:
        self._runtime.drops.drop(reason, f"{self.call_id}: {detail}")

    def _safely(self, what: str, action: Callable[[], None]) -> bool:
        """Do it; whatever goes wrong is counted and logged, and never the bot's trouble."""
        try:
            action()
        except ProtocolError as error:
            self._drop(f"{what}_{error.reason}", error.detail)
            return False
        except Exception as error:
            self._drop(f"{what}_malformed", repr(error))
            return False
        return True


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()[:100]
