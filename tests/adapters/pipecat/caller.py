"""The other end of a bot's websocket: a caller at Twilio, who speaks, presses keys, and hears who speaks to them."""

import asyncio
import base64
import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from websockets.asyncio.client import ClientConnection

from tests.adapters.pipecat.stand_ins import BOT
from tests.adapters.supervising import SUPERVISOR

SILENCE = base64.b64encode(b"\xff" * 160).decode()


@dataclass
class Caller:
    socket: ClientConnection | None = None
    bot: int = 0
    """For how long the agent was heard, in pieces of 20 ms."""
    supervisor: int = 0
    cleared: int = 0
    since_cleared: bytearray = field(default_factory=bytearray)
    """What was sent after the last «clear», in mu-law: all that the carrier plays to them of it."""
    other: list[str] = field(default_factory=list)
    """Events that are neither sound nor «clear»."""

    async def listen(self, socket: ClientConnection) -> None:
        self.socket = socket
        async for message in socket:
            told: dict[str, Any] = json.loads(message)
            if told["event"] == "clear":
                self.cleared += 1
                self.since_cleared.clear()
            elif told["event"] == "media":
                self._hear(base64.b64decode(told["media"]["payload"]))
            else:
                self.other.append(told["event"])

    def _hear(self, mu_law: bytes) -> None:
        self.since_cleared += mu_law
        loud = float(np.median(np.abs(linear(mu_law)))) if mu_law else 0.0
        if loud > (BOT + SUPERVISOR) / 2:
            self.bot += len(mu_law) // 160
        elif loud > SUPERVISOR / 2:
            self.supervisor += len(mu_law) // 160

    async def speak(self, socket: ClientConnection) -> None:
        """20 ms of the caller's line, for as long as the call lasts."""
        while True:
            await socket.send(json.dumps({"event": "media", "media": {"payload": SILENCE}}))
            await asyncio.sleep(0.02)

    async def press(self, digit: str) -> None:
        await self.send("dtmf", dtmf={"digit": digit})

    async def send(self, event: str, **fields: Any) -> None:
        assert self.socket
        await self.socket.send(json.dumps({"event": event, **fields}))


def linear(mu_law: bytes) -> Any:
    """G.711's 14-bit values, as 16 bits."""
    given = ~np.frombuffer(mu_law, dtype=np.uint8).astype(np.int32) & 0xFF
    magnitude = ((given & 0x0F) << 3) + 0x84 << (given >> 4 & 7)
    return np.where(given & 0x80, 0x84 - magnitude, magnitude - 0x84)
