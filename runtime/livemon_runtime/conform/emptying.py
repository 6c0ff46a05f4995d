"""The database is emptied while a supervisor has the call: within ten seconds everything is as it was.

Only on demand: it takes with it whatever else is there.
"""

import time
from typing import Any

from .examination import Examination, rules
from .subject import A_BEAT_S, SOON_S, Claim, parsed, within

_LASTING = ("call_id", "call_type", "direction", "from_number", "to_number", "start_timestamp", "call_status", "audio")
"""What does not change of a call while somebody has it."""


class ForeignKeys(Exception):
    """There is something in the database that is not livemon's."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"The database has keys that are not livemon's ({key!r} is one), so it is not emptied. Give the runtime and "
            "this command an empty database, then run it again with --destructive."
        )


async def ensure_ours(redis: Any) -> None:
    """Raises `ForeignKeys` if anything but livemon's keys is there."""
    async for key in redis.scan_iter(count=1_000):
        if not key.startswith(b"livemon:"):
            raise ForeignKeys(key.decode(errors="replace"))


async def examine(it: Examination, claim: Claim) -> None:
    subject, report = it.subject, it.report
    before, entries = await subject.stored(), await subject.entries()
    await ensure_ours(subject.redis)
    await subject.redis.flushdb()
    await subject.redis.script_flush()
    emptied = time.monotonic()

    async def back() -> bool:
        return bool((await subject.stored()).get("incarnation"))

    if not await within(A_BEAT_S, back):
        report.broken("emptied.call", f"the call is not there {A_BEAT_S:.0f} s after the database was emptied")
        report.untried("The call did not come back.", *rules("emptied"))
        return
    after = await subject.stored()
    print_s = time.monotonic() - emptied
    await _announced(it, before, after, print_s)
    await _runtime(it)
    await _transcript(it, entries)
    controller = await subject.controller()
    holds = controller.get("claim_id") == claim.claim_id and int(after.get("generation") or 0) >= claim.generation
    seen = f"generation {after.get('generation')} (it was {before.get('generation')}), the controller {controller or 'none'}"
    report.check("emptied.controller", holds, seen)


async def _announced(it: Examination, before: dict[str, str], after: dict[str, str], seconds: float) -> None:
    async def look() -> list[dict[str, Any]]:
        started = [event for event in it.subject.events if event.get("type") == "call_started"]
        return [parsed(event.get("data")) for event in started if event.get("incarnation") == after["incarnation"]]

    events = await within(SOON_S, look)
    resumed = bool(events) and events[0].get("resumed") is True
    new = after["incarnation"] != before.get("incarnation")
    was, became = (parsed(stored.get("data")) for stored in (before, after))
    same = all(was.get(name) == became.get(name) for name in _LASTING)
    seen = (
        f"after {seconds:.1f} s: the incarnation is {'new' if new else 'the old one'}, resumed is {resumed}, "
        f"the call is {'as it was' if same else 'another: ' + after.get('data', '')}"
    )
    it.report.check("emptied.call", new and resumed and same, seen)


async def _runtime(it: Examination) -> None:
    subject = it.subject

    async def back() -> bool:
        members = subject.keys.runtime_calls(subject.runtime_id)
        member: bool = await subject.redis.sismember(members, subject.call_id)
        score = await subject.redis.zscore(subject.keys.calls, subject.call_id)
        return (
            bool(await subject.redis.exists(subject.keys.runtime(subject.runtime_id))) and member and score is not None
        )

    seen = f"the runtime's key, its calls or the list of calls are not whole {A_BEAT_S:.0f} s later"
    it.report.check("emptied.runtime", await within(A_BEAT_S, back), seen)


async def _transcript(it: Examination, entries: list[tuple[str, str]]) -> None:
    async def whole() -> bool:
        return (await it.subject.entries())[: len(entries)] == entries

    good = await within(A_BEAT_S, whole)
    now = await it.subject.entries()
    seen = f"of {len(entries)} entries {sum(entry in now for entry in entries)} are there again as they were"
    it.report.check("emptied.transcript", good, seen)
