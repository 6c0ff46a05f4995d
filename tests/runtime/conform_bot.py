"""A bot on the SDK that does everything the protocol has, for the conformance command; and ways to break its runtime."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from livemon_runtime import Audio, Call, Codec, Refusal, Runtime, Supervisor
from livemon_runtime.conform.speaking import silence
from livemon_runtime.scripts import Command, script

REFUSED = "u-refused"
"""Whose claims the bot refuses."""

Break = Callable[["Bot"], None]
"""Makes a bot break the protocol; done before it starts."""


class Bot:
    """Has one call after the other: turns with partials, both voices, and every command that there is."""

    def __init__(self, url: str, workspace: str = "default", codec: Codec = Codec.PCMU, broken: Break | None = None):
        self.runtime = Runtime(url, name="bot", workspace=workspace)
        self.codec = codec
        self.url, self.workspace = url, workspace
        self.obeys_silence = self.refuses = True
        self.made: Callable[[Call], None] = lambda call: None
        """Is given each call as it begins."""
        self.hands_over_the_caller: Callable[[Call], bool] = lambda call: True
        self.capabilities: list[str] | None = None
        if broken:
            broken(self)

    @contextlib.asynccontextmanager
    async def talking(self) -> AsyncIterator["Bot"]:
        async with self.runtime:
            tasks = [asyncio.create_task(self._calls())]
            try:
                yield self
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _calls(self) -> None:
        while True:
            call = self.runtime.call(
                from_number="+12125550184",
                direction="inbound",
                agent_name="Ada",
                audio=Audio(caller=self.codec, agent=self.codec),
                capabilities=self.capabilities,
            )
            call.on_end(lambda: None)
            call.on_inject(lambda command: None)
            call.on_take_over(self._take_over)
            self.made(call)
            voices = asyncio.create_task(self._speak(call))
            try:
                await self._talk(call)
            finally:
                voices.cancel()

    def _take_over(self, supervisor: Supervisor) -> None:
        if self.refuses and supervisor.user_id == REFUSED:
            raise Refusal("A card number is being read out")

    async def _talk(self, call: Call) -> None:
        n = 0
        while not call.ended:
            n += 1
            turn = call.user_turn() if n % 2 or call.agent_silent else call.agent_turn()
            for words in ("Is", "Is table", "Is table 4"):
                turn.partial(words)
                call.update(metadata={"turns": n, "said": words})
                await asyncio.sleep(0.2)
            turn.final("Is table 4 free?")
            await asyncio.sleep(0.2)

    async def _speak(self, call: Call) -> None:
        loop, ms = asyncio.get_running_loop(), self.codec.form.packet_ms
        quiet = silence(self.codec)
        frame = quiet if self.codec is Codec.OPUS else bytes([0x55]) * len(quiet)
        due = loop.time()
        while not call.ended:
            if self.hands_over_the_caller(call):
                call.caller_audio(frame)
            if not (call.agent_silent and self.obeys_silence):
                call.agent_audio(frame)
            due += ms / 1000
            await asyncio.sleep(max(0.0, due - loop.time()))


# --- ways to break it ---------------------------------------------------------------------------------------------


def sending(rewrite: Callable[[Command], Command | None]) -> Break:
    """Each command to Redis becomes what `rewrite` makes of it; None leaves it as it is."""

    def broken(bot: Bot) -> None:
        for connection in bot.runtime._connections:
            run = connection.run

            async def other(commands: Sequence[Command], *, wait: float = 0.0, run: Any = run) -> list[Any]:
                return await run([rewrite(command) or command for command in commands], wait=wait)

            connection.run = other

    return broken


def answering(change: Callable[[Bot, Command, Any], Any]) -> Break:
    """Each answer of Redis becomes what `change`, a coroutine function, makes of it."""

    def broken(bot: Bot) -> None:
        for connection in bot.runtime._connections:
            run = connection.run

            async def other(commands: Sequence[Command], *, wait: float = 0.0, run: Any = run) -> list[Any]:
                answers = await run(commands, wait=wait)
                return [await change(bot, *both) for both in zip(commands, answers, strict=True)]

            connection.run = other

    return broken


def is_script(name: str, command: Command) -> bool:
    return command[:2] == ("EVALSHA", script(name).sha)


def lua(name: str, old: str, new: str) -> Break:
    """The script with `old` replaced."""
    source = script(name).source
    assert source.count(old) == 1, (name, old)

    def rewrite(command: Command) -> Command | None:
        return ("EVAL", source.replace(old, new), *command[2:]) if is_script(name, command) else None

    return sending(rewrite)


def argument(names: str, at: int, change: Callable[[Any], Any]) -> Break:
    """Of these scripts, ARGV number `at` (from 1; negative: from the end) becomes what `change` makes of it."""

    def rewrite(command: Command) -> Command | None:
        if not any(is_script(name, command) for name in names.split()):
            return None
        words = list(command)
        place = 2 + int(command[2]) + at if at > 0 else at
        words[place] = change(words[place])
        return tuple(words)

    return sending(rewrite)


def call_data(change: Callable[[dict[str, Any]], Any]) -> Break:
    """The call's JSON as `change` leaves it, wherever it is said."""

    def edit(data: Any) -> str:
        call = json.loads(data)
        change(call)
        return json.dumps(call)

    def broken(bot: Bot) -> None:
        for names, at in (("announce end", 4), ("update accept", 3)):
            argument(names, at, edit)(bot)

    return broken


def entries(change: Callable[[dict[str, Any]], Any]) -> Break:
    """Each transcript entry as `change` leaves it."""

    def edit(data: Any) -> str:
        entry = json.loads(data)
        change(entry)
        return json.dumps(entry)

    def rewrite(command: Command) -> Command | None:
        if not is_script("append", command):
            return None
        return (*command[:7], *(edit(entry) for entry in command[7:]))

    return sending(rewrite)


def packets(change: Callable[[int, bytes], list[bytes]]) -> Break:
    """Each packet becomes what `change` makes of it and of its number on its channel."""

    def broken(bot: Bot) -> None:
        say, counts = bot.runtime.publisher.say, dict[str, int]()

        def other(channel: str, packet: bytes) -> None:
            counts[channel] = counts.get(channel, -1) + 1
            for one in change(counts[channel], packet):
                say(channel, one)

        bot.runtime.publisher.say = other

    return broken
