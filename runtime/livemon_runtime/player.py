"""Gives a bot what its caller has to hear of one claim: the supervisor's voice, and a hold tone while they are lost.

In a task of its own: a bot that is slow, fails or hangs at a frame loses frames, and nothing else waits for it.
"""

import asyncio
import contextlib
import inspect
from collections import deque
from typing import TYPE_CHECKING

from .codecs import Codec
from .handlers import stopping
from .hold_tone import HoldTone
from .supervisor import Supervisor

if TYPE_CHECKING:
    from .runtime import Runtime

_MOST_WAITING = 50
"""Frames, a second of them: a bot that takes them more slowly hears the newest."""
_LOOK_S = 1.0
"""How soon a `hold_tone` that is set while they are lost is noticed."""


class Player:
    """One claim's; `run` it once. Frames wait until the bot has set an `on_audio` hook."""

    def __init__(self, runtime: "Runtime", call_id: str, supervisor: Supervisor, codec: Codec | None) -> None:
        self._runtime, self._call_id = runtime, call_id
        self.supervisor, self._codec = supervisor, codec
        self._waiting: deque[bytes] = deque(maxlen=_MOST_WAITING)
        self._wake = asyncio.Event()
        self._lost = self._closed = False
        self._tone: HoldTone | None = None

    def take(self, frame: bytes) -> None:
        """One frame more of their voice."""
        if len(self._waiting) >= _MOST_WAITING:
            self._runtime.drops.drop("supervisor_frame_late", f"{self._call_id}: the bot takes them too slowly")
        self._waiting.append(frame)
        self._wake.set()

    def hold(self, lost: bool) -> None:
        """They are lost: a tone follows the frames that wait; or heard again: not a frame more of it."""
        self._lost = lost
        self._wake.set()

    def close(self) -> None:
        """Not one frame more."""
        self._closed = True
        self._waiting.clear()
        self._wake.set()

    async def run(self) -> None:
        while not self._closed:
            await self._rest()
            while (frame := self._next()) is not None:
                await self._play(frame)

    async def _rest(self) -> None:
        """Until there may be something to play."""
        seconds = _LOOK_S if self._lost else None
        if tone := self._wanted_tone():
            seconds = tone.due_in(self._runtime.clock.monotonic())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        self._wake.clear()

    def _next(self) -> bytes | None:
        """What the bot gets now: what they have said, and only then the tone."""
        if self._closed or "audio" not in self.supervisor.hooks:
            return None
        if self._waiting:
            return self._waiting.popleft()
        tone = self._wanted_tone()
        return tone.take(self._runtime.clock.monotonic()) if tone else None

    def _wanted_tone(self) -> HoldTone | None:
        wanted = self._lost and not self._closed and self.supervisor.hold_tone
        if not wanted or self._codec is None or "audio" not in self.supervisor.hooks:
            self._tone = None
        elif self._tone is None:
            self._tone = HoldTone(self._codec, self._runtime.clock.monotonic())
        return self._tone

    async def _play(self, frame: bytes) -> None:
        """Give the bot one frame; what goes wrong there fifty times a second is counted, not told each time."""
        try:
            async with asyncio.timeout(self._runtime.handler_timeout):
                answer = self.supervisor.hooks["audio"](frame)
                if inspect.isawaitable(answer):
                    await answer
        except asyncio.CancelledError as error:
            if stopping():
                raise
            self._failed(error)
        except Exception as error:
            self._failed(error)

    def _failed(self, error: BaseException) -> None:
        self._runtime.drops.drop("supervisor_frame_failed", f"{self._call_id}: on_audio: {error!r}")
