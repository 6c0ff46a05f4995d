"""Speech-to-text at the gateway: an engine that keeps to the protocol is given both sides as they are heard, and written down."""

from collections.abc import Callable

from livemon_runtime import Runtime
from tests.adapters.twilio.bots import by_hand
from tests.adapters.twilio.carrier import calling, sid
from tests.adapters.twilio.serving import gateway, soon, take_over, talking
from tests.adapters.twilio.tones import BOT, CALLER, mu_law, pitch
from tests.runtime.conftest import Livemon, eventually

OnText = Callable[[str, bool, int, int], None]


class Ear:
    """An engine's stand-in that names the voice that it hears by its pitch."""

    def __init__(self) -> None:
        self.sound = b""
        self.on_text: OnText | None = None
        self.closed = False
        self.fails = False

    def hear(self, pcm: bytes) -> None:
        if self.fails:
            raise RuntimeError("out of order")
        self.sound += pcm

    def heard(self, on_text: OnText) -> None:
        self.on_text = on_text

    def say(self, text: str, *, final: bool) -> None:
        assert self.on_text
        self.on_text(text, final, 0, len(self.sound) // 16)

    async def close(self) -> None:
        self.closed = True
        self.say("last words", final=True)

    def loud(self, hertz: int) -> int:
        return [pitch(self.sound[at : at + 320]) for at in range(0, len(self.sound) - 319, 320)].count(hertz)


class Engine:
    def __init__(self) -> None:
        self.ears: list[Ear] = []

    def listen(self) -> Ear:
        self.ears.append(Ear())
        return self.ears[-1]

    async def close(self) -> None:
        pass


async def test_both_sides_are_heard_as_the_caller_hears_them_and_are_in_the_transcript(
    livemon: Livemon, runtime: Runtime
) -> None:
    engine = Engine()
    async with by_hand() as server, gateway(runtime, server.url, engine=engine) as serving:
        async with calling(serving.port) as carrier:
            bot = await server.bot()
            caller, agent = engine.ears
            await soon(lambda: caller.loud(CALLER) > 10)
            await bot.say(mu_law(BOT, 60_000))  # a burst, of which a second is heard
            await soon(lambda: agent.loud(BOT) > 40)
            assert agent.loud(BOT) <= carrier.loud(BOT) + 15
            caller.say("hel", final=False)
            caller.say("hello", final=True)
            agent.say("good morning", final=True)
            agent.say("hm", final=False)
            agent.say("", final=True)
            await take_over(livemon, runtime)
            heard = len(agent.sound)
            async with talking(livemon):
                await soon(lambda: carrier.loud(1_600) > 30)
            assert len(agent.sound) == heard, "the supervisor, or a silenced agent, was written down"
            await carrier.stop()
            await soon(lambda: caller.closed and agent.closed)
        await eventually(lambda: written(livemon))
    entries = await livemon.transcript(sid())
    assert [(entry["role"], entry["content"]) for entry in entries][:2] == [
        ("user", "hello"),
        ("agent", "good morning"),
    ]


async def written(livemon: Livemon) -> bool:
    return len(await livemon.transcript(sid())) >= 4


async def test_an_engine_that_fails_hurts_no_call(livemon: Livemon, runtime: Runtime) -> None:
    engine = Engine()
    async with by_hand() as server, gateway(runtime, server.url, engine=engine) as serving, calling(serving.port):
        bot = await server.bot()
        engine.ears[0].fails = engine.ears[1].fails = True
        await bot.say(mu_law(BOT, 200))
        media = len(bot.events("media"))
        await soon(lambda: len(bot.events("media")) > media + 20)
