"""One call as the live list shows it (docs/interfaces.md, «The list's socket»). Pure."""

from collections.abc import Iterable
from typing import get_args

import orjson

from livemon_runtime.protocol import Capability

from .encoding import encode_to_keep
from .presence import Listener
from .registry import LiveCall

CAPABILITIES = get_args(Capability)
HOLDER = {"user_id", "name", "lost_since", "role_lost_since"}


def row(live: LiveCall, listeners: Iterable[Listener]) -> bytes:
    """The row of a call, encoded."""
    call, holder = live.call, live.controller
    return encode_to_keep(
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
            "holder": holder.model_dump(include=HOLDER) if holder else None,
            "listeners": people(listeners),
            "quiet": live.quiet_since,
            "caps": [one for one in CAPABILITIES if one in call.capabilities],
            "audio": call.audio is not None,
        }
    )


def changed_fields(before: bytes, after: bytes) -> dict[str, object]:
    """What of an encoded row is another than it was, with the call's id."""
    old: dict[str, object] = orjson.loads(before)
    new: dict[str, object] = orjson.loads(after)
    return {name: value for name, value in new.items() if name == "id" or old[name] != value}


def people(listeners: Iterable[Listener]) -> list[dict[str, str]]:
    """Who listens, each person once."""
    return list({one.user_id: {"user_id": one.user_id, "name": one.name} for one in listeners}.values())
