"""The events of a call, all of them: each change is told once, and in order."""

from ..protocol import CALL_STATE, COMMAND_RESULT
from .announcing import wrong_in
from .examination import Examination

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
        model = COMMAND_RESULT if kind == "command_result" else CALL_STATE
        why = f"without {', '.join(lacking)}" if lacking else "" if kind in _TYPES else "an unknown type"
        why = why or wrong_in(model, event.get("data", ""))
        if why:
            it.report.broken("events.fields", f"{kind or 'an event'}: {why}")
    it.report.holds("events.fields")


async def _revs(it: Examination) -> None:
    last: dict[str, int] = {}
    for event in it.subject.events:
        rev, incarnation = event.get("rev", ""), event.get("incarnation", "")
        if event.get("type") == "command_result" or not rev.isdecimal():
            continue
        expected = last.get(incarnation, int(rev) - 1 if event.get("type") != "call_started" else 0) + 1
        if int(rev) != expected:
            it.report.broken("events.rev", f"{event.get('type')} has rev {rev} where {expected} was due")
        last[incarnation] = int(rev)
    stored = await it.subject.stored()
    told = last.get(stored.get("incarnation", ""), 0)
    it.report.check(
        "events.rev", str(told) == stored.get("rev", "0"), f"rev {stored.get('rev')} was reached, and {told} told last"
    )
