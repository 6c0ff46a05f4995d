"""What of Pipecat has to be there for a call to be watched, and the four things among it that Pipecat does not make public.

All of it is looked for when `watch` is called: a version that lacks any is refused in words before the call begins, not
found out in the middle of a take-over.
"""

import asyncio
from collections.abc import Container, Iterator
from importlib.metadata import version
from typing import Any

from pipecat.processors.frame_processor import FrameProcessor
from pipecat.transports.base_transport import BaseTransport

from ...errors import LivemonError

_PARAMS, _IDLE, _EVENTS = "_params", "_idle_event", "_event_handlers"
SET_NODE = "_set_node"
"""FlowManager's one way to a node, of which it tells nobody."""

WORKER = ("pipeline", "params", "queue_frame", "run", "cancel", _IDLE)
TRANSPORT = ("input", "output", "add_event_handler", _EVENTS)
HEARING = ("push_frame", _PARAMS)
_DOORS = ("process_frame", "write_audio_frame", "write_video_frame", "write_dtmf", "send_message")
OUTPUT = ("push_frame", "queue_frame", "sample_rate", "audio_chunk_size", *_DOORS, _PARAMS)
FLOW = ("current_node", SET_NODE)


class UnsupportedPipecat(LivemonError, RuntimeError):
    """The Pipecat that is installed lacks what livemon needs. `missing`: its names there; `version`: Pipecat's."""

    def __init__(self, missing: list[str]) -> None:
        self.missing, self.version = missing, version("pipecat-ai")
        super().__init__(
            f"Pipecat {self.version} has no {', '.join(missing)}: livemon could not be sure to silence the agent, so this call "
            "is not in livemon, and nothing of the bot was touched. docs/pipecat.md says which versions were tried: install "
            "one of these, or a newer livemon-runtime"
        )


def require(*parts: tuple[object, tuple[str, ...]]) -> None:
    """Raises `UnsupportedPipecat` if any of a bot's parts lacks one of the names beside it."""
    if missing := [name for thing, names in parts for name in _missing(thing, names)]:
        raise UnsupportedPipecat(missing)


def _missing(thing: object, names: tuple[str, ...]) -> Iterator[str]:
    return (f"{type(thing).__name__}.{name}" for name in names if not hasattr(thing, name))


def params_of(half: FrameProcessor) -> Any:
    """A transport's own rates and channels, which it does not say before it is set up, and its serializer."""
    return getattr(half, _PARAMS)


def events_of(transport: BaseTransport) -> Container[str]:
    """The events that this kind of transport has: asking for another is a warning in the bot's log."""
    return getattr(transport, _EVENTS)


def idle_event_of(worker: Any) -> asyncio.Event:
    """Set while there is life in the call, or the worker's idle timer hangs up."""
    return getattr(worker, _IDLE)
