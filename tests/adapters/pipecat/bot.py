"""A whole bot as its developer would write it, answering calls on a real websocket of this machine, with livemon's one line."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import uvicorn
import websockets.asyncio.client
from fastapi import FastAPI, WebSocket
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport
from pipecat.turns.user_turn_strategies import ExternalUserTurnStrategies
from pipecat.workers.runner import WorkerRunner

from livemon_runtime import Call, Runtime
from livemon_runtime.adapters.pipecat import watch
from tests.adapters.pipecat.caller import Caller
from tests.adapters.pipecat.stand_ins import Hearing, Speaking, Thinking
from tests.conftest import free_port

ANSWER = "Good morning, how can I help?"


@dataclass
class Bot:
    """One call's parts, as the tests look at them."""

    worker: PipelineWorker
    transport: FastAPIWebsocketTransport
    hearing: Hearing
    thinking: Thinking
    speaking: Speaking
    context: LLMContext
    aggregators: LLMContextAggregatorPair
    call: Call
    caller: Caller


@dataclass
class Setting:
    """What a test may have otherwise than most."""

    idle_timeout_secs: float | None = 300
    audio_in: int = 16_000
    audio_out: int = 24_000
    before_output: FrameProcessor | None = None
    leaves_with_the_caller: bool = True


def build(websocket: WebSocket, runtime: Runtime, setting: Setting, caller: Caller) -> Bot:
    serializer = TwilioFrameSerializer("MZ1", params=TwilioFrameSerializer.InputParams(auto_hang_up=False))
    params = FastAPIWebsocketParams(audio_in_enabled=True, audio_out_enabled=True, serializer=serializer)
    transport = FastAPIWebsocketTransport(websocket, params)
    hearing, thinking, speaking = Hearing(), Thinking(ANSWER), Speaking()
    context = LLMContext()
    turns = LLMUserAggregatorParams(user_turn_strategies=ExternalUserTurnStrategies())
    pair = LLMContextAggregatorPair(context, user_params=turns)
    more = [setting.before_output] if setting.before_output else []
    parts = [transport.input(), hearing, pair.user(), thinking, speaking, *more, transport.output(), pair.assistant()]
    worker = PipelineWorker(
        Pipeline(parts),
        params=PipelineParams(audio_in_sample_rate=setting.audio_in, audio_out_sample_rate=setting.audio_out),
        idle_timeout_secs=setting.idle_timeout_secs,
    )
    if setting.leaves_with_the_caller:

        @transport.event_handler("on_client_disconnected")
        async def _(*_: object) -> None:
            await worker.cancel()

    call = watch(runtime, worker, transport, call_id="c-1", agent_name="Ada", from_number="+12125550184")
    return Bot(worker, transport, hearing, thinking, speaking, context, pair, call, caller)


async def run(worker: PipelineWorker) -> None:
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()


@contextlib.asynccontextmanager
async def answering(
    runtime: Runtime, setting: Setting | None = None, prepare: Callable[[Bot], Any] = lambda _: None
) -> AsyncIterator[Bot]:
    """A caller who has called, and the bot that has answered; `prepare` is called before its pipeline runs."""
    made: asyncio.Queue[Bot] = asyncio.Queue()
    caller = Caller()
    app = FastAPI()

    @app.websocket("/")
    async def _(websocket: WebSocket) -> None:
        await websocket.accept()
        bot = build(websocket, runtime, setting or Setting(), caller)
        started = asyncio.Event()
        bot.worker.add_event_handler("on_pipeline_started", lambda *_: started.set())
        prepare(bot)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(run(bot.worker))
            await started.wait()
            made.put_nowait(bot)

    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", timeout_graceful_shutdown=5))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        async with websockets.asyncio.client.connect(f"ws://127.0.0.1:{port}/", open_timeout=60) as socket:
            tasks = [asyncio.create_task(caller.listen(socket)), asyncio.create_task(caller.speak(socket))]
            try:
                yield await asyncio.wait_for(made.get(), 60)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        server.should_exit = True
        await serving
