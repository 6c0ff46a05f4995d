"""`livemon demo`: livemon, and a runtime in a process of its own that goes when livemon goes."""

import asyncio
import contextlib
import signal
import time

import psutil

from tests.livemon_process import START_TIMEOUT_S, LivemonProcess
from tests.node.conftest import links_of
from tests.node.feed import list_feed, until


def runtime_of(process: LivemonProcess) -> psutil.Process:
    """The demo's runtime, once it is more than a copy of its parent."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        children = psutil.Process(process.process.pid).children()
        found = [each for each in children if "livemon.demo" in each.cmdline()]
        if found:
            assert len(found) == 1, found
            return found[0]
        assert time.monotonic() < deadline, children
        time.sleep(0.02)


async def test_its_link_opens_a_list_with_calls_and_both_processes_end_together(own):
    own.command = ("demo", "--calls", "3")
    await asyncio.to_thread(own.start)
    await asyncio.to_thread(own.await_words, "To stop: Ctrl-C")
    runtime = runtime_of(own)
    assert "redis://" not in " ".join(runtime.cmdline())  # it may hold a password
    cookie = await asyncio.to_thread(own._use_link, links_of(own)[0])
    async with list_feed(own, cookie) as page:
        await until(page, lambda message: message.get("calls") or message.get("put"))
    own.process.send_signal(signal.SIGINT)
    assert await asyncio.to_thread(own.process.wait, 120) == 0
    assert not runtime.is_running()
    assert "Traceback" not in own.output
    assert "has ended by itself" not in own.output
    await asyncio.to_thread(started_again_and_killed_it_takes_its_runtime_along, own)


def started_again_and_killed_it_takes_its_runtime_along(own: LivemonProcess) -> None:
    own.start()
    own.await_words("calls in the workspace default", times=2)
    runtime = runtime_of(own)
    own.kill()
    runtime.wait(120)


def test_killed_while_its_runtime_starts_it_takes_it_along(own):
    own.command = ("demo", "--calls", "1")
    own.begin()
    runtime = runtime_of(own)
    own.kill()
    try:
        runtime.wait(60)
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            runtime.kill()


def test_its_runtime_gone_is_said_and_livemon_goes_on(own):
    own.command = ("demo", "--calls", "1")
    own.start()
    own.await_words("To stop: Ctrl-C")
    runtime_of(own).kill()
    own.await_words("The demo's runtime has ended by itself")
    assert own._answers()
    assert own.stop() == 0
