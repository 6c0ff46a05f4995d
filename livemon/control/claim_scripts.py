"""The scripts with which livemon asks for a call, takes its asking back, and marks who has lost the role; and their answers.

They stand on the protocol's `common.lua`, and are run whole: a server that has forgotten them needs no second try.
"""

import asyncio
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import orjson
from redis.asyncio import Redis
from redis.exceptions import ConnectionError

from livemon_runtime.errors import ProtocolError
from livemon_runtime.keys import Keys
from livemon_runtime.protocol import CLAIM, COMMAND_DEADLINE_MS, COMMANDS_KEPT, CONTROLLER, Claim, Controller, read

TIMEOUT_S = 2.0
"""For one answer of Redis."""


@cache
def _source(name: str) -> str:
    common = (files("livemon_runtime") / "scripts" / "common.lua").read_text("utf-8")
    return common + (files("livemon.control") / "scripts" / f"{name}.lua").read_text("utf-8")


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` as the script's head lists them; `claim` and `controller` where it names them."""

    status: str
    claim: Claim | None = None
    controller: Controller | None = None
    runtime: str = ""


@dataclass(frozen=True, slots=True)
class Asking:
    """One claim: the same however often it is sent. `not_after` (ms, Redis's time): past it, it has no effect."""

    call_id: str
    user_id: str
    name: str
    claim_id: str
    command_id: str
    grace_ms: int
    not_after: int
    resume: bool = False
    """Only if the person has the call already: never anew."""
    mine: tuple[str, ...] = ()
    """To resume by itself: only if one of these claims has it, not another tab or device of the same person."""
    answer_ms: int = COMMAND_DEADLINE_MS
    over: bool = False
    """Also from a supervisor who is heard, if they have lost the role; for who may rescue such a call."""


class ClaimScripts:
    """Raises one of `livemon.calls.feed.AWAY` where Redis cannot be reached: then the script may have run."""

    def __init__(self, redis: Redis, keys: Keys, timeout_s: float = TIMEOUT_S) -> None:
        self._redis, self._keys, self._timeout_s = redis, keys, timeout_s

    async def claim(self, asking: Asking, runtime: str) -> Answer:
        """Ask for the call that `runtime` runs."""
        keys = [
            self._keys.call(asking.call_id),
            self._keys.calls,
            self._keys.events,
            self._keys.runtime(runtime),
            self._keys.commands(runtime),
        ]
        times = (asking.answer_ms, asking.grace_ms, asking.not_after, COMMANDS_KEPT)
        how = (int(asking.resume), orjson.dumps(asking.mine).decode(), int(asking.over))
        ids = (asking.call_id, runtime, asking.user_id, asking.name, asking.claim_id, asking.command_id)
        status, said = await self._run("claim", keys, *ids, *times, *how)
        if status == "moved":
            return Answer(status, runtime=said)
        if status in ("yours", "held"):
            return Answer(status, controller=controller_of(said))
        return Answer(status, claim=_claim_of(said))

    async def withdraw(self, call_id: str, claim_id: str, *, own: bool) -> Answer:
        """Take a claim back; not `own`, only past its deadline."""
        keys = [self._keys.call(call_id), self._keys.events, self._keys.calls]
        status, said = await self._run("withdraw", keys, call_id, claim_id, int(own))
        return Answer(status, controller=None if status == "early" else controller_of(said))

    async def role(self, call_id: str, claim_id: str, lost_since: int | None) -> Answer:
        """Say of the supervisor who has the call by that claim since when they have not the role; None: they have it."""
        keys = [self._keys.call(call_id), self._keys.events, self._keys.calls]
        status, said = await self._run("role", keys, call_id, claim_id, "" if lost_since is None else lost_since)
        return Answer(status, controller=controller_of(said))

    async def _run(self, name: str, keys: list[str], *arguments: str | int) -> tuple[str, str]:
        redis: Any = self._redis
        async with asyncio.timeout(self._timeout_s):
            try:
                status, said = await redis.eval(_source(name), len(keys), *keys, *arguments)
            except (ConnectionError, OSError):  # the connection may be one that Redis closed when it was restarted
                status, said = await redis.eval(_source(name), len(keys), *keys, *arguments)
        return status.decode(), said.decode(errors="replace")


def controller_of(text: str) -> Controller | None:
    """None for nobody, and for what no runtime may write: nobody can be named then."""
    try:
        return read(CONTROLLER, text) if text else None
    except ProtocolError:
        return None


def _claim_of(text: str) -> Claim | None:
    try:
        return read(CLAIM, text) if text else None
    except ProtocolError:
        return None
