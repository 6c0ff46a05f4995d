"""The events of a call, all of them: each change is told once, and in order."""

from ..protocol import COMMAND_RESULT
from .announcing import wrong_event, wrong_in
from .examination import Examination
from .subject import SOON_S, within

_TYPES = frozenset({"call_started", "call_updated", "call_ended", "command_result"})
_FIELDS = ("type", "call_id", "incarnation", "rev", "data")


async def examine(it: Examination) -> None:
    """To be called when all else is done."""
    _fields(it)
    await _revs(it)


def _fields(it: Examination) -> None:
    for event in it.subject.events:
        lacking = [name for name in _FIELDS if name not in event]
        kind = event.get("type", "")
        why = f"without {', '.join(lacking)}" if lacking else "" if kind in _TYPES else "an unknown type"
        why = why or (wrong_in(COMMAND_RESULT, event["data"]) if kind == "command_result" else wrong_event(event))
        if why:
            it.report.broken("events.fields", f"{kind or 'an event'}: {why}")
    it.report.holds("events.fields")


async def _revs(it: Examination) -> None:
    reached = await within(SOON_S, lambda: _told(it))
    stored = await it.subject.stored()
    it.report.check("events.rev", reached, f"the call reached rev {stored.get('rev')}, which no event told")


async def _told(it: Examination) -> bool:
    """Whether the call as it now stands was told; on the way, whether each rev is the one before and one."""
    stored, last = await it.subject.stored(), dict[str, int]()
    for event in it.subject.events:
        rev, incarnation = event.get("rev", ""), event.get("incarnation", "")
        if event.get("type") == "command_result" or not rev.isdecimal():
            continue
        first = 1 if event.get("type") == "call_started" else int(rev)  # what was before may be trimmed
        due = last[incarnation] + 1 if incarnation in last else first
        if int(rev) != due:
            it.report.broken("events.rev", f"{event.get('type')} has rev {rev} where {due} was due")
        last[incarnation] = int(rev)
    return str(last.get(stored.get("incarnation", ""))) == stored.get("rev")
