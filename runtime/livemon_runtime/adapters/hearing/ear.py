"""The engine's side of one ear: the sound that waits, what of it the worker has, and who is told."""

import asyncio
from collections import deque
from typing import Protocol

from ...drops import Drops
from .engine import SAMPLE_RATE, OnText
from .wire import Closed, Kind, Reply, Request, Taken, Text

MOST_WAITING_S = 10
"""So much sound may wait for a machine that cannot follow; then the oldest goes."""

CLOSE_S = 10.0
GATHER_S = 0.1
"""Frames go to the worker this often, many in one write: a write for each would cost as much as all the rest."""
PAUSE_S = 0.7
"""So long without a frame ends an utterance: many send nothing for a voice that is silent."""

_MOST_WAITING = MOST_WAITING_S * SAMPLE_RATE * 2
_MOST_THERE = 1 * SAMPLE_RATE


class Worker(Protocol):
    """What an ear needs of the process that hears for it."""

    @property
    def up(self) -> bool: ...

    def send(self, request: Request) -> None: ...

    def forget(self, number: int) -> None: ...


class PocketsphinxEar:
    """An `engine.Ear`. Made by `PocketsphinxEngine.listen` alone."""

    def __init__(self, number: int, worker: Worker, drops: Drops, loop: asyncio.AbstractEventLoop) -> None:
        self.number = number
        self._worker, self._drops, self._loop = worker, drops, loop
        self._on_text: OnText | None = None
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._position = 0
        """Samples before the first that waits."""
        self._there = 0
        """Samples that the worker has and is not done with."""
        self._heard_at = 0.0
        self._half = b""
        self._partial: Text | None = None
        self._gathering: asyncio.TimerHandle | None = None
        self._closing = self._asked_to_close = False
        self._done = asyncio.Event()

    def hear(self, pcm: bytes) -> None:
        if self._closing or not pcm:
            return
        if self._half or len(pcm) % 2:
            pcm = self._half + pcm
            self._half = pcm[len(pcm) & ~1 :]
            pcm = pcm[: len(pcm) & ~1]
            if not pcm:
                return
        self._waiting.append(bytes(pcm))
        self._waiting_bytes += len(pcm)
        if self._waiting_bytes > _MOST_WAITING:
            self._drop_oldest()
        self._heard_at = self._loop.time()
        if self._gathering is None:
            self._gathering = self._loop.call_later(GATHER_S, self._gathered)

    def heard(self, on_text: OnText) -> None:
        self._on_text = on_text

    async def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._send()
            self._done_without_worker()
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._done.wait()
        except TimeoutError:
            self._drops.drop("close_late", f"the recogniser was not done {CLOSE_S:.0f} s after the end of a voice")
            self._lose()
        finally:
            self._done.set()
            self._on_text = None
            self._waiting.clear()
            self._send()
            if self._gathering is not None:
                self._gathering.cancel()
            self._worker.forget(self.number)

    def begin(self) -> None:
        """The worker is up, for the first time or again: it knows nothing of this ear."""
        self._asked_to_close = False
        self._worker.send(Request(Kind.LISTEN, self.number, self._position))
        self._send()

    def take(self, reply: Reply) -> None:
        """What the worker says of this ear."""
        match reply:
            case Taken():
                self._there -= reply.samples
                self._send()
            case Text():
                self._tell(reply)
            case Closed():
                self._done.set()

    def lose_worker(self) -> None:
        """The worker died: what it had of this ear is gone, what was shown of an utterance is all there will be of it."""
        if self._there:
            self._drops.drop("lost_ms", "sound that a recogniser had as it died", _ms(self._there))
        self._there = 0
        self._lose()
        self._done_without_worker()

    def _done_without_worker(self) -> None:
        if self._closing and not self._waiting and not self._worker.up:
            self._done.set()

    def _lose(self) -> None:
        if self._partial is not None:
            last = self._partial
            self._tell(Text(last.ear, last.text, True, last.start_ms, last.end_ms))

    def _drop_oldest(self) -> None:
        excess = self._waiting_bytes - _MOST_WAITING
        dropped = 0
        while dropped < excess:
            oldest = self._waiting.popleft()
            if dropped + len(oldest) > excess:
                self._waiting.appendleft(oldest[excess - dropped :])
                oldest = oldest[: excess - dropped]
            dropped += len(oldest)
        self._waiting_bytes -= dropped
        self._position += dropped // 2
        why = f"this machine does not follow: more than {MOST_WAITING_S} s of a voice wait to be recognised"
        self._drops.drop("dropped_ms", why, _ms(dropped // 2))

    def _gathered(self) -> None:
        self._send()
        if self._waiting or self._loop.time() - self._heard_at < PAUSE_S:
            self._gathering = self._loop.call_later(GATHER_S, self._gathered)
        else:
            self._gathering = None
            self._worker.send(Request(Kind.PAUSE, self.number))

    def _send(self) -> None:
        if not self._worker.up:
            return
        room = 2 * (_MOST_THERE - self._there)
        if room > 0 and self._waiting:
            pcm = b"".join(self._waiting)
            pcm, rest = pcm[:room], pcm[room:]
            self._waiting.clear()
            if rest:
                self._waiting.append(rest)
            self._waiting_bytes = len(rest)
            self._worker.send(Request(Kind.SOUND, self.number, self._position, pcm))
            self._position += len(pcm) // 2
            self._there += len(pcm) // 2
        if self._closing and not self._waiting and not self._asked_to_close:
            self._asked_to_close = True
            self._worker.send(Request(Kind.CLOSE, self.number))

    def _tell(self, text: Text) -> None:
        self._partial = None if text.final else text
        if self._on_text is None:
            return
        try:
            self._on_text(text.text, text.final, text.start_ms, text.end_ms)
        except Exception as error:
            self._drops.drop("on_text_failed", f"{type(error).__name__}: {error}")


def _ms(samples: int) -> int:
    return samples * 1_000 // SAMPLE_RATE
