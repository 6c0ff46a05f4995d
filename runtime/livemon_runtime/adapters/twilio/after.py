"""How a call goes on once its stream is over: by what this process knows of it, or else by what Redis says.

A gateway that was killed and started again knows nothing of its calls, and neither does another one behind the same address.
"""

import asyncio
import json
from enum import Enum
from typing import Any, cast

from ...connection import AWAY, Connection
from ...keys import Keys
from .fates import Fate, Fates

_MOST_ATTEMPTS = 3
_LOOK_UP_S = 1.0
_AGENTS = ("agent_hangup", "user_hangup", "error_bot_unreachable", "error_bot_lost")
_LOST = ("runtime_lost", "error_carrier_lost", "error_gateway_stopped", "error_gateway", "error_call_lost")
"""Ends that are livemon's trouble, and not the caller's."""


class Step(Enum):
    AGAIN = "again"
    """The agent had them when the gateway died: through a gateway to the bot once more, in the row that is still there."""
    ANEW = "anew"
    """The same, and the row is over: in one of its own."""
    STRAIGHT = "straight"
    """To the bot, past the gateway."""
    NEXT = "next"
    """The bot is done: what is configured to follow."""
    HANG_UP = "hang up"


_STEPS = {Fate.LIVE: Step.ANEW, Fate.LOST: Step.ANEW, Fate.BOT_DONE: Step.NEXT, Fate.OVER: Step.HANG_UP}


class After:
    def __init__(self, fates: Fates, keys: Keys, redis_url: str) -> None:
        self._fates, self._keys = fates, keys
        self._connection = Connection(redis_url, timeout=_LOOK_UP_S, name="livemon-twilio")
        self._one = asyncio.Lock()

    async def step(self, call_sid: str, attempt: int, *, straight: bool) -> Step:
        """`attempt`: how often it came through the gateway. `straight`: the gateway takes no more calls."""
        fate = self._fates.of(call_sid)
        step = _STEPS[fate] if fate else await self._stored(call_sid)
        if step in (Step.AGAIN, Step.ANEW) and (straight or attempt >= _MOST_ATTEMPTS):
            return Step.STRAIGHT
        return step

    async def _stored(self, call_sid: str) -> Step:
        """Redis may be away: then nobody knows of a supervisor, and the caller is better off with the bot than cut off."""
        try:
            async with asyncio.timeout(2 * _LOOK_UP_S), self._one:
                (data,) = await self._connection.run([("HGET", self._keys.call(call_sid), "data")])
            call: Any = json.loads(data) if isinstance(data, bytes) else {}
        except (*AWAY, ValueError):
            return Step.ANEW
        return step_of(cast("dict[str, Any]", call)) if isinstance(call, dict) else Step.ANEW

    async def close(self) -> None:
        await self._connection.close()


def step_of(call: dict[str, Any]) -> Step:
    """What a call's stored data says."""
    status, reason = call.get("call_status"), call.get("disconnection_reason")
    if status == "taken_over":
        return Step.HANG_UP
    if status not in ("ended", "error"):
        return Step.AGAIN
    if reason in _LOST:
        return Step.ANEW
    return Step.NEXT if reason in _AGENTS else Step.HANG_UP
