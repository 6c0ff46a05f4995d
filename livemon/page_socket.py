"""NiceGUI's own socket, closed to what a browser need not say: whoever is signed in can write to it by hand."""

import inspect
from collections.abc import Callable
from typing import Any, cast

import structlog
from nicegui import core

_log = structlog.get_logger("livemon.http")
_READ = ("handshake", "event", "javascript_response", "ack")


def harden() -> None:
    """Take away the event by which a browser writes into the server's log, and let no malformed one fill it."""
    handlers = cast("dict[str, Callable[..., Any]]", core.sio.handlers["/"])
    handlers.pop("log", None)
    for name in _READ:
        handlers[name] = _tolerant(name, handlers[name])


def _tolerant(name: str, handler: Callable[..., Any]) -> Callable[..., Any]:
    """The handler, which makes one short line of what it cannot read."""

    def refuse(error: Exception) -> None:
        _log.debug("What a browser sent to its page makes no sense; it is dropped.", event_name=name, error=repr(error))

    if inspect.iscoroutinefunction(handler):

        async def wait(*args: Any) -> Any:
            try:
                return await handler(*args)
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                refuse(error)
                return False

        return wait

    def call(*args: Any) -> None:
        try:
            handler(*args)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            refuse(error)

    return call
