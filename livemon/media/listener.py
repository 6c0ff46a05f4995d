"""One browser that hears one call, from the offer that was answered until it is let go of. It knows nothing of Redis."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from livemon_runtime.codecs import Codec

from .fan_out import Outlet
from .peer import Peer
from .voices import CallVoices, HeardVoice


class Held(Protocol):
    """A session that is watched; `ended` is set when it, or its right, is gone (`livemon.access.sessions`)."""

    @property
    def ended(self) -> asyncio.Event: ...


Hold = AbstractAsyncContextManager[Held]


@dataclass(eq=False, slots=True)
class Listener:
    """One browser that hears one call: those of its voices that `heard` names."""

    listener_id: str
    user_id: str
    name: str
    voices: CallVoices
    heard: tuple[HeardVoice, ...]
    opened_at: float
    told: Callable[[str], None] | None = None
    """Called with the reason when the listening is over."""
    peer: Peer = field(init=False)
    outlets: dict[HeardVoice, Outlet] = field(default_factory=dict[HeardVoice, Outlet])
    held: Held | None = None
    reason: str = ""
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        codecs: dict[HeardVoice, Codec] = {voice: self.voices.codecs[voice] for voice in self.heard}
        self.peer = Peer(codecs, on_connected=self.start)

    def start(self) -> None:
        """Send the call's packets from now on, in mid-word."""
        if not self.stopped.is_set():
            self.outlets = self.peer.outlets()
            for voice, outlet in self.outlets.items():
                self.voices.lines[voice].fan_out.add(outlet)

    def stop(self, reason: str) -> None:
        """Not one packet more; the rest is let go of by the listener's own task."""
        if not self.stopped.is_set():
            self.reason = reason
            for voice, outlet in self.outlets.items():
                self.voices.lines[voice].fan_out.remove(outlet)
            self.stopped.set()
