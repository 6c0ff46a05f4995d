"""The bot's side of one call: what of it reaches the carrier, how far it was heard, and which marks it gets back. Pure.

While the agent has the caller, everything passes as it is. Once it has to be silent nothing does: what the bot sends is
reckoned as if a carrier played it, so that its marks come back when they would have, and it waits for nothing in vain.
"""

import secrets

from . import wire
from .playout import RATE, Playout
from .wire import Message

_MARK_EVERY = RATE
"""Bytes after which the carrier is asked where it is, while somebody hears the agent and the bot does not ask itself."""
SPEAKING = ("media", "mark", "clear")
"""What a bot can do to the caller."""


class Agent:
    def __init__(self, stream_sid: str) -> None:
        self._stream_sid = stream_sid
        self._playout = Playout()
        self._unheard: Playout | None = None
        """What the bot believes to be playing while it is silenced."""
        self._own = f"livemon-{secrets.token_hex(4)}-"
        self._count = 0
        self._marked = 0

    @property
    def silenced(self) -> bool:
        return self._unheard is not None

    def says(self, message: Message, now: float, *, heard: bool) -> tuple[bool, list[str], list[str]]:
        """One message of the bot's: whether it passes, what goes to the carrier after it, and marks that the bot has back.

        `heard`: somebody wants to know how far the agent's voice is. Raises `ProtocolError` for what is malformed.
        """
        playout = self._unheard or self._playout
        event = message["event"]
        back: list[str] = []
        if event == "media":
            sound = wire.payload(message)
            playout.add(wire.size(sound), sound if self._unheard is None else None, now)
            if not heard or self.silenced:
                playout.skip(now)
        elif event == "mark":
            playout.mark(wire.mark_name(message), now)
            self._marked = playout.queued
        elif event == "clear":
            names = playout.clear(now)
            self._marked = playout.queued
            back = names if self.silenced else []
        if self.silenced:
            return event not in SPEAKING, [], back
        return True, self._own_mark(now) if heard else [], back

    def _own_mark(self, now: float) -> list[str]:
        if self._playout.queued - self._marked < _MARK_EVERY:
            return []
        self._count += 1
        name = f"{self._own}{self._count}"
        self._playout.mark(name, now)
        self._marked = self._playout.queued
        return [wire.write("mark", self._stream_sid, mark={"name": name})]

    def echoed(self, name: str, now: float) -> bool:
        """The carrier sends a mark back; whether it is the bot's, and the bot has not got it yet."""
        self._playout.echoed(name, now)
        return not self.silenced and not name.startswith(self._own)

    def silence(self, now: float) -> list[str]:
        """The bot has to be silent, and the carrier was told to forget what it has: the marks that the bot gets at once."""
        if self._unheard is not None:
            return []
        self._unheard = Playout()
        self._marked = 0
        return [name for name in self._playout.clear(now) if not name.startswith(self._own)]

    def speak(self, now: float) -> list[str]:
        """It may speak again: the marks of what was never heard."""
        if self._unheard is None:
            return []
        names, self._unheard, self._marked = self._unheard.clear(now), None, self._playout.queued
        return names

    def heard(self, now: float) -> list[bytes]:
        """The agent's voice as the caller has heard it since the last time, in frames of 20 ms."""
        return self._playout.take(now)

    def skip(self, now: float) -> None:
        """Nobody wants what was heard until now."""
        self._playout.skip(now)

    def due(self, now: float) -> list[str]:
        """Marks that a silenced bot gets now."""
        return self._unheard.passed(now) if self._unheard is not None else []
