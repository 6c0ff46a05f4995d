"""Bots behind the gateway: a whole one of Pipecat's, which knows nothing of livemon, and one that a test moves by hand."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI, WebSocket
from pipecat.frames.frames import Frame, TTSAudioRawFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport
from pipecat.turns.user_turn_strategies import ExternalUserTurnStrategies
from pipecat.workers.runner import WorkerRunner
from websockets.asyncio.server import ServerConnection, serve

from tests.adapters.pipecat.stand_ins import Hearing, Speaking, Thinking
from tests.adapters.twilio.carrier import read
from tests.adapters.twilio.tones import BOT, pcm, pitch
from tests.conftest import free_port

ANSWER = "Good morning, how can I help?"


class Ear(Hearing):
    """Speech recognition that knows what it hears by its pitch."""

    def __init__(self) -> None:
        super().__init__()
        self.pitches: list[int] = []

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        self.pitches.append(pitch(audio, self.sample_rate))
        yield None


class Mouth(Speaking):
    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        rate = self.sample_rate
        for _ in text.split():
            yield TTSAudioRawFrame(pcm(BOT, rate // 5, rate), rate, 1, context_id=context_id)


@dataclass
class PipecatBot:
    worker: PipelineWorker
    hearing: Ear
    thinking: Thinking
    start: dict[str, Any]
    """Twilio's start message, as the bot got it."""


@dataclass
class PipecatServer:
    port: int
    made: "asyncio.Queue[PipecatBot]" = field(default_factory=lambda: asyncio.Queue())

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/bot"

    async def bot(self) -> PipecatBot:
        return await asyncio.wait_for(self.made.get(), 60)


@contextlib.asynccontextmanager
async def pipecat() -> AsyncIterator[PipecatServer]:
    server = PipecatServer(free_port())
    app = FastAPI()

    @app.websocket("/bot")
    async def _(websocket: WebSocket) -> None:
        await websocket.accept()
        assert json.loads(await websocket.receive_text())["event"] == "connected"
        start = json.loads(await websocket.receive_text())
        await _run_bot(websocket, start, server)

    serving = uvicorn.Server(uvicorn.Config(app, port=server.port, log_level="error", timeout_graceful_shutdown=5))
    task = asyncio.create_task(serving.serve())
    while not serving.started:
        await asyncio.sleep(0.01)
    try:
        yield server
    finally:
        serving.should_exit = True
        await task


async def _run_bot(websocket: WebSocket, start: dict[str, Any], server: PipecatServer) -> None:
    serializer = TwilioFrameSerializer(
        start["start"]["streamSid"], params=TwilioFrameSerializer.InputParams(auto_hang_up=False)
    )
    params = FastAPIWebsocketParams(audio_in_enabled=True, audio_out_enabled=True, serializer=serializer)
    transport = FastAPIWebsocketTransport(websocket, params)
    hearing, thinking, speaking = Ear(), Thinking(ANSWER), Mouth()
    turns = LLMUserAggregatorParams(user_turn_strategies=ExternalUserTurnStrategies())
    pair = LLMContextAggregatorPair(LLMContext(), user_params=turns)
    parts = [transport.input(), hearing, pair.user(), thinking, speaking, transport.output(), pair.assistant()]
    worker = PipelineWorker(
        Pipeline(parts), params=PipelineParams(audio_in_sample_rate=16_000, audio_out_sample_rate=24_000)
    )

    @transport.event_handler("on_client_disconnected")
    async def _(*_: object) -> None:
        await worker.cancel()

    @worker.event_handler("on_pipeline_started")
    async def _(*_: object) -> None:
        server.made.put_nowait(PipecatBot(worker, hearing, thinking, start))

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()


# --- by hand


@dataclass
class HandBot:
    """What it got, and what a test has it say."""

    socket: ServerConnection
    received: list[dict[str, Any]] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def stream_sid(self) -> str:
        return self.events("start")[0]["start"]["streamSid"]

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        return [message for message in self.received if message["event"] in kinds]

    @property
    def marks(self) -> list[str]:
        return [message["mark"]["name"] for message in self.events("mark")]

    async def send(self, event: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"event": event, "streamSid": self.stream_sid, **fields}))

    async def say(self, mu_law: bytes) -> None:
        await self.send("media", media={"payload": base64.b64encode(mu_law).decode()})

    async def mark(self, name: str) -> None:
        await self.send("mark", mark={"name": name})


@dataclass
class HandServer:
    port: int
    made: "asyncio.Queue[HandBot]" = field(default_factory=lambda: asyncio.Queue())
    headers: list[Any] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/bot"

    async def bot(self) -> HandBot:
        """The next one, once it knows its call."""
        bot = await asyncio.wait_for(self.made.get(), 60)
        while not bot.events("start"):
            await asyncio.sleep(0.01)
        return bot


@contextlib.asynccontextmanager
async def by_hand(port: int | None = None) -> AsyncIterator[HandServer]:
    server = HandServer(port or free_port())

    async def answer(socket: ServerConnection) -> None:
        assert socket.request
        server.headers.append(socket.request.headers)
        bot = HandBot(socket)
        server.made.put_nowait(bot)
        with contextlib.suppress(Exception):
            async for text in socket:
                bot.received.append(read(text))
        bot.closed.set()

    async with serve(answer, "127.0.0.1", server.port, max_size=None):
        yield server
