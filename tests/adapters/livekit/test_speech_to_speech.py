"""Take-over of a session whose model hears and speaks by itself: LiveKit's own interface of such models, no vendor's."""

import asyncio
import contextlib
from typing import Any

from livekit.agents import Agent, AgentSession, llm

from livemon_runtime import Call, Runtime
from livemon_runtime.adapters.livekit import watch
from tests.adapters.livekit.line import Heard, LineIn, LineOut
from tests.adapters.livekit.stand_ins import Hearing
from tests.adapters.livekit.test_record import entries, over
from tests.adapters.supervising import take_over, talking
from tests.runtime.conftest import Livemon, eventually


class Model(llm.RealtimeModel):
    def __init__(self) -> None:
        can = {"turn_detection": True, "user_transcription": False, "auto_tool_reply_generation": True}
        can |= {"message_truncation": False, "audio_output": True, "manual_function_calls": False}
        super().__init__(capabilities=llm.RealtimeCapabilities(**can))
        self.sessions: list[ModelSession] = []

    def session(self, **_: Any) -> llm.RealtimeSession:
        self.sessions.append(ModelSession(self))
        return self.sessions[-1]

    async def aclose(self) -> None:
        pass


class ModelSession(llm.RealtimeSession):
    """Counts what it is told; it answers nothing, as a model that is thinking."""

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self.frames = self.asked = self.told = self.cut = 0
        self._context = llm.ChatContext.empty()

    @property
    def chat_ctx(self) -> llm.ChatContext:
        return self._context

    @property
    def tools(self) -> llm.ToolContext:
        return llm.ToolContext.empty()

    async def update_instructions(self, instructions: str) -> None:
        pass

    async def update_chat_ctx(self, chat_ctx: llm.ChatContext) -> None:
        self.told += 1
        self._context = chat_ctx

    async def update_tools(self, tools: list[Any]) -> None:
        pass

    def update_options(self, **_: Any) -> None:
        pass

    def push_audio(self, frame: Any) -> None:
        self.frames += 1

    def push_video(self, frame: Any) -> None:
        pass

    def generate_reply(self, **_: Any) -> asyncio.Future[llm.GenerationCreatedEvent]:
        self.asked += 1
        return asyncio.get_running_loop().create_future()

    def commit_audio(self) -> None:
        self.told += 1

    def clear_audio(self) -> None:
        pass

    def interrupt(self) -> None:
        self.cut += 1

    def truncate(self, **_: Any) -> None:
        pass

    async def aclose(self) -> None:
        pass


class Talk:
    """As much of a call as its supervisor needs."""

    def __init__(self, call: Call) -> None:
        self.call = call


async def test_a_model_that_hears_by_itself_hears_nothing_and_is_not_asked_once_a_supervisor_has_the_caller(
    livemon: Livemon, runtime: Runtime
) -> None:
    model, hearing, heard = Model(), Hearing(), Heard()
    session: AgentSession[Any] = AgentSession(llm=model, stt=hearing, vad=None)
    line = LineOut(heard)
    session.input.audio, session.output.audio = LineIn(), line
    call = watch(runtime, session, call_id="c-1")
    await session.start(Agent(instructions="You are the desk."))
    (its,) = model.sessions
    session.generate_reply()
    await eventually(lambda: over(lambda: its.frames > 10 and its.asked == 1))
    talk = Talk(call)
    await take_over(livemon, runtime, talk)
    frames, told, cut = its.frames, its.told, its.cut
    assert cut > 0, "what it was saying goes on"
    session.generate_reply(user_input="typed")
    with contextlib.suppress(RuntimeError):
        session.commit_user_turn()
    hearing.hear("Hello?")
    await eventually(lambda: entries(livemon, "user"))
    async with talking(livemon, talk):
        await eventually(lambda: over(lambda: heard.supervisor > 400))
    assert (its.frames, its.asked, its.told) == (frames, 1, told)
    assert heard.bot == 0
    assert len(model.sessions) == 1
    await session.aclose()
    line.close()
