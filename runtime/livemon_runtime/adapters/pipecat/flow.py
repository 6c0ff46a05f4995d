"""Node transitions of pipecat-flows, whose FlowManager tells nobody of them."""

from typing import Any

from ...call import Call
from ..surround import Act, surround
from .internals import SET_NODE


def follow(call: Call, flow: Any) -> None:
    """Enter each transition of `flow`, a FlowManager, once the node is set. A node's name is its id."""

    def around(set_node: Act) -> Act:
        async def set_node_and_say(node_id: str, *args: Any, **kwargs: Any) -> None:
            former: str | None = flow.current_node
            await set_node(node_id, *args, **kwargs)
            call.node_transition(former, former, node_id, node_id)

        return set_node_and_say

    surround(flow, SET_NODE, around)
