"""A supervisor who asks for a call, and then has it, as the bot sees them.

Made by the SDK and given to the bot's `on_take_over` handler, which says what is to be done with their voice.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

Hook = Callable[[Any], Any]
_H = TypeVar("_H", bound=Hook)
GRACE_MS = 30_000


@dataclass(slots=True)
class Supervisor:
    """The hooks may be functions or coroutine functions, set by decorator or by call; none of them can hurt the call."""

    claim_id: str
    user_id: str
    name: str
    grace_ms: int = GRACE_MS
    """How long the caller hears nobody before the call ends; of a claim that another process accepted it is not known."""
    hold_tone: bool = False
    """While they are lost, `on_audio` gets frames of a quiet tone in their codec, at real-time pace; may be set at any time."""
    hooks: dict[str, Hook] = field(default_factory=dict[str, Hook], repr=False)

    def on_audio(self, hook: _H) -> _H:
        """Called with each frame of their voice, in order, once they have the caller: one encoded packet, or PCM for `l16`
        (s16le, mono), in the codec that the call's `audio` names for the supervisor."""
        return self._on("audio", hook)

    def on_silence(self, hook: _H) -> _H:
        """Called with True when the agent must be silent, with False when it may speak again."""
        return self._on("silence", hook)

    def on_lost(self, hook: _H) -> _H:
        """Called with True when they have not been heard for three seconds, with False when they are heard again."""
        return self._on("lost", hook)

    def _on(self, name: str, hook: _H) -> _H:
        if callable(hook):
            self.hooks[name] = hook
        return hook
