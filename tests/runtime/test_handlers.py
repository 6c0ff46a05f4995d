"""The bot's functions: sync or async, with or without an argument, and whatever they do there is an outcome."""

import asyncio
from typing import Any

import pytest

from livemon_runtime import Refusal
from livemon_runtime.handlers import Outcome, ask, takes_argument


class Socket:
    """A bot's connection, whose closing takes what is no command."""

    def __init__(self) -> None:
        self.code = 0

    def close(self, code: int = 1000, reason: str = "") -> None:
        self.code = code


async def answers(value: object) -> object:
    await asyncio.sleep(0)
    return value


@pytest.mark.parametrize(
    ("handler", "takes"),
    [
        (lambda: None, False),
        (lambda command: None, True),
        (lambda *commands: None, True),
        (lambda code=1000: None, False),
        (lambda *, urgent=True: None, False),
        (Socket().close, False),
        ([].append, True),
        (asyncio.Event().set, False),
    ],
)
def test_a_handler_is_told_the_command_if_it_must_be(handler: Any, takes: bool) -> None:
    assert takes_argument(handler) is takes


async def test_a_close_with_a_code_gets_no_command_for_its_code() -> None:
    socket = Socket()
    assert await ask(socket.close, object(), 5, "end") == Outcome(True)
    assert socket.code == 1000


@pytest.mark.parametrize(
    ("handler", "outcome"),
    [
        (lambda: None, Outcome(True)),
        (lambda: 0, Outcome(True)),
        (lambda: answers(None), Outcome(True)),
        (lambda: False, Outcome(False, "refused", "The agent refused.")),
        (lambda: answers(False), Outcome(False, "refused", "The agent refused.")),
        (lambda: asyncio.sleep(60), Outcome(False, "failed", "The agent's program did not answer within 0.05 s.")),
        (lambda: {}["x"], Outcome(False, "failed", "The agent's program failed: KeyError.")),
    ],
)
async def test_what_a_handler_does_has_an_outcome(handler: Any, outcome: Outcome) -> None:
    assert await ask(handler, None, 0.05, "end") == outcome


async def test_a_refusal_without_words_has_some() -> None:
    def refuse() -> None:
        raise Refusal

    assert await ask(refuse, None, 5, "end") == Outcome(False, "refused", "The agent refused.")


async def test_a_runtime_that_stops_stops_its_handlers() -> None:
    asking = asyncio.create_task(ask(asyncio.Event().wait, None, 60, "end"))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
