"""An agent in a process of its own, so that a test can kill it: python -m tests.browser.lone_agent REDIS_URL CALL_ID

It prints `runtime:<id>` once its call is in Redis, and holds it until it is killed.
"""

import asyncio
import sys

from livemon_runtime import Runtime


async def hold_a_call(redis_url: str, call_id: str) -> None:
    async with Runtime(redis_url, name="lone-agent") as runtime:
        call = runtime.call(call_id=call_id, agent_name="Lone")
        call.agent_turn().final("Nobody will hear what comes next.")
        await runtime.alive.wait()
        print(f"runtime:{runtime.runtime_id}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(hold_a_call(*sys.argv[1:]))
