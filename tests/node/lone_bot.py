"""A bot in a process of its own, so that a test can freeze it: python -m tests.node.lone_bot REDIS_URL CALL_ID

It lets whoever asks have its call, and its agent says something all the time while it may. It prints `ready` once its
call is in Redis, then `asked:<name>`, `silent:True` or `silent:False`, and `heard` at the first frame of a supervisor.
"""

import asyncio
import sys

from livemon_runtime import Audio, Runtime, Supervisor


def say(words: str) -> None:
    print(words, flush=True)


def meet(supervisor: Supervisor) -> None:
    heard = asyncio.Event()

    def hear(_: bytes) -> None:
        if not heard.is_set():
            heard.set()
            say(f"heard:{supervisor.name}")

    say(f"asked:{supervisor.name}")
    supervisor.on_silence(lambda silent: say(f"silent:{silent}"))
    supervisor.on_audio(hear)


async def hold_a_call(redis_url: str, call_id: str) -> None:
    async with Runtime(redis_url, name="lone-bot") as runtime:
        call = runtime.call(call_id=call_id, audio=Audio(caller="pcmu", agent="pcmu"))
        call.on_take_over(meet)
        await runtime.alive.wait()
        say("ready")
        while True:
            await asyncio.sleep(0.1)
            if not call.agent_silent:
                call.agent_turn().final("I am still here.")


if __name__ == "__main__":
    asyncio.run(hold_a_call(*sys.argv[1:]))
