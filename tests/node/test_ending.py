"""How livemon ends: in order when asked, at once when asked twice, and without orphans when killed."""

import asyncio
import re
import signal
import time

import psutil
import pytest
from websockets.exceptions import ConnectionClosed

from tests.livemon_process import LivemonProcess
from tests.node.conftest import links_of, redis_url_of, valkey_of
from tests.node.feed import list_feed, until


def ended(process: LivemonProcess) -> int:
    return process.process.wait(120)


def await_gone(child: psutil.Process) -> None:
    child.wait(120)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_asked_to_end_it_lets_browsers_go_and_ends_in_order(own, number):
    """1012 tells a page to come again at once; the port of Valkey and who has signed in are remembered."""
    await asyncio.to_thread(own.start)
    await asyncio.to_thread(own.await_words, "Ctrl-C")
    valkey, where = valkey_of(own), redis_url_of(own)
    async with list_feed(own, await own.cookie()) as page:
        await until(page, lambda message: message["t"] == "snapshot")
        began = time.monotonic()
        own.process.send_signal(number)
        with pytest.raises(ConnectionClosed) as closed:
            await until(page, lambda message: False)
        assert closed.value.rcvd.code == 1012
    assert await asyncio.to_thread(ended, own) == 0
    print(f"ended after {time.monotonic() - began:.1f} s")
    await_gone(valkey)
    assert "Traceback" not in own.output
    assert len(links_of(own)) == 1
    if number == signal.SIGTERM:
        await asyncio.to_thread(started_again_it_is_as_it_was_and_killed_it_leaves_no_valkey, own, where)


def started_again_it_is_as_it_was_and_killed_it_leaves_no_valkey(own: LivemonProcess, where: str) -> None:
    own.start()
    own.await_words("To sign in anew: livemon sign-in-link")
    assert redis_url_of(own) == where
    assert len(links_of(own)) == 1
    valkey = valkey_of(own)
    own.kill()
    await_gone(valkey)


def test_asked_twice_it_ends_at_once_and_leaves_no_valkey(own):
    number = signal.SIGINT
    own.start()
    valkey = valkey_of(own)
    valkey.suspend()  # it would be waited for
    own.process.send_signal(number)
    deadline = time.monotonic() + 40
    while own._answers():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    own.process.send_signal(number)
    assert ended(own) == -number
    valkey.resume()
    await_gone(valkey)
    assert "Traceback" not in own.output


@pytest.mark.parametrize("when", ["valkey", "database"])
def test_asked_to_end_while_it_starts_it_ends_in_order(own, when):
    own.begin()
    seen = {"valkey": own.folder / "data/valkey/lock", "database": own.folder / "data/livemon.db"}[when]
    deadline = time.monotonic() + 60
    while not seen.exists():
        assert time.monotonic() < deadline
        time.sleep(0.002)
    children = psutil.Process(own.process.pid).children()
    own.process.send_signal(signal.SIGTERM)
    assert ended(own) == 0
    psutil.wait_procs(children, 120)
    assert not any(child.is_running() for child in children)
    assert "Traceback" not in own.output
    assert not re.search(r"is running at", own.output)
