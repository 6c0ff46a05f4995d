"""Node transitions of pipecat-flows, of the one in Pipecat itself and of the distribution of its own."""

from typing import Any

import pipecat.flows
import pipecat_flows
import pytest

from livemon_runtime import Runtime
from livemon_runtime.adapters.pipecat.flow import follow
from tests.adapters.pipecat.bot import answering
from tests.adapters.pipecat.test_record import entries
from tests.runtime.conftest import Livemon, eventually


def node(name: str) -> Any:
    return {"name": name, "task_messages": [{"role": "developer", "content": name}], "functions": []}


@pytest.mark.parametrize("flows", [pipecat.flows, pipecat_flows], ids=["pipecat.flows", "pipecat_flows"])
async def test_each_node_that_the_flow_comes_to_is_in_the_record(livemon: Livemon, runtime: Runtime, flows: Any) -> None:
    async with answering(runtime) as bot:
        flow = flows.FlowManager(llm=bot.thinking, context_aggregator=bot.aggregators, worker=bot.worker)
        follow(bot.call, flow)
        await flow.initialize(node("greeting"))
        await flow.set_node_from_config(node("booking"))
        await eventually(lambda: second(livemon))
    transitions = await entries(livemon, "node_transition")
    assert [one["new_node_name"] for one in transitions] == ["greeting", "booking"]
    assert transitions[1]["former_node_name"] == "greeting"


async def second(livemon: Livemon) -> bool:
    return len(await entries(livemon, "node_transition")) == 2
