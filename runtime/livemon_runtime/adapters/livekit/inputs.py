"""The caller's voice on its way to the session: livemon hears what the session hears."""

from collections.abc import Callable

from livekit import rtc
from livekit.agents.voice.io import AudioInput

from ...call import Call


class CallerTap(AudioInput):
    """Before the session's own input. While nobody listens, and the agent has the call, a frame costs one comparison."""

    def __init__(self, source: AudioInput, call: Call, take: Callable[[rtc.AudioFrame], None]) -> None:
        """`take` must not raise."""
        super().__init__(label="livemon", source=source)
        self._next, self._voices, self._take = source, call.voices, take

    async def __anext__(self) -> rtc.AudioFrame:
        frame = await self._next.__anext__()
        if self._voices.caller_on:
            self._take(frame)
        return frame


def tapped(source: AudioInput | None) -> bool:
    """Whether a `CallerTap` stands in that chain."""
    while source is not None:
        if isinstance(source, CallerTap):
            return True
        source = source.source
    return False
