"""`python -m livemon.demo`: the demo's runtime as a process of its own, as a voice agent would be.

It says nothing but log lines (on stderr), and ends, its calls properly ended, on Ctrl-C, on SIGTERM, and when whoever
started it is gone.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import secrets
import signal
import sys
from importlib.metadata import version
from random import Random

from livemon_runtime import LivemonError, Runtime

from .scenario import load_script
from .speech import load_speech
from .stage import Stage

_LOG = logging.getLogger("livemon.demo")
_PARENT_EVERY_S = 0.5
_PATIENCE_S = 3.0


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    parent = os.getppid() if options.parent is None else options.parent
    logging.basicConfig(format="%(asctime)s %(levelname)-7s %(name)s: %(message)s", level=logging.INFO)
    try:
        asyncio.run(_run(options, parent))
    except (LivemonError, ValueError) as error:
        _LOG.error("the demo cannot start: %s", error)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m livemon.demo", description="Calls with real speech, to try livemon."
    )
    parser.add_argument(
        "--redis",
        default=os.environ.get("LIVEMON_REDIS_URL") or "redis://127.0.0.1:6379/0",
        metavar="URL",
        help="livemon's Redis or Valkey (default: LIVEMON_REDIS_URL, or this machine's)",
    )
    parser.add_argument("--workspace", default="default", metavar="SLUG")
    parser.add_argument("--calls", type=_positive, default=8, metavar="N", help="how many calls at a time (default: 8)")
    parser.add_argument("--seed", type=int, default=None, help="the same seed gives the same calls")
    parser.add_argument("--parent", type=int, default=None, help=argparse.SUPPRESS)
    """Told by who starts it: by now they may be gone, and another its parent."""
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 5_000:
        raise argparse.ArgumentTypeError("from 1 to 5000")
    return number


async def _run(options: argparse.Namespace, parent: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    seed = secrets.randbits(32) if options.seed is None else options.seed
    random = Random(seed)  # noqa: S311 - no secret
    script = load_script()
    speech = load_speech(script)
    runtime = Runtime(options.redis, name="livemon-demo", version=version("livemon"), workspace=options.workspace)
    async with asyncio.TaskGroup() as tasks, runtime:
        tasks.create_task(_watch_parent(parent, stop))
        if await _connected(runtime, stop):
            _LOG.info("%d calls in the workspace %s (seed %d)", options.calls, options.workspace, seed)
            await Stage(runtime, script, speech, options.calls, random).run(stop)
            _LOG.info("ending the calls")
        stop.set()


async def _connected(runtime: Runtime, stop: asyncio.Event) -> bool:
    """Wait for Redis, whose time the calls' beginnings are told in; False if told to stop before."""
    waits = {asyncio.ensure_future(runtime.alive.wait()), asyncio.ensure_future(stop.wait())}
    try:
        done, _ = await asyncio.wait(waits, timeout=_PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            _LOG.warning("Redis does not answer: the calls begin as soon as it does")
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for waiting in waits:
            waiting.cancel()
    return not stop.is_set()


async def _watch_parent(parent: int, stop: asyncio.Event) -> None:
    """A demo that nobody owns would fill the list for ever."""
    while os.getppid() == parent:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PARENT_EVERY_S):
                await stop.wait()
            return
    _LOG.info("the process that started the demo is gone")
    stop.set()


if __name__ == "__main__":
    sys.exit(main())
