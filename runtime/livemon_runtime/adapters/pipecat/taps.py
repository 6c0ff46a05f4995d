"""How a bot's own processors are tapped, one object each. What is done here fails into no bot.

Each is in the way of a hundred frames a second, nearly all of which are nobody's business here: what surrounds a method is
a plain function that answers what the method itself would, so that such a frame costs a look and no coroutine more. A
processor more in the pipeline would cost two queues and every observer a turn for each frame.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from pipecat.frames.frames import Frame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from ..surround import Act, surround

Note = Callable[[Any, FrameDirection], None]
Notes = Sequence[tuple[type[Frame], Note]]
"""What is told of which kind of frame; the first that fits."""


def tap(processor: FrameProcessor, notes: Notes) -> None:
    """Tell `notes` of the frames that `processor` pushes, before they go. They must not raise."""
    known: dict[type[Frame], Note | None] = {}

    def around(push: Act) -> Act:
        def push_frame(frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM) -> Awaitable[None]:
            kind = type(frame)
            if kind not in known:
                known[kind] = next((note for wanted, note in notes if issubclass(kind, wanted)), None)
            if (note := known[kind]) is not None:
                note(frame, direction)
            return push(frame, direction)

        return push_frame

    surround(processor, "push_frame", around)


async def pass_on(processor: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
    """Past `processor` to the next one, as a filter does; neither its own `push_frame` nor our taps see it."""
    await FrameProcessor.push_frame(processor, frame, direction)


def within(pipeline: FrameProcessor) -> Iterator[FrameProcessor]:
    """Every processor of the pipeline, those of pipelines in it too."""
    for processor in pipeline.processors:
        yield processor
        yield from within(processor)
