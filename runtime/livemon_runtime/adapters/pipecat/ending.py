"""When a bot's call is over, and why; and that a bot does not end it while a supervisor has the caller."""

import logging
from collections.abc import Callable
from typing import Any

from pipecat.frames.frames import CancelFrame, EndFrame, Frame, StopFrame
from pipecat.processors.frame_processor import FrameDirection
from pipecat.transports.base_transport import BaseTransport

from ...call import Call
from ..surround import Act, surround
from .internals import events_of

_LOG = logging.getLogger("livemon_runtime")
_REASONS = ("user_hangup", "agent_hangup", "max_duration_reached")
_IDLE, _FATAL = "idle timeout", "fatal error"
"""How Pipecat's own reasons begin."""
_LEAVING = ("on_client_disconnected", "on_participant_disconnected")
_TOO_LONG = "on_session_timeout"


class Ending:
    """Ends `call` when the pipeline has, whatever ended it. `worker`: a PipelineWorker (a PipelineTask until 1.3)."""

    def __init__(self, call: Call, worker: Any, transport: BaseTransport, last: Callable[[], None]) -> None:
        self._call, self._worker, self._last = call, worker, last
        self._reason = ""
        self._kept: Frame | None = None
        self.goes = False
        """The bot has ended it: what it has still to say is said, and nothing keeps the pipeline from its end."""
        surround(worker, "queue_frame", self._queue)
        surround(worker, "run", self._run)
        known = events_of(transport)
        for event in _LEAVING:
            if event in known:
                transport.add_event_handler(event, self._left)
        if _TOO_LONG in known:
            transport.add_event_handler(_TOO_LONG, self._too_long)

    def _queue(self, inner: Act) -> Act:
        async def queue_frame(frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM) -> None:
            ends = isinstance(frame, EndFrame | StopFrame)
            if ends and self._call.agent_silent and not self._call.ended:
                _LOG.warning("call %s: the bot wants to end it, but a supervisor has the caller", self._call.call_id)
                self._kept = frame
                return
            self.goes = self.goes or ends
            if isinstance(frame, EndFrame | CancelFrame):
                self._reason = self._reason or reason_of(frame)
            await inner(frame, direction)

        return queue_frame

    def _run(self, inner: Act) -> Act:
        async def run(*args: object, **kwargs: object) -> None:
            try:
                await inner(*args, **kwargs)
            except Exception:
                self._reason = "error_pipeline"
                raise
            finally:
                self._end(self._reason or "agent_hangup")

        return run

    async def _left(self, *_: object) -> None:
        """The caller is gone. The bot ends its pipeline, or has tried to already."""
        self._end("user_hangup")
        if self._kept is not None:
            kept, self._kept = self._kept, None
            await self._worker.queue_frame(kept)

    def _end(self, reason: str) -> None:
        self._last()
        self._call.end(reason)

    async def _too_long(self, *_: object) -> None:
        self._reason = "max_duration_reached"


def reason_of(frame: EndFrame | CancelFrame) -> str:
    """livemon's word for why the pipeline ends: a bot's own, if it is one; an empty string if nothing was said."""
    given = frame.reason if isinstance(frame.reason, str) else ""
    if given in _REASONS or given.startswith("error_"):
        return given
    if given.startswith(_IDLE):
        return "error_idle_timeout"
    return "error_pipeline" if given.startswith(_FATAL) else ""
