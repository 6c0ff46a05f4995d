"""A stand-in for Twilio's end of a stream: it sends the documented messages, plays what it gets at real-time pace, sends marks
back when it comes to them, and at once when it is told to clear."""

import asyncio
import base64
import contextlib
import json
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from twilio.request_validator import RequestValidator
from websockets.asyncio.client import ClientConnection, connect

from tests.adapters.twilio.tones import CALLER, SILENCE, frames, pitch_of_mu_law

TOKEN = "12345"
ACCOUNT = "AC00000000000000000000000000000000"
STREAM = "MZ11111111111111111111111111111111"


def sid(n: int = 1) -> str:
    return f"CA{n:032d}"


@dataclass
class Carrier:
    socket: ClientConnection
    call_sid: str
    stream_sid: str = STREAM
    voice: int | None = CALLER
    received: list[dict[str, Any]] = field(default_factory=list)
    """What came, in order."""
    heard: list[int] = field(default_factory=list)
    """The pitch of each 20 ms that the caller has heard; 0 is silence."""
    most_in_hand: int = 0
    """The most bytes that were waiting to be played, of what came since `watch_hand`."""
    plays: bool = True
    slow: float = 1.0
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    _queue: deque[bytes | str] = field(default_factory=deque)
    _rest: bytes = b""
    """What it is playing."""
    _sequence: int = 0

    async def send(self, event: str, **fields: Any) -> None:
        self._sequence += 1
        message = {"event": event, "sequenceNumber": str(self._sequence), "streamSid": self.stream_sid, **fields}
        await self.socket.send(json.dumps(message))

    async def begin(self, **parameters: str) -> None:
        await self.socket.send(json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"}))
        start = {
            "accountSid": ACCOUNT,
            "streamSid": self.stream_sid,
            "callSid": self.call_sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": parameters,
        }
        await self.send("start", start=start)

    async def press(self, digit: str) -> None:
        await self.send("dtmf", dtmf={"track": "inbound_track", "digit": digit})

    async def stop(self) -> None:
        """The caller hangs up."""
        await self.send("stop", stop={"accountSid": ACCOUNT, "callSid": self.call_sid})
        await self.socket.close()

    @property
    def in_hand(self) -> int:
        return len(self._rest) + sum(len(piece) for piece in self._queue if isinstance(piece, bytes))

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        return [message for message in self.received if message["event"] in kinds]

    def loud(self, hertz: int) -> int:
        return self.heard.count(hertz)

    # --- what runs

    async def speak(self) -> None:
        loop = asyncio.get_running_loop()
        due, n = loop.time(), 0
        source = frames(self.voice) if self.voice else None
        while True:
            n += 1
            payload = base64.b64encode(next(source) if source else SILENCE).decode()
            media = {"track": "inbound", "chunk": str(n), "timestamp": str(n * 20), "payload": payload}
            await self.send("media", media=media)
            due += 0.02
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def listen(self) -> None:
        with contextlib.suppress(Exception):
            async for text in self.socket:
                message = read(text)
                self.received.append(message)
                if message["event"] == "media":
                    self._queue.append(base64.b64decode(message["media"]["payload"]))
                    self.most_in_hand = max(self.most_in_hand, self.in_hand)
                elif message["event"] == "mark":
                    self._queue.append(message["mark"]["name"])
                elif message["event"] == "clear":
                    waiting = [piece for piece in self._queue if isinstance(piece, str)]
                    self._queue.clear()
                    self._rest = b""
                    for name in waiting:
                        await self.send("mark", mark={"name": name})
        self.closed.set()

    async def play(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            while self.plays and self._queue and len(self._rest) < 160:
                piece = self._queue.popleft()
                if isinstance(piece, str):
                    await self.send("mark", mark={"name": piece})
                else:
                    self._rest += piece
            if self.plays:
                frame, self._rest = self._rest[:160], self._rest[160:]
                self.heard.append(pitch_of_mu_law(frame) if len(frame) == 160 else 0)
            due += 0.02 * self.slow
            await asyncio.sleep(max(0.0, due - loop.time()))


def read(text: str | bytes) -> dict[str, Any]:
    """What is no message that anybody sends is one with the event «?»."""
    odd: dict[str, Any] = {"event": "?", "text": text}
    try:
        message = json.loads(text)
        if message["event"] == "media":
            base64.b64decode(message["media"]["payload"], validate=True)
        elif message["event"] == "mark" and not isinstance(message["mark"]["name"], str):
            return odd
        return message if isinstance(message["event"], str) else odd
    except (ValueError, TypeError, KeyError, RecursionError):
        return odd


def signed(url: str, token: str = TOKEN) -> dict[str, str]:
    return {"X-Twilio-Signature": RequestValidator(token).compute_signature(url, {})}


@contextlib.asynccontextmanager
async def calling(
    port: int, n: int = 1, *, voice: int | None = CALLER, address: str = "", **parameters: str
) -> AsyncIterator[Carrier]:
    """A call that has reached the gateway at `port`, signed as Twilio signs it, for the public `address` if there is one."""
    url = f"ws://127.0.0.1:{port}/media"
    async with connect(url, additional_headers=signed(address or url), max_size=None) as socket:
        carrier = Carrier(socket, sid(n), voice=voice)
        await carrier.begin(**parameters)
        tasks = [asyncio.create_task(work) for work in (carrier.listen(), carrier.speak(), carrier.play())]
        try:
            yield carrier
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
