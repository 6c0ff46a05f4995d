"""Node transitions of Pipecat Flows: part of Pipecat itself, and a distribution of its own in older days."""

import contextlib
from typing import Any

with contextlib.suppress(ImportError):
    from pipecat_flows import FlowManager
with contextlib.suppress(ImportError):
    from pipecat.flows import FlowManager

from livemon_runtime import Runtime
from livemon_runtime.adapters.pipecat.flow import follow
from tests.adapters.pipecat.bot import answering
from tests.adapters.pipecat.test_record import entries
from tests.runtime.conftest import Livemon, eventually


def node(name: str) -> Any:
    return {"name": name, "task_messages": [{"role": "developer", "content": name}], "functions": []}


async def test_each_node_that_the_flow_comes_to_is_in_the_record(livemon: Livemon, runtime: Runtime) -> None:
    async with answering(runtime) as bot:
        flow = FlowManager(llm=bot.thinking, context_aggregator=bot.aggregators, worker=bot.worker)
        follow(bot.call, flow)
        await flow.initialize(node("greeting"))
        await flow.set_node_from_config(node("booking"))
        await eventually(lambda: second(livemon))
    transitions = await entries(livemon, "node_transition")
    assert [one["new_node_name"] for one in transitions] == ["greeting", "booking"]
    assert transitions[1]["former_node_name"] == "greeting"


async def second(livemon: Livemon) -> bool:
    return len(await entries(livemon, "node_transition")) == 2
