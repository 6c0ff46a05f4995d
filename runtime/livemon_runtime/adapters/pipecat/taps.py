"""How the methods of a bot's own processors are surrounded, one object each. What is done here fails into no bot."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from pipecat.frames.frames import Frame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

Act = Callable[..., Awaitable[Any]]
Note = Callable[[Frame, FrameDirection], None]


def surround(thing: object, name: str, around: Callable[[Act], Act]) -> Act:
    """From now on that one object's coroutine method `name` is `around(what it was)`; answers what it was.

    A processor more in the pipeline would cost two queues and every observer a turn for each frame; this costs a call.
    """
    inner: Act = getattr(thing, name)
    setattr(thing, name, around(inner))
    return inner


def tap(processor: FrameProcessor, note: Note) -> None:
    """Tell `note` of every frame that `processor` pushes, before it goes. `note` must not raise."""

    def around(push: Act) -> Act:
        async def push_frame(frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM) -> None:
            note(frame, direction)
            await push(frame, direction)

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
