"""The runtime and the call that are looked at, as Redis has them; and livemon's part towards them: commands and claims."""

import asyncio
import json
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, TypeVar, cast

from ..keys import Keys
from ..protocol import COMMAND_DEADLINE_MS, COMMANDS_KEPT

_T = TypeVar("_T")
SOON_S = 5.0
"""What is to come at once has come by then, also on a busy machine."""
A_BEAT_S = 10.0
"""What a heartbeat sets right has been set right by then (docs/protocol.md: within 10 s)."""
GRACE_MS = 6_000
USER, NAME = "conform", "Conformance"


async def within(seconds: float, look: Callable[[], Awaitable[_T]]) -> _T:
    """What `look` answers as soon as that is something, or what it answers when the time is over."""
    until = time.monotonic() + seconds
    while True:
        if (seen := await look()) or time.monotonic() > until:
            return seen
        await asyncio.sleep(0.05)


def parsed(text: str | bytes | None) -> dict[str, Any]:
    """The JSON's object, empty for what is none."""
    try:
        found = json.loads(text or "null")
    except ValueError:
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


@dataclass
class Claim:
    claim_id: str
    generation: int
    deadline: int
    command_id: str


@dataclass
class Subject:
    redis: Any
    """A `redis.asyncio.Redis`, which types its own methods in part only."""
    keys: Keys
    runtime_id: str
    call_id: str
    events: list[dict[str, str]] = field(default_factory=lambda: list[dict[str, str]]())
    """The fields of every event of this call, oldest first."""

    async def now(self) -> int:
        """Redis's time (ms)."""
        seconds, microseconds = await self.redis.time()
        return int(seconds) * 1000 + int(microseconds) // 1000

    async def stored(self) -> dict[str, str]:
        """The call's hash as it is."""
        answer: Any = await self.redis.hgetall(self.keys.call(self.call_id))
        return {name.decode(): value.decode(errors="replace") for name, value in answer.items()}

    async def data(self) -> dict[str, Any]:
        """The Call, empty if there is none."""
        return parsed((await self.stored()).get("data"))

    async def controller(self) -> dict[str, Any]:
        """Who holds the call, empty if nobody does."""
        return parsed((await self.stored()).get("controller"))

    async def entries(self) -> list[tuple[str, str]]:
        """The transcript: (id, JSON)."""
        answer: Any = await self.redis.xrange(self.keys.transcript(self.call_id))
        return [(one.decode(), fields.get(b"data", b"").decode(errors="replace")) for one, fields in answer]

    async def can(self, capability: str) -> bool:
        return capability in ((await self.data()).get("capabilities") or [])

    async def follow_events(self, over: asyncio.Event) -> None:
        """Take in this call's events until it is `over`, from the oldest that Redis has."""
        cursor = "0"
        while not over.is_set():
            answer: Any = await self.redis.xread({self.keys.events: cursor}, count=1_000, block=500)
            for entry_id, fields in answer[0][1] if answer else ():
                cursor = entry_id.decode()
                event = {name.decode(): value.decode(errors="replace") for name, value in fields.items()}
                if event.get("call_id") == self.call_id or self._is_ours(event):
                    self.events.append(event)
            if not answer and not await self.redis.exists(self.keys.events):
                cursor = "0"  # emptied

    @staticmethod
    def _is_ours(event: dict[str, str]) -> bool:
        return event.get("type") == "command_result" and event.get("call_id", "").startswith("conform-")

    # --- commands

    async def send(self, kind: str, **fields: Any) -> str:
        """Send a command; answers its id."""
        command: dict[str, Any] = {
            "type": kind,
            "command_id": f"conform-{secrets.token_hex(8)}",
            "call_id": self.call_id,
            "by": USER,
            "by_name": NAME,
            "deadline": await self.now() + COMMAND_DEADLINE_MS,
            **fields,
        }
        key = self.keys.commands(self.runtime_id)
        await self.redis.xadd(key, {"data": json.dumps(command)}, maxlen=COMMANDS_KEPT)
        return command["command_id"]

    def results(self, command_id: str) -> list[dict[str, Any]]:
        """Every result of that command so far."""
        found = [parsed(event.get("data")) for event in self.events if event.get("type") == "command_result"]
        return [one for one in found if one.get("command_id") == command_id]

    async def result(self, command_id: str, *, seconds: float = SOON_S, at_least: int = 1) -> dict[str, Any] | None:
        """The command's result, None if none comes."""

        async def look() -> list[dict[str, Any]]:
            found = self.results(command_id)
            return found if len(found) >= at_least else []

        found = await within(seconds, look)
        return found[-1] if found else None

    async def ask(self, kind: str, **fields: Any) -> dict[str, Any] | None:
        return await self.result(await self.send(kind, **fields))

    # --- claims

    async def claim(self, *, lasts_ms: int = COMMAND_DEADLINE_MS, withdrawn: bool = False, by: str = USER) -> Claim:
        """Claim the call as livemon does, in one script; `withdrawn`: and take it back in the same one."""
        claim_id, command_id = (f"conform-{secrets.token_hex(8)}" for _ in range(2))
        keys = [self.keys.call(self.call_id), self.keys.events, self.keys.commands(self.runtime_id)]
        words = (self.call_id, claim_id, command_id, by, NAME, lasts_ms, GRACE_MS, int(withdrawn))
        generation, deadline = await self._run("claim", keys, *words)
        return Claim(claim_id, int(generation), int(deadline), command_id)

    async def withdraw(self, claim: Claim) -> None:
        """Take it back if it still stands."""
        keys = [self.keys.call(self.call_id), self.keys.events]
        await self._run("withdraw", keys, self.call_id, claim.claim_id)

    async def _run(self, name: str, keys: list[str], *words: str | int) -> Any:
        common = (files("livemon_runtime") / "scripts" / "common.lua").read_text("utf-8")
        source = common + (files(__package__ or "") / f"{name}.lua").read_text("utf-8")
        return await self.redis.eval(source, len(keys), *keys, *map(str, words))

    async def subscribers(self, claim: Claim) -> int:
        """How many hear that claim's supervisor."""
        channel = self.keys.supervisor(self.call_id, claim.claim_id)
        answer: Any = await self.redis.execute_command("PUBSUB", "SHARDNUMSUB", channel)
        return int(answer[1])
