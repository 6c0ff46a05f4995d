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
    """The agent had them when the stream broke: through the gateway to the bot once more."""
    STRAIGHT = "straight"
    """To the bot, past the gateway."""
    NEXT = "next"
    """The bot is done: what is configured to follow."""
    HANG_UP = "hang up"


class After:
    AGAIN, STRAIGHT, NEXT, HANG_UP = Step

    def __init__(self, fates: Fates, keys: Keys, redis_url: str) -> None:
        self._fates, self._keys = fates, keys
        self._connection = Connection(redis_url, timeout=_LOOK_UP_S, name="livemon-twilio")
        self._one = asyncio.Lock()

    async def step(self, call_sid: str, attempt: int, *, straight: bool) -> Step:
        """`attempt`: how often it came through the gateway. `straight`: the gateway takes no more calls."""
        fate = self._fates.of(call_sid) or await self._stored(call_sid)
        if fate is Fate.OVER:
            return Step.HANG_UP
        if fate is Fate.BOT_DONE:
            return Step.NEXT
        return Step.STRAIGHT if straight or attempt >= _MOST_ATTEMPTS else Step.AGAIN

    async def _stored(self, call_sid: str) -> Fate:
        """Redis may be away: then nobody knows of a supervisor, and the caller is better off with the bot than cut off."""
        try:
            async with asyncio.timeout(2 * _LOOK_UP_S), self._one:
                (data,) = await self._connection.run([("HGET", self._keys.call(call_sid), "data")])
            call: Any = json.loads(data) if isinstance(data, bytes) else {}
        except (*AWAY, ValueError):
            return Fate.LOST
        return fate_of(cast("dict[str, Any]", call)) if isinstance(call, dict) else Fate.LOST

    async def close(self) -> None:
        await self._connection.close()


def fate_of(call: dict[str, Any]) -> Fate:
    """What a call's stored data says."""
    status, reason = call.get("call_status"), call.get("disconnection_reason")
    if status == "taken_over":
        return Fate.OVER
    if status not in ("ended", "error") or reason in _LOST:
        return Fate.LOST
    return Fate.BOT_DONE if reason in _AGENTS else Fate.OVER
