"""A telephone line as the session's own input and output: it plays in real time, and says what the caller hears of it."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass

import numpy as np
from livekit import rtc
from livekit.agents.voice.io import AudioInput, AudioOutput, AudioOutputCapabilities

from tests.adapters.livekit.stand_ins import BOT, BOT_HZ, sound
from tests.adapters.supervising import SUPERVISOR

_PIECE = BOT_HZ // 100


@dataclass
class Heard:
    """What the caller hears, in milliseconds."""

    bot: int = 0
    supervisor: int = 0
    cut: int = 0
    """How often the line was told to forget what it had."""

    def take(self, pcm: bytes, ms: int) -> None:
        loud = float(np.median(np.abs(np.frombuffer(pcm, dtype="<i2")))) if pcm else 0.0
        if loud > (BOT + SUPERVISOR) / 2:
            self.bot += ms
        elif loud > SUPERVISOR / 2:
            self.supervisor += ms


class LineIn(AudioInput):
    """The caller's voice, 20 ms after 20 ms."""

    def __init__(self, value: int = 900) -> None:
        super().__init__(label="line")
        self._frame = sound(value, 320)

    async def __anext__(self) -> rtc.AudioFrame:
        await asyncio.sleep(0.02)
        return rtc.AudioFrame(self._frame, 16_000, 1, 320)


class LineOut(AudioOutput):
    def __init__(self, heard: Heard) -> None:
        pause = AudioOutputCapabilities(pause=True)
        super().__init__(label="line", capabilities=pause, sample_rate=BOT_HZ)
        self.heard = heard
        self._waiting: deque[bytes] = deque()
        self._flushed = self._begun = self._within = False
        self._played = 0.0
        self._going = asyncio.Event()
        self._going.set()
        self._task = asyncio.create_task(self._play())

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        self._within = True
        pcm = bytes(frame.data)
        self._waiting.extend(pcm[at : at + _PIECE * 2] for at in range(0, len(pcm), _PIECE * 2))

    def flush(self) -> None:
        super().flush()
        self._flushed = True

    def clear_buffer(self) -> None:
        self.heard.cut += 1
        self._waiting.clear()
        self._end(interrupted=True)

    def pause(self) -> None:
        self._going.clear()

    def resume(self) -> None:
        self._going.set()

    def _end(self, *, interrupted: bool) -> None:
        if self._within and (self._flushed or interrupted):
            played, self._played = self._played, 0.0
            self._within = self._begun = self._flushed = False
            self.on_playback_finished(playback_position=played, interrupted=interrupted)

    async def _play(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            await self._going.wait()
            due = due + 0.01 if self._waiting else loop.time() + 0.01  # however busy this machine is
            await asyncio.sleep(max(0.0, due - loop.time()))
            if self._waiting:
                if not self._begun:
                    self._begun = True
                    self.on_playback_started(created_at=time.time())
                self.heard.take(self._waiting.popleft(), 10)
                self._played += 0.01
            elif self._flushed:
                self._end(interrupted=False)

    def close(self) -> None:
        self._task.cancel()
