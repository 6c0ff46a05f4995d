"""One call as the live list shows it (docs/interfaces.md, «The list's socket»). Pure."""

from collections.abc import Iterable
from typing import get_args

from livemon_runtime.protocol import Capability

from .encoding import encode
from .presence import Listener
from .registry import LiveCall

CAPABILITIES = get_args(Capability)


def row(live: LiveCall, listeners: Iterable[Listener]) -> bytes:
    """The row of a call, encoded."""
    call, holder = live.call, live.controller
    return encode(
        {
            "id": call.call_id,
            "start": call.start_timestamp,
            "type": call.call_type,
            "dir": call.direction,
            "from": call.from_number,
            "to": call.to_number,
            "agent": call.agent_name or call.agent_id,
            "version": call.agent_version,
            "status": call.call_status,
            "holder": {"user_id": holder.user_id, "name": holder.name} if holder else None,
            "listeners": people(listeners),
            "quiet": live.quiet_since,
            "caps": [one for one in CAPABILITIES if one in call.capabilities],
            "audio": call.audio is not None,
        }
    )


def people(listeners: Iterable[Listener]) -> list[dict[str, str]]:
    """Who listens, each person once."""
    return list({one.user_id: {"user_id": one.user_id, "name": one.name} for one in listeners}.values())
