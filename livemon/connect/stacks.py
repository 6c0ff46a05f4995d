"""The stacks that can be connected, each with the lines to copy, filled with a deployment's own addresses. Pure.

`components/connect.js` shows them, under headings from `livemon.texts`; the tests run what is printed here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .deployment import Deployment
from .quoting import python, shell

KEY_PLACEHOLDER = "lmk_YOUR_KEY"
"""Stands where an API key goes; the page puts one in its place that was made there."""

Language = Literal["shell", "python", "xml"]


@dataclass(frozen=True, slots=True)
class Block:
    """Lines to be copied at once. `name`: that of its heading, `connect.block.NAME`."""

    name: str
    language: Language
    lines: str


@dataclass(frozen=True, slots=True)
class Stack:
    """One way to connect. `name`: that of its texts, `connect.stack.NAME` and `….text`."""

    name: str
    blocks: tuple[Block, ...]


def stacks(deployment: Deployment, *, redis_url: str | None = None) -> tuple[Stack, ...]:
    """All of them. `redis_url`: the address of Redis with its password; without it, as everybody may see it."""
    redis = deployment.address.masked if redis_url is None else redis_url
    return tuple(Stack(name, blocks(deployment, redis)) for name, blocks in _BLOCKS.items())


def _python_sdk(at: Deployment, redis: str) -> tuple[Block, ...]:
    program = f"""\
import asyncio

from livemon_runtime import Runtime

REDIS = {python(redis)}


async def answer(runtime: Runtime) -> None:  # one call: put your agent in place of these turns
    hang_up = asyncio.Event()
    async with runtime.call(agent_name="Ada", direction="inbound") as call:
        call.on_end(hang_up.set)
        call.agent_turn().final("Good morning, how can I help?")
        call.user_turn().final("Is a table free tonight?")
        await hang_up.wait()


async def main() -> None:
    async with {_runtime(at)} as runtime:
        await answer(runtime)


asyncio.run(main())
"""
    return (_install("./runtime"), Block("agent", "python", program))


def _pipecat(at: Deployment, redis: str) -> tuple[Block, ...]:
    program = f"""\
import asyncio

from livemon_runtime import Runtime
from livemon_runtime.adapters.pipecat import watch
from pipecat.workers.runner import WorkerRunner

from my_bot import make_bot  # your own: the PipelineWorker of one call, and its transport

REDIS = {python(redis)}


async def main() -> None:
    async with {_runtime(at)} as runtime:
        worker, transport = await make_bot()
        watch(runtime, worker, transport, agent_name="Ada")
        runner = WorkerRunner()
        await runner.add_workers(worker)
        await runner.run()


asyncio.run(main())
"""
    return (_install("./runtime[pipecat]"), Block("pipecat", "python", program))


def _livekit(at: Deployment, redis: str) -> tuple[Block, ...]:
    program = f"""\
from livekit.agents import AgentServer, JobContext, cli
from livemon_runtime.adapters.livekit import job_runtime, watch

from my_agent import MyAgent, make_session  # your own: the Agent, and an AgentSession with its models

REDIS = {python(redis)}
server = AgentServer()


@server.rtc_session()
async def entrypoint(ctx: JobContext) -> None:
    session = make_session()
    runtime = job_runtime(REDIS, name="my-agent", workspace={python(at.workspace)})
    watch(runtime, session, room=ctx.room, agent_name="Ada")
    await session.start(agent=MyAgent(), room=ctx.room)


if __name__ == "__main__":
    cli.run_app(server)
"""
    return (_install("./runtime[livekit]"), Block("livekit", "python", program))


def _twilio(at: Deployment, redis: str) -> tuple[Block, ...]:
    run = f"""\
export LIVEMON_REDIS_URL={shell(redis)}
export LIVEMON_TWILIO_AUTH_TOKEN=YOUR_AUTH_TOKEN
export LIVEMON_TWILIO_ACCOUNT_SID=YOUR_ACCOUNT_SID
livemon gateway twilio --workspace {shell(at.workspace)} \\
  --bot wss://YOUR_BOT/ws --public-url https://YOUR_GATEWAY
"""
    markup = """\
<Response>
  <Connect>
    <Stream url="wss://YOUR_GATEWAY/media"/>
  </Connect>
</Response>
"""
    return (
        _install(".", "./runtime[twilio]"),
        Block("gateway", "shell", run),
        Block("stream", "xml", markup),
    )


def _other(at: Deployment, redis: str) -> tuple[Block, ...]:
    example = f"cd examples/node\nnpm ci\nLIVEMON_WORKSPACE={shell(at.workspace)} node main.js {shell(redis)}\n"
    workspace = f" --workspace {shell(at.workspace)}"
    conform = f"pip install ./runtime\nlivemon-runtime conform --redis {shell(redis)}{workspace}\n"
    return (Block("example", "shell", example), Block("conform", "shell", conform))


def _api(at: Deployment, _: str) -> tuple[Block, ...]:
    program = f"""\
from retell import Retell

livemon = Retell(api_key={python(KEY_PLACEHOLDER)}, base_url={python(at.origin)})
for call in livemon.call.list(limit=50).items:
    print(call.call_id, call.call_status)
"""
    return (Block("client", "shell", "pip install retell-sdk\n"), Block("program", "python", program))


_BLOCKS: dict[str, Callable[[Deployment, str], tuple[Block, ...]]] = {
    "pipecat": _pipecat,
    "livekit": _livekit,
    "twilio": _twilio,
    "python": _python_sdk,
    "other": _other,
    "api": _api,
}


def _install(*packages: str) -> Block:
    return Block("install", "shell", f"pip install {' '.join(shell(one) for one in packages)}\n")


def _runtime(at: Deployment) -> str:
    return f'Runtime(REDIS, name="my-agent", workspace={python(at.workspace)})'
