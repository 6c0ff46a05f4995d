"""A Pipecat that lacks what silencing the agent takes is refused when a call is to be watched, in words, and not later."""

from importlib.metadata import version
from typing import Any

import pytest
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import BaseTransport, TransportParams

from livemon_runtime import Runtime
from livemon_runtime.adapters.pipecat import UnsupportedPipecat, watch
from livemon_runtime.adapters.pipecat.internals import FLOW, HEARING, OUTPUT, TRANSPORT, WORKER


class Hearing(BaseInputTransport):
    pass


class Speaking(BaseOutputTransport):
    pass


class Transport(BaseTransport):
    """Both halves, of Pipecat's own kinds."""

    def __init__(self) -> None:
        super().__init__()
        params = TransportParams(audio_in_enabled=True, audio_out_enabled=True)
        self.hearing, self.speaking = Hearing(params), Speaking(params)

    def input(self) -> FrameProcessor:
        return self.hearing

    def output(self) -> FrameProcessor:
        return self.speaking


class Flow:
    current_node = None

    async def _set_node(self, node_id: str) -> None: ...


def without(thing: Any, name: str) -> None:
    """The same object, whose class does not have `name` any more."""
    kind = type(thing)
    vars(thing).pop(name, None)

    def getattribute(self: Any, wanted: str) -> Any:
        if wanted == name:
            raise AttributeError(wanted)
        return object.__getattribute__(self, wanted)

    thing.__class__ = type(kind.__name__, (kind,), {"__getattribute__": getattribute})


@pytest.mark.parametrize(
    ("part", "name"),
    [
        *(("worker", name) for name in WORKER),
        *(("transport", name) for name in TRANSPORT),
        *(("hearing", name) for name in HEARING),
        *(("speaking", name) for name in OUTPUT),
        *(("flow", name) for name in FLOW),
    ],
)
async def test_a_name_that_is_gone_is_said_before_the_call_begins(part: str, name: str, valkey_url: str) -> None:
    runtime = Runtime(valkey_url, name="front-desk")
    transport = Transport()
    worker = PipelineWorker(Pipeline([transport.hearing, transport.speaking]))
    things = {"worker": worker, "transport": transport, "hearing": transport.hearing, "speaking": transport.speaking}
    things["flow"] = flow = Flow()
    before = {one: dict(vars(thing)) for one, thing in things.items()}
    without(things[part], name)
    with pytest.raises(UnsupportedPipecat) as caught:
        watch(runtime, worker, transport, flow=flow)
    assert [one.partition(".")[2] for one in caught.value.missing] == [name]
    assert caught.value.version == version("pipecat-ai")
    assert "the agent" in str(caught.value)
    assert "docs/pipecat.md" in str(caught.value)
    assert runtime.calls() == []
    after = {one: dict(vars(thing)) for one, thing in things.items()}
    before[part].pop(name, None)
    assert after == before, "something of the bot was surrounded"


async def test_pipecat_has_all_of_it(valkey_url: str) -> None:
    runtime = Runtime(valkey_url, name="front-desk")
    transport = Transport()
    worker = PipelineWorker(Pipeline([transport.hearing, transport.speaking]))
    call = watch(runtime, worker, transport)
    assert runtime.calls() == [call]
