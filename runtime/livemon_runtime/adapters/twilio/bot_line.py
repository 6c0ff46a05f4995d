"""The socket to one call's bot. What goes there waits in a bounded queue: a bot that hangs holds up nobody else, the
caller's voice to a supervisor least of all."""

import asyncio
import contextlib
from collections import deque

from aiohttp import ClientSession, ClientTimeout, ClientWebSocketResponse, ClientWSTimeout

from ...drops import Drops
from . import wire

_MOST_WAITING = 500
"""Messages, ten seconds of sound; as Twilio does, what a slower bot does not take is dropped."""
_PATIENCE_S = 0.2
_CLOSE_S = 2.0
_HEARTBEAT_S = 30.0


class BotLine:
    """Messages go straight to the socket; once the bot has not taken one in time they go through the queue, for good."""

    def __init__(self, socket: ClientWebSocketResponse, drops: Drops) -> None:
        self.socket, self._drops = socket, drops
        self._waiting: deque[str | bytes] = deque()
        self._wake = asyncio.Event()
        self._since: float | None = None
        """When the message that is being taken was sent."""
        self.queues = False

    @classmethod
    async def open(
        cls, session: ClientSession, url: str, headers: dict[str, str], timeout: float, drops: Drops
    ) -> "BotLine":
        """Raises `ClientError`, `OSError` or `TimeoutError` if the bot cannot be reached in time."""
        async with asyncio.timeout(timeout):
            socket = await session.ws_connect(
                url,
                headers=headers,
                heartbeat=_HEARTBEAT_S,
                max_msg_size=wire.MOST_FROM_BOT,
                compress=0,
                timeout=ClientWSTimeout(ws_close=_CLOSE_S),  # pyright: ignore[reportCallIssue] - an attrs class
            )
        return cls(socket, drops)

    async def take(self, text: str | bytes, now: float) -> None:
        """Send one; waits for the bot as long as it has not been found to hang."""
        if self.queues or self._waiting:
            self.send(text)
            return
        self._since = now
        await (self.socket.send_str(text) if isinstance(text, str) else self.socket.send_bytes(text))
        self._since = None

    def hangs(self, now: float) -> bool:
        """Whether the bot has not taken a message in time; whoever waits in `take` has to be freed then."""
        if self.queues or self._since is None or now - self._since < _PATIENCE_S:
            return False
        self.queues = True
        return True

    def send(self, text: str | bytes) -> None:
        """Never blocks."""
        if len(self._waiting) >= _MOST_WAITING:
            self._drops.drop("twilio_bot_slow", "a bot does not take what its caller says")
            return
        self._waiting.append(text)
        self._wake.set()

    async def _write(self, text: str | bytes) -> None:
        await (self.socket.send_bytes(text) if isinstance(text, bytes) else self.socket.send_str(text))

    async def run(self) -> None:
        """Until cancelled, or the bot has gone."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._write(self._waiting.popleft())

    async def close(self) -> None:
        """What waits is sent, if the bot takes it in time."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_CLOSE_S):
                while self._waiting and not self.socket.closed:
                    await self._write(self._waiting.popleft())
        with contextlib.suppress(Exception):
            await self.socket.close()


def session() -> ClientSession:
    return ClientSession(timeout=ClientTimeout(total=None, sock_connect=5))
