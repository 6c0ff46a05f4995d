"""Calls for tests of the API for programs."""

from typing import Any

from livemon.calls.registry import LiveCall
from livemon_runtime.protocol import Call, Controller

NOW = 1_700_000_000_000


def live(controller: Controller | None = None, quiet: int | None = None, **about: Any) -> LiveCall:
    given = {"call_id": "call-1", "call_type": "web_call", "start_timestamp": NOW, "call_status": "ongoing", **about}
    return LiveCall(Call.model_validate(given), "i1", 1, "rt-1", controller, quiet_since=quiet)
