"""A program that hears a call and speaks in it, by aiortc and the signalling of docs/api.md."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import websockets
from aiortc import RTCSessionDescription
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from livemon.media.listening import Answer
from tests.media.conftest import Ear
from tests.media.test_microphone import HZ, Supervisor

GENEROUS_S = 60


class Signals:
    """The signalling socket."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, **message: Any) -> None:
        await self.connection.send(json.dumps(message))

    async def read(self) -> dict[str, Any]:
        async with asyncio.timeout(GENEROUS_S):
            return json.loads(await self.connection.recv())

    async def until(self, kind: str, fits: Callable[[dict[str, Any]], object] = lambda _: True) -> dict[str, Any]:
        """The first message of that kind that fits."""
        while (message := await self.read())["type"] != kind or not fits(message):
            pass
        return message

    async def state(self, *wanted: str) -> dict[str, Any]:
        return await self.until("take_over", lambda message: message["state"] in wanted)

    async def closed(self) -> tuple[int, str]:
        """Why it was closed, once it is."""
        with suppress(ConnectionClosed):
            async with asyncio.timeout(GENEROUS_S):
                while True:
                    await self.connection.recv()
        return self.connection.close_code or 0, self.connection.close_reason or ""


@asynccontextmanager
async def signalling(url: str) -> AsyncGenerator[Signals]:
    async with websockets.connect(url, max_size=None, open_timeout=GENEROUS_S) as connection:
        yield Signals(connection)


class Program:
    """One that has joined: what it hears, and its microphone once it talks."""

    def __init__(self, signals: Signals, participant_id: str, ear: Ear) -> None:
        self.signals, self.participant_id, self.ear = signals, participant_id, ear
        self.voice: Supervisor | None = None

    async def talk(self, hz: float = HZ) -> Supervisor:
        """Offer the microphone; `docs/api.md` says that nobody is asked for the call by that."""
        if self.voice is not None:
            await self.voice.close()
        self.voice = Supervisor(hz)
        await self.signals.send(type="talk", sdp=await self.voice.offer())
        said = await self.signals.until("talk_ready")
        assert said["voices"] == ["caller"]
        await self.voice.connection.setRemoteDescription(RTCSessionDescription(said["sdp"], "answer"))
        await self.signals.until("heard")
        return self.voice


@asynccontextmanager
async def joined(given: dict[str, Any], *voices: str) -> AsyncGenerator[Program]:
    """`given`: what /v2/listen-live-call answered."""
    ear = Ear(voices) if voices else Ear()
    program: Program | None = None
    try:
        async with signalling(given["url"]) as signals:
            await ear.connection.setLocalDescription(await ear.connection.createOffer())
            sdp = ear.connection.localDescription.sdp  # with the names of tracks that send nothing, as aiortc writes it
            await signals.send(type="join", access_token=given["access_token"], sdp=sdp)
            said = await signals.read()
            assert said["type"] == "joined", said
            assert said["participant_id"] == given["participant_id"]
            await ear.accept(Answer(said["participant_id"], said["sdp"], tuple(said["voices"])))
            program = Program(signals, said["participant_id"], ear)
            yield program
    finally:
        if program and program.voice:
            await program.voice.close()
        await ear.close()
