"""The course of an examination: one call for almost all of it, which ends with it, and a second one to end by command."""

import contextlib
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from redis.asyncio import Redis

from ..keys import Keys
from . import announcing, commanding, emptying, ending, listening, taking_over, telling, transcribing
from .beside import beside
from .ears import Ears
from .examination import VOICES, Examination, find_call, live_runtimes, rules
from .report import Report
from .rules import GROUPS
from .subject import Subject

_ON_TAKE_OVER = frozenset({"take-over", "emptied", "grace"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to examine. `runtime`: an id or a name, any if empty; `wait_s`: how long to wait for a call."""

    workspace: str = "default"
    runtime: str = ""
    call_id: str = ""
    groups: tuple[str, ...] = tuple(GROUPS)
    refused_user: str = ""
    destructive: bool = False
    wait_s: float = 60.0


class NoCall(Exception):
    """No call that could be looked at."""


class SeveralRuntimes(Exception):
    """It is not said whose call is to be taken over and ended. `runtimes`: their ids."""

    def __init__(self, runtimes: list[str]) -> None:
        super().__init__(
            f"Calls of several runtimes are live ({', '.join(runtimes)}), and a call that is looked at is taken over and "
            "ended. Say whose with --runtime, or better, give the runtime that you examine a Redis of its own."
        )
        self.runtimes = runtimes


async def examine(url: str, wanted: Wanted, say: Callable[[str], None]) -> Report:
    """Everything that is `wanted`. `say` gets a line for each step.

    Raises `NoCall`, `SeveralRuntimes`, `ForeignKeys` (before anything is done), `InvalidName`, or what redis-py raises when
    Redis is away.
    """
    keys, report = Keys(wanted.workspace), Report(wanted.groups)
    async with Redis.from_url(url, socket_connect_timeout=5, socket_timeout=10) as redis:  # pyright: ignore[reportUnknownMemberType]
        if wanted.destructive:
            await emptying.ensure_ours(redis)
        say(f"waiting up to {wanted.wait_s:.0f} s for a call that its agent has")
        subject = await find_call(
            redis, keys, runtime=wanted.runtime, call_id=wanted.call_id, passed_over=set(), seconds=wanted.wait_s
        )
        if subject is None:
            raise NoCall
        runtimes = await live_runtimes(redis, keys)
        if len(runtimes) > 1 and not wanted.runtime and not wanted.call_id:
            raise SeveralRuntimes(runtimes)
        say(f"looking at call {subject.call_id} of runtime {subject.runtime_id}")
        async with _looking_at(subject, report, wanted) as it:
            await _most(it, wanted, say)
        if "ending" in wanted.groups:
            await _end(redis, keys, subject, report, wanted, say)
    return report


@contextlib.asynccontextmanager
async def _looking_at(subject: Subject, report: Report, wanted: Wanted) -> AsyncGenerator[Examination]:
    """Its events and channels are followed as long as the block lasts."""
    it = Examination(subject, report, Ears(subject.redis), wanted.refused_user)
    await it.read_codecs()
    channels = (subject.keys.partials(subject.call_id), *(it.channel(voice) for voice in VOICES))
    async with beside(subject.follow_events), it.ears.on(*channels):
        yield it
        if "events" in wanted.groups:
            await telling.examine(it)


async def _most(it: Examination, wanted: Wanted, say: Callable[[str], None]) -> None:
    groups = frozenset(wanted.groups)
    steps = {
        "announcing": announcing.examine,
        "transcript": transcribing.examine,
        "audio": listening.examine,
        "commands": commanding.examine,
    }
    for name, step in steps.items():
        if name in groups and not await _over(it, name):
            say(name)
            await step(it)
    if groups & _ON_TAKE_OVER and not await _over(it, *_ON_TAKE_OVER):
        say("take-over, about half a minute")
        destructive = wanted.destructive and "emptied" in groups
        await taking_over.examine(it, destructive=destructive, grace="grace" in groups)


async def _over(it: Examination, *groups: str) -> bool:
    """Whether the call has ended by itself: then these could not be tried on it."""
    data = await it.subject.data()
    if data.get("call_status") not in ("ended", "error"):
        return False
    why = f"The call ended before ({data.get('disconnection_reason')}): have one that lasts two minutes."
    for group in groups:
        it.report.untried(why, *rules(group))
    return True


async def _end(
    redis: Redis, keys: Keys, before: Subject, report: Report, wanted: Wanted, say: Callable[[str], None]
) -> None:
    """The same call if it is live still, or the runtime's next one."""
    subject: Subject | None = before
    if (await before.data()).get("call_status") in ("ended", "error", None):
        say(f"waiting up to {wanted.wait_s:.0f} s for its next call")
        runtime = before.runtime_id
        subject = await find_call(redis, keys, runtime=runtime, passed_over={before.call_id}, seconds=wanted.wait_s)
    if subject is None:
        report.untried("No second call of this runtime came.", *rules("ending"))
        return
    say(f"ending call {subject.call_id}")
    fresh = Subject(redis, keys, subject.runtime_id, subject.call_id)
    async with _looking_at(fresh, report, wanted) as it:
        await ending.examine(it)
