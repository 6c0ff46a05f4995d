"""Asks runtimes for the audio of the calls that this node wants to hear (docs/protocol.md, «Audio», key `…:tap`).

This is all that listening ever writes: the tap key, and the `tap` command that wakes the runtime. Neither reaches the
caller or the agent.
"""

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from livemon_runtime.keys import Keys
from livemon_runtime.protocol import COMMAND_DEADLINE_MS, COMMANDS_KEPT, EXPIRE_AFTER_END_S, TAP_MS, TapCommand

from .metrics import TAP_FAILED

RENEW_EVERY_S = 5.0
TRY_AGAIN_S = 1.0

# KEYS: the tap. ARGV: node, ms that it wants audio for, s until a forgotten key goes.
# Answers Redis's time in ms, and 1 if the node's tap was not there: it is new, or Redis has lost it.
_RENEW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local added = redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[2]), ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return {now, added}
"""

_log = structlog.get_logger(__name__)


class Taps:
    """The calls whose audio this node wants. `runtime_of` names the runtime of a call, or None when it is unknown."""

    def __init__(self, redis: Redis, keys: Keys, node_id: str, runtime_of: Callable[[str], str | None]) -> None:
        self._redis, self._keys, self._node_id = redis, keys, node_id
        self._runtime_of = runtime_of
        self._asked: dict[str, str | None] = {}  # call id -> the runtime that was sent `tap`

    async def want(self, call_id: str, by: str, by_name: str) -> None:
        """Ask for the call's audio until `drop`. Raises `RedisError` or `OSError` if Redis does not take it."""
        self._asked.setdefault(call_id, None)
        now = await self._renew(call_id)
        if self._asked.get(call_id) is None:
            await self._wake(call_id, now, by, by_name)

    async def drop(self, call_id: str) -> None:
        """Stop asking. If Redis is away the tap runs out by itself."""
        self._asked.pop(call_id, None)
        try:
            await self._redis.zrem(self._keys.tap(call_id), self._node_id)
            if call_id in self._asked:  # wanted again in the meantime: its tap may have gone with the old one
                await self._renew(call_id)
        except (RedisError, OSError) as error:
            TAP_FAILED.inc()
            _log.warning("a tap could not be taken away; it runs out by itself", call_id=call_id, error=str(error))

    async def run(self) -> None:
        """Renew all taps every 5 s; after an outage of Redis, as soon as it answers."""
        while True:
            try:
                for call_id in list(self._asked):
                    await self._renew_and_wake(call_id)
                pause = RENEW_EVERY_S
            except (RedisError, OSError) as error:
                TAP_FAILED.inc()
                _log.warning("taps could not be renewed; trying again", error=str(error))
                self._asked = dict.fromkeys(self._asked)  # the runtimes are woken once Redis is back
                pause = TRY_AGAIN_S
            await asyncio.sleep(pause)

    async def _renew_and_wake(self, call_id: str) -> None:
        now = await self._renew(call_id)
        if call_id in self._asked and self._asked[call_id] != self._runtime_of(call_id):
            await self._wake(call_id, now, "livemon", "livemon")

    async def _renew(self, call_id: str) -> int:
        """Renew the tap; return Redis's time in ms. A tap that was not there has to wake its runtime."""
        redis: Any = self._redis
        key = self._keys.tap(call_id)
        now, added = await redis.eval(_RENEW, 1, key, self._node_id, TAP_MS, EXPIRE_AFTER_END_S)
        if added and call_id in self._asked:
            self._asked[call_id] = None
        return int(now)

    async def _wake(self, call_id: str, now: int, by: str, by_name: str) -> None:
        runtime = self._runtime_of(call_id)
        if runtime is None:
            return
        command = TapCommand(
            type="tap",
            command_id=uuid.uuid4().hex,
            call_id=call_id,
            by=by,
            by_name=by_name,
            deadline=now + COMMAND_DEADLINE_MS,
        )
        data: dict[Any, Any] = {"data": command.model_dump_json(exclude_none=True)}
        await self._redis.xadd(self._keys.commands(runtime), data, maxlen=COMMANDS_KEPT, approximate=True)
        if call_id in self._asked:
            self._asked[call_id] = runtime
