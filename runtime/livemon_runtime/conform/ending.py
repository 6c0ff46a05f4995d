"""A call is ended by command: what is said of it, what goes at once, and what is kept for how long."""

from ..protocol import EXPIRE_AFTER_END_S
from .examination import Examination, rules
from .subject import A_BEAT_S, SOON_S, within


async def examine(it: Examination) -> None:
    subject, report = it.subject, it.report
    if not await subject.can("end"):
        report.untried("It has no `end` among its capabilities.", *rules("ending"))
        return
    result = await subject.result(await subject.send("end"), seconds=A_BEAT_S)

    async def over() -> bool:
        return (await subject.data()).get("call_status") in ("ended", "error")

    ended = await within(A_BEAT_S, over)
    data, stored = await subject.data(), await subject.stored()
    fits = data.get("disconnection_reason") == "manual_stopped" and isinstance(data.get("end_timestamp"), int)
    holder = stored.get("controller") or stored.get("claim")
    told = await within(SOON_S, lambda: _told(it))
    good = ended and fits and not holder and told and bool(result and result.get("ok"))
    kept = {name: data.get(name) for name in ("call_status", "disconnection_reason", "end_timestamp")}
    seen = f"the result was {result}; the call says {kept}; {'a' if told else 'no'} call_ended event came"
    if not report.check("end", good, seen) and not ended:
        report.untried("The call did not end.", *rules("ending"))
        return
    await _kept(it)
    again = await subject.ask("end")
    report.check("end.again", bool(again and again.get("ok")), f"to a second `end`: {again}")


async def _told(it: Examination) -> bool:
    return any(event.get("type") == "call_ended" for event in it.subject.events)


async def _kept(it: Examination) -> None:
    subject, report = it.subject, it.report
    members = subject.keys.runtime_calls(subject.runtime_id)
    score = await subject.redis.zscore(subject.keys.calls, subject.call_id)
    member: bool = await subject.redis.sismember(members, subject.call_id)
    seen = f"it is {'still' if score is not None else 'not'} in {subject.keys.calls}, {'still' if member else 'not'} in {members}"
    report.check("end.index", score is None and not member, seen)
    keys = (subject.keys.call(subject.call_id), subject.keys.transcript(subject.call_id))
    lives = {key: await subject.redis.ttl(key) for key in keys}
    wrong = [
        f"TTL {key} answers {ttl}" for key, ttl in lives.items() if not (ttl == -2 or 0 < ttl <= EXPIRE_AFTER_END_S)
    ]
    report.check("end.expiry", not wrong, "; ".join(wrong))
