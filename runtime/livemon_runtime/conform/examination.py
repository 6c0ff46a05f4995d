"""One examination: what every check is given, and how a call of the runtime is found to look at."""

import time
from dataclasses import dataclass, field
from typing import Any, cast

from ..codecs import Codec
from ..keys import Keys, Voice
from .ears import Ears
from .report import Report
from .rules import GROUPS
from .subject import Subject, parsed, within

VOICES: tuple[Voice, Voice] = ("caller", "agent")


@dataclass
class Examination:
    """What a check has to know. `refused_user`: whose claims this runtime is set up to refuse, empty for nobody."""

    subject: Subject
    report: Report
    ears: Ears
    refused_user: str = ""
    silent_since: float = 0.0
    """Since when (monotonic seconds) the agent has had to be silent for good, 0 while it may speak."""
    codecs: dict[str, Codec] = field(default_factory=lambda: dict[str, Codec]())
    """By voice; empty for a call without audio."""

    async def read_codecs(self) -> None:
        audio: Any = (await self.subject.data()).get("audio")
        said = cast("dict[str, Any]", audio) if isinstance(audio, dict) else {}
        known = {codec.value for codec in Codec}
        self.codecs = {name: Codec(codec) for name, codec in said.items() if codec in known}
        if "caller" in self.codecs:
            self.codecs.setdefault("supervisor", self.codecs["caller"])

    def channel(self, voice: Voice) -> str:
        return self.subject.keys.audio(self.subject.call_id, voice)

    def heard(self, voice: Voice, since: float) -> list[tuple[float, bytes]]:
        return self.ears.since(self.channel(voice), since)

    async def hears(self, voice: Voice, seconds: float, since: float | None = None) -> bool:
        """Whether that voice comes within so many seconds from now."""
        begun = time.monotonic() if since is None else since

        async def look() -> bool:
            return bool(self.heard(voice, begun))

        return await within(seconds, look)


async def find_call(
    redis: Any, keys: Keys, *, runtime: str = "", call_id: str = "", passed_over: set[str], seconds: float
) -> Subject | None:
    """The newest live call that is the agent's still, None if there is none in time. `runtime`: an id or a name."""

    async def look() -> Subject | None:
        live: list[bytes] = await redis.zrevrange(keys.calls, 0, 99)
        for found in (one.decode(errors="replace") for one in live):
            if found in passed_over or (call_id and found != call_id):
                continue
            subject = Subject(redis, keys, (await _runtime_of(redis, keys, found)), found)
            if await _fits(subject, runtime):
                return subject
        return None

    return await within(seconds, look)


async def live_runtimes(redis: Any, keys: Keys) -> list[str]:
    """Whose calls are live: their ids, in order; of the newest hundred calls."""
    live: list[bytes] = await redis.zrevrange(keys.calls, 0, 99)
    return sorted({await _runtime_of(redis, keys, one.decode(errors="replace")) for one in live})


async def _runtime_of(redis: Any, keys: Keys, call_id: str) -> str:
    found: bytes | None = await redis.hget(keys.call(call_id), "runtime")
    return (found or b"").decode(errors="replace")


async def _fits(subject: Subject, runtime: str) -> bool:
    if (await subject.data()).get("call_status") != "ongoing" or await subject.controller():
        return False
    if runtime in ("", subject.runtime_id):
        return True
    told = parsed(await subject.redis.get(subject.keys.runtime(subject.runtime_id)))
    return told.get("name") == runtime


def rules(group: str) -> tuple[str, ...]:
    return tuple(GROUPS[group])
