"""The bot's own functions, called for commands: sync or async, each within a time. Never raises into the SDK."""

import asyncio
import inspect
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .drops import printable
from .errors import Refusal
from .protocol import ErrorCode

_LOG = logging.getLogger("livemon_runtime")

Handler = Callable[..., Any]
"""Takes the command, or nothing; returns or awaits anything. `False` refuses, as raising `Refusal` does."""

_LONGEST_MESSAGE = 500


@dataclass(frozen=True, slots=True)
class Outcome:
    ok: bool
    code: ErrorCode = "failed"
    message: str = ""


def takes_argument(handler: Handler) -> bool:
    """Whether `handler` wants to be told what it is called for.

    One that can be called without an argument is: `websocket.close(code=1000)` must not get a command for its code.
    """
    try:
        parameters = inspect.signature(handler).parameters.values()
    except (TypeError, ValueError):
        return True
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return any(
        parameter.kind is inspect.Parameter.VAR_POSITIONAL
        or (parameter.kind in positional and parameter.default is inspect.Parameter.empty)
        for parameter in parameters
    )


def stopping() -> bool:
    """For whoever catches a `CancelledError`: whether this task is to end. If not, it is another's: the bot's function
    awaited what was cancelled, and it is the function that failed."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def ask(handler: Handler, argument: object, timeout: float, what: str) -> Outcome:
    """Call the bot's `handler` and say how it went. A sync handler runs in the bot's loop and must not block."""
    try:
        async with asyncio.timeout(timeout):
            answer = handler(argument) if takes_argument(handler) else handler()
            if inspect.isawaitable(answer):
                answer = await answer
    except Refusal as refusal:
        return Outcome(False, refusal.code, printable(refusal)[:_LONGEST_MESSAGE] or "The agent refused.")
    except TimeoutError:
        _LOG.error("the bot's handler for %s did not answer within %s s", what, timeout)
        return Outcome(False, "failed", f"The agent's program did not answer within {timeout:g} s.")
    except asyncio.CancelledError:
        if stopping():
            raise
        _LOG.error("the bot's handler for %s was cancelled, or awaited what was", what)
        return Outcome(False, "failed", "The agent's program cancelled what it was doing.")
    except Exception as error:
        _LOG.exception("the bot's handler for %s failed", what)
        return Outcome(False, "failed", f"The agent's program failed: {type(error).__name__}.")
    return Outcome(False, "refused", "The agent refused.") if answer is False else Outcome(True)
