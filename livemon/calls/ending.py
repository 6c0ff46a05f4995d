"""Ending a call whose runtime is gone, by a script that acts once however many nodes run it. Nothing else writes calls."""

from importlib.resources import files

import orjson
from redis.asyncio import Redis

from livemon.metrics import RUNTIME_LOST
from livemon_runtime.keys import Keys
from livemon_runtime.protocol import EVENTS_KEPT, EXPIRE_AFTER_END_S

from .registry import LiveCall, lost

_SCRIPT = files("livemon.calls").joinpath("scripts/runtime_lost.lua").read_text("utf-8")


async def end_lost(redis: Redis, keys: Keys, known: LiveCall, now: int) -> bool:
    """End the call as `runtime_lost` if it still is what we know, and its runtime still missing; answers whether it did."""
    ended = lost(known, now)
    call_id = known.call.call_id
    call = ended.call.model_dump_json(exclude_unset=True)
    event = {
        "call": orjson.Fragment(call),
        "controller": None,
        "claim": None,
        "runtime": known.runtime,
        "resumed": False,
    }
    done = await redis.eval(
        _SCRIPT,
        5,
        keys.call(call_id),
        keys.calls,
        keys.events,
        keys.runtime(known.runtime),
        keys.transcript(call_id),
        call_id,
        known.incarnation,
        str(known.rev),
        call,
        orjson.dumps(event),
        str(EXPIRE_AFTER_END_S),
        str(EVENTS_KEPT),
    )
    if done:
        RUNTIME_LOST.labels(keys.workspace).inc()
    return bool(done)
