"""The transcript as it grows, and the turns that are not final."""

import time

from pydantic import ValidationError

from ..protocol import ENTRY, Turn
from .examination import Examination
from .subject import parsed, within

_PATIENCE_S = 20.0
_RATE = 10


async def examine(it: Examination) -> None:
    """Wait for a turn whose partials were heard from their first to their last."""
    subject, report = it.subject, it.report
    channel, begun = subject.keys.partials(subject.call_id), time.monotonic()
    await within(_PATIENCE_S, lambda: _finished(it, channel, begun))
    entries = await subject.entries()
    if not entries:
        report.untried("Nothing was said.", "transcript.ids", "transcript.entries", "transcript.final")
    else:
        _entries(it, entries)
    partials = it.ears.since(channel, begun)
    if not partials:
        report.untried("No partial turn came.", "partials.entries", "partials.rate")
    else:
        await _partials(it, partials, entries)


def _entries(it: Examination, entries: list[tuple[str, str]]) -> None:
    ids = [entry_id for entry_id, _ in entries]
    first = int(ids[0].split("-")[0])
    expected = [f"{first + n}-0" for n in range(len(ids))]
    it.report.check("transcript.ids", ids == expected and first == 1, f"they are {', '.join(ids[:5])} …")
    wrong = [f"{entry_id}: {why}" for entry_id, data in entries if (why := _wrong(data))]
    it.report.check("transcript.entries", not wrong, "; ".join(wrong[:3]))
    partial = [entry_id for entry_id, data in entries if parsed(data).get("final") is False]
    it.report.check("transcript.final", not partial, f"not final: {', '.join(partial[:5])}")


async def _finished(it: Examination, channel: str, begun: float) -> bool:
    """Whether a turn that was heard as a partial is in the transcript, or was taken back."""
    said = [parsed(data.decode(errors="replace")) for _, data in it.ears.since(channel, begun)]
    started, known = {one.get("id") for one in said}, await _ids(it)
    return any(one.get("retracted") for one in said) or bool(started & known)


async def _ids(it: Examination) -> set[str]:
    return {str(parsed(data).get("id")) for _, data in await it.subject.entries()}


async def _partials(it: Examination, partials: list[tuple[float, bytes]], entries: list[tuple[str, str]]) -> None:
    texts = [data.decode(errors="replace") for _, data in partials]
    wrong = [why for text in texts if (why := _wrong(text))]
    said = [parsed(text) for text in texts]
    ids = {one.get("id") for one in said}
    orphan = not ids & await _ids(it) and not any(one.get("retracted") for one in said)
    if orphan and not wrong:
        wrong = [f"none of {len(ids)} turns came to its end under its id within {_PATIENCE_S:.0f} s"]
    it.report.check("partials.entries", not wrong, "; ".join(wrong[:3]))
    for turn in ids:
        times = [at for (at, _), one in zip(partials, said, strict=True) if one.get("id") == turn]
        allowed = _RATE * (times[-1] - times[0] + 1)
        if len(times) > allowed:
            it.report.broken("partials.rate", f"{len(times)} of one turn within {times[-1] - times[0]:.1f} s")
    it.report.holds("partials.rate")


def _wrong(data: str) -> str:
    try:
        entry = ENTRY.validate_json(data, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']} in {data[:200]}"
    if isinstance(entry, Turn) and parsed(data).get("final") is None:
        return f"a turn without final in {data[:200]}"
    return ""
