"""A whole agent as its developer would write it, with livemon's one line, on a line of this process instead of a room."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from livekit.agents import Agent, AgentSession, RunContext, ToolError, function_tool
from livekit.agents.llm import ToolFlag
from livekit.agents.voice.io import AudioOutput, TextOutput
from livekit.agents.voice.transcription import TranscriptSynchronizer

from livemon_runtime import Call, Runtime
from livemon_runtime.adapters.livekit import watch
from tests.adapters.livekit.line import Heard, LineIn, LineOut
from tests.adapters.livekit.stand_ins import Hearing, Speaking, Thinking
from tests.runtime.conftest import eventually

ANSWER = "Good morning, how can I help?"


class Reader(TextOutput):
    """The captions that the caller can read."""

    def __init__(self) -> None:
        super().__init__(label="reader", next_in_chain=None)
        self.read: list[str] = []

    async def capture_text(self, text: str) -> None:
        self.read.append(str(text))

    def flush(self) -> None:
        pass


class Kitchen(Agent):
    """Whom a call is handed to."""

    def __init__(self) -> None:
        super().__init__(instructions="You are the kitchen.")
        self.entered = False

    async def on_enter(self) -> None:
        self.entered = True
        self.session.generate_reply()


class Desk(Agent):
    """With tools that answer at once, when the test says so, not, or with another agent."""

    def __init__(self) -> None:
        super().__init__(instructions="You are the desk.")
        self.let_answer = asyncio.Event()
        self.looking = asyncio.Event()
        self.kitchen = Kitchen()

    @function_tool
    async def book(self, seats: int) -> str:
        """Book a table."""
        return f"a table for {seats}"

    @function_tool
    async def fail(self) -> str:
        """Fail."""
        raise ToolError("the book is closed")

    @function_tool
    async def look_up(self, context: RunContext[Any]) -> str:
        """Look up something that takes long."""
        self.looking.set()
        await self.let_answer.wait()
        return "there is a table"

    @function_tool(flags=ToolFlag.CANCELLABLE)
    async def dawdle(self, context: RunContext[Any]) -> str:
        """Take too long, and say so."""
        await context.update("I am still looking.")
        self.looking.set()
        await self.let_answer.wait()
        return "too late"

    @function_tool
    async def hand_over(self) -> Agent:
        """Hand over to the kitchen, at once."""
        return self.kitchen

    @function_tool
    async def hand_over_late(self) -> tuple[Agent, str]:
        """Hand over to the kitchen, in the end."""
        self.looking.set()
        await self.let_answer.wait()
        return self.kitchen, "the kitchen takes it"


@dataclass
class Bot:
    """One call's parts, as the tests look at them."""

    session: AgentSession[Any]
    desk: Desk
    hearing: Hearing
    thinking: Thinking
    speaking: Speaking
    heard: Heard
    reader: Reader
    call: Call = field(init=False)

    async def states(self, state: str) -> bool:
        return self.session.agent_state == state


@dataclass
class Setting:
    """What a test may have otherwise than most."""

    user_away_timeout: float | None = 15.0
    synchronized: bool = True
    before_start: bool = True
    fields: dict[str, Any] = field(default_factory=dict)


def parts(setting: Setting) -> Bot:
    hearing, thinking, speaking = Hearing(), Thinking(ANSWER), Speaking()
    session: AgentSession[Any] = AgentSession(
        stt=hearing,
        llm=thinking,
        tts=speaking,
        vad=None,
        turn_handling={"turn_detection": "stt", "endpointing": {"min_delay": 0.0, "max_delay": 0.1}},
        user_away_timeout=setting.user_away_timeout,
    )
    return Bot(session, Desk(), hearing, thinking, speaking, Heard(), Reader())


@contextlib.asynccontextmanager
async def connected(bot: Bot, setting: Setting) -> AsyncIterator[None]:
    """A line instead of a room, with the same synchronizer that a room has."""
    line = LineOut(bot.heard)
    synchronizer = None
    output: AudioOutput = line
    text: TextOutput = bot.reader
    if setting.synchronized:
        synchronizer = TranscriptSynchronizer(next_in_chain_audio=line, next_in_chain_text=bot.reader)
        output, text = synchronizer.audio_output, synchronizer.text_output
    bot.session.input.audio = LineIn()
    bot.session.output.audio = output
    bot.session.output.transcription = text
    try:
        yield
    finally:
        bot.desk.let_answer.set()
        await bot.session.aclose()
        if synchronizer:
            await synchronizer.aclose()
        line.close()


@contextlib.asynccontextmanager
async def answering(
    runtime: Runtime, setting: Setting | None = None, prepare: Callable[[Bot], Any] = lambda _: None
) -> AsyncIterator[Bot]:
    """A session that listens to a caller; `prepare` is called before it starts."""
    setting = setting or Setting()
    bot = parts(setting)
    fields = {"call_id": "c-1", "agent_name": "Ada", "from_number": "+12125550184", **setting.fields}
    async with connected(bot, setting):
        if setting.before_start:
            bot.call = watch(runtime, bot.session, **fields)
        prepare(bot)
        await bot.session.start(bot.desk)
        if not setting.before_start:
            bot.call = watch(runtime, bot.session, **fields)
        await eventually(lambda: hears(bot))
        yield bot


async def hears(bot: Bot) -> bool:
    """Whether speech recognition has got something already."""
    return bot.hearing.heard_frames > 0
