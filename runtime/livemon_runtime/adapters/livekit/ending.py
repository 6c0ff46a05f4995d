"""When a session's call is over, and why; and that the agent does not end it while a supervisor has the caller."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from livekit.agents import AgentSession, get_job_context

from ...call import Call
from ...errors import Refusal
from ..surround import Act, surround
from .room import Room

_LOG = logging.getLogger("livemon_runtime")
_CLOSE_S = 8.0

HangUp = Callable[[], Awaitable[Any]]


class Ending:
    """Ends `call` when the session closes, whatever closed it; `last` is called right before."""

    def __init__(
        self,
        call: Call,
        session: AgentSession[Any],
        last: Callable[[], None],
        room: Callable[[], Room | None],
        hang_up: HangUp | None,
    ) -> None:
        self._call, self._last = call, last
        self._room, self._hang_up = room, hang_up
        self._closed = asyncio.Event()
        self._by_livemon = self._kept = False
        self._hanging_up: asyncio.Task[None] | None = None
        """Not the runtime's: it may be that which stops."""
        self._shutdown = surround(session, "shutdown", self._staying)
        session.on("close", self._over)

    async def end(self) -> None:
        """The caller is disconnected, then the agent's session closed. Raises `Refusal` if the caller is not."""
        self._by_livemon = True
        try:
            in_a_room = await self._disconnect()
        except Exception:
            self._by_livemon = False
            raise
        self._shutdown(drain=False)
        if in_a_room:
            return
        try:
            async with asyncio.timeout(_CLOSE_S):
                await self._closed.wait()
        except TimeoutError:
            self._by_livemon = False
            raise Refusal(
                f"The agent's session did not close within {_CLOSE_S:g} s; the caller may still be connected."
            ) from None

    async def _disconnect(self) -> bool:
        """Whether there was somebody to ask for it."""
        room = self._room()
        if self._hang_up is not None:
            await self._hang_up()
        elif room is not None:
            await room.delete()
        else:
            return False
        return True

    def left(self) -> None:
        """The caller has hung up. The session closes by itself, unless it was told not to."""
        if self._call.agent_silent or self._kept:
            self._shutdown(drain=False)

    def _staying(self, inner: Act) -> Act:
        def shutdown(*args: Any, **kwargs: Any) -> None:
            if self._call.agent_silent and not self._call.ended:
                _LOG.warning("call %s: the agent wants to end it, but a supervisor has the caller", self._call.call_id)
                self._kept = True
            else:
                inner(*args, **kwargs)

        return shutdown

    def _over(self, event: Any) -> None:
        self._closed.set()
        room = self._room()
        gone = event.reason.value == "participant_disconnected" or (room is not None and room.caller_gone)
        if self._call.agent_silent and not self._by_livemon and not gone:
            _LOG.error("call %s: the agent's session closed while a supervisor had the caller", self._call.call_id)
            self._hanging_up = asyncio.create_task(self._hang_up_on(), name=f"hang up {self._call.call_id}")
            _outlasted_by_the_job(self._hanging_up)
        self._last()
        self._call.end(self._reason(event, gone=gone))

    def _reason(self, event: Any, *, gone: bool) -> str:
        if self._by_livemon:
            return "agent_hangup"  # the SDK knows better
        if gone:
            return "user_hangup"
        if event.reason.value == "error":
            kind = getattr(event.error, "type", None) or "session"
            return f"error_{str(kind).removesuffix('_error')}"
        return "agent_hangup"

    async def _hang_up_on(self) -> None:
        """With nobody left to speak with, a caller is hung up on rather than left in a silent room."""
        try:
            await self._disconnect()
        except Exception as error:
            _LOG.error("call %s: the caller may still be connected, and hears nobody: %s", self._call.call_id, error)


def _outlasted_by_the_job(task: asyncio.Task[None]) -> None:
    """A job that shuts down closes its session first, and then waits for what was asked for here."""
    job = get_job_context(required=False)
    if job is None:
        return

    async def finished() -> None:
        await asyncio.wait([task])

    job.add_shutdown_callback(finished)
