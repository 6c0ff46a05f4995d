"""The agent's voice as the caller hears it: an output gets its frames faster than they are heard, livemon gets them in time.

Frames are kept until their time has come, so that whoever begins to listen in the middle of a sentence hears the rest of it.
While nobody listens they are looked at four times a second, and only while the agent speaks.
"""

import asyncio
from collections import deque

from livekit import rtc

from ...call import Call
from .pcm import Voice

_STEP_S = 0.02
_UNHEARD_STEP_S = 0.25
_MOST_S = 120.0
"""What is given further ahead than that is not kept: no model speaks so far ahead."""


class AgentVoice:
    """One call's. `capture` what an output has taken; the output's own clock is followed by `pause`, `resume` and `drop`."""

    def __init__(self, call: Call, voice: Voice) -> None:
        self._call, self._voice = call, voice
        self._loop = asyncio.get_running_loop()
        self._frames: deque[rtc.AudioFrame] = deque()
        self._at = 0
        """Samples of the first frame that have been heard."""
        self._start = self._end = 0.0
        """Where the first frame begins and the last ends, in seconds of this speech."""
        self._zero = 0.0
        """When this speech began, on the loop's clock; pauses move it."""
        self._paused_at: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._heard_here = False
        """Somebody listened when it was looked at last: what was heard before that is not said later."""
        self.share_heard = 1.0
        """Of the speech that was cut off last: how much of what had been given of it was heard."""

    @property
    def position(self) -> float:
        """How far the caller has heard, in seconds of this speech."""
        return (self._loop.time() if self._paused_at is None else self._paused_at) - self._zero

    def capture(self, frame: rtc.AudioFrame) -> None:
        if self._call.ended:
            return
        if self.position >= self._end:
            self._begin()
        if self._end - self.position > _MOST_S:
            return
        self._frames.append(frame)
        self._end += frame.duration
        self._wake()

    def _begin(self) -> None:
        """The output had run dry: what it gets now is heard from now on."""
        self._pump()
        now = self._loop.time()
        self._start = self._end = 0.0
        self._at, self._zero = 0, now
        if self._paused_at is not None:
            self._paused_at = now

    def pause(self) -> None:
        if self._paused_at is None:
            self._paused_at = self._loop.time()

    def resume(self) -> None:
        if self._paused_at is not None:
            self._zero += self._loop.time() - self._paused_at
            self._paused_at = None
            self._wake()

    def drop(self) -> None:
        """The output forgets what it has: it will never be heard."""
        self._pump()
        if self._end:
            self.share_heard = min(1.0, max(0.0, self.position / self._end))
        self._frames.clear()
        self._start = self._end = 0.0
        self._paused_at = None
        self._zero = self._loop.time()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._frames.clear()

    def _wake(self) -> None:
        if self._timer is None and self._frames and self._paused_at is None:
            step = _STEP_S if self._call.voices.agent_on else _UNHEARD_STEP_S
            self._timer = self._loop.call_later(step, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._pump()
        self._heard_here = self._call.voices.agent_on
        self._wake()

    def _pump(self) -> None:
        """Say what has been heard since the last time."""
        position = self.position
        while self._frames and self._say_of(self._frames[0], position - self._start):
            self._start += self._frames.popleft().duration
            self._at = 0

    def _say_of(self, frame: rtc.AudioFrame, seconds: float) -> bool:
        """As much of `frame` as lies within its first `seconds`; whether that is all of it."""
        heard = min(frame.samples_per_channel, int(seconds * frame.sample_rate))
        if heard > self._at and self._heard_here:
            channels = frame.num_channels
            pcm = bytes(frame.data[self._at * channels : heard * channels])
            self._voice.say(pcm, frame.sample_rate, channels)
        self._at = max(self._at, heard)
        return heard == frame.samples_per_channel
