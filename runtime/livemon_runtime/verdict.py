"""The runtime's word on a supervisor's claim, while it is on its way to Redis (docs/protocol.md, «Take-over»). Pure."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from .supervisor import Supervisor

UNKNOWN_MS = 5_000
"""How long past a claim's deadline the agent holds its tongue while Redis does not answer."""


@dataclass(slots=True)
class Verdict:
    """Accepts or refuses one claim; only the script's answer says what became of it."""

    claim_id: str
    generation: int
    command_id: str
    deadline: int
    refusal: tuple[str, str] | None
    """Code and message; None accepts."""
    supervisor: Supervisor
    """Who has the call if Redis says yes."""
    settled: Callable[[bool], None]
    """Told once whether the claim has the call."""
    version: int = 0
    """Which version of the call went along when it was first sent: if Redis took that, it took no later one."""

    def expired(self, now_ms: int) -> bool:
        """Nobody answered in time: it counts as refused, whatever Redis made of it."""
        return now_ms > self.deadline + UNKNOWN_MS


def claim_of(controller: str | None) -> str:
    """The claim id in a controller's JSON, empty if there is none."""
    if not controller:
        return ""
    try:
        return str(json.loads(controller)["claim_id"])
    except (ValueError, TypeError, KeyError):
        return "?"
