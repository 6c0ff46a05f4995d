"""What a runtime says of itself and of a call that has begun: keys, fields and their types, and when they expire."""

import asyncio
import re
import secrets
import time
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from ..protocol import CALL, CALL_STATE, EXPIRE_AFTER_END_S, HEARTBEAT_S, RUNTIME_TTL_S
from ..scripts import CallScripts, script
from .examination import Examination
from .subject import A_BEAT_S, SOON_S, Subject, parsed, within

_ID = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_KNOWN = frozenset({"listen", "take_over", "end", "inject"})
_RARE_MS = (RUNTIME_TTL_S - 2 * HEARTBEAT_S) * 1000
"""A key whose life is shorter was not renewed twice in a row."""


async def examine(it: Examination) -> None:
    await _runtime(it)
    await _call(it)
    await asyncio.gather(_renewed(it), _members(it))


async def _runtime(it: Examination) -> None:
    subject, report = it.subject, it.report
    ids = {"runtime_id": subject.runtime_id, "call_id": subject.call_id}
    bad = [f"{name} is {value!r}" for name, value in ids.items() if not _ID.fullmatch(value)]
    report.check("runtime.id", not bad, "; ".join(bad))
    key = subject.keys.runtime(subject.runtime_id)
    told: bytes | None = await subject.redis.get(key)
    info = parsed((told or b"").decode(errors="replace"))
    fits = isinstance(info.get("name"), str) and isinstance(info.get("version"), str)
    report.check(
        "runtime.key", fits and info.get("protocol") == 1, f"{key} is {(told or b'').decode(errors='replace')!r}"
    )
    ttl = await subject.redis.ttl(key)
    report.check("runtime.expiry", 0 <= ttl <= RUNTIME_TTL_S, f"TTL {key} answers {ttl}")


async def _call(it: Examination) -> None:
    subject, report = it.subject, it.report
    stored = await subject.stored()
    lacking = [name for name in ("incarnation", "rev", "data", "runtime", "generation") if not stored.get(name)]
    numbers = [name for name in ("rev", "generation") if not stored.get(name, "").isdecimal()]
    report.check("call.hash", not lacking and not numbers, f"missing or no number: {', '.join([*lacking, *numbers])}")
    data = await subject.data()
    wrong = wrong_in(CALL, stored.get("data", ""))
    if data.get("call_id") != subject.call_id:
        wrong = wrong or f"call_id is {data.get('call_id')!r} in the hash of {subject.call_id}"
    report.check("call.fields", not wrong, wrong)
    capabilities: Any = data.get("capabilities", [])
    listed = cast("list[Any]", capabilities) if isinstance(capabilities, list) else ["no list"]
    named = set(map(str, listed)) <= _KNOWN
    report.check("call.capabilities", named, f"capabilities is {capabilities!r}")
    audible = "audio" in data or not (named and {"listen", "take_over"} & set(map(str, listed)))
    report.check("call.audio", audible, f"capabilities is {capabilities!r}, and there is no audio")
    score = await subject.redis.zscore(subject.keys.calls, subject.call_id)
    start = data.get("start_timestamp")
    report.check(
        "call.index", score is not None and score == start, f"its score is {score}, its start_timestamp {start}"
    )
    kept = {key: await subject.redis.ttl(key) for key in (subject.keys.call(subject.call_id), _transcript(subject))}
    expiring = [f"TTL {key} answers {ttl}" for key, ttl in kept.items() if ttl >= 0]
    report.check("call.kept", not expiring, "; ".join(expiring))
    await _event(it, stored.get("incarnation", ""))


async def _event(it: Examination, incarnation: str) -> None:
    async def look() -> list[dict[str, str]]:
        return [event for event in it.subject.events if event.get("incarnation") == incarnation]

    found = await within(SOON_S, look)
    started = [event for event in found if event.get("type") == "call_started"]
    wrong = wrong_event(started[0]) if started else "no call_started event of this incarnation"
    report_age = await it.subject.now() - int((await it.subject.data()).get("start_timestamp") or 0)
    if not started and report_age > EXPIRE_AFTER_END_S * 1000:
        it.report.untried("Its events are trimmed by now: the call began more than an hour ago.", "call.event")
    else:
        it.report.check("call.event", not wrong, wrong)


async def _renewed(it: Examination) -> None:
    """Watch the key for as long as it can live unrenewed."""
    subject = it.subject
    key, lowest, renewals, last = subject.keys.runtime(subject.runtime_id), RUNTIME_TTL_S * 1000, 0, 0
    until = time.monotonic() + RUNTIME_TTL_S
    while renewals < 2 and lowest >= _RARE_MS and time.monotonic() < until:
        left = await subject.redis.pttl(key)
        renewals += left > last > 0
        last, lowest = left, min(lowest, left)
        await asyncio.sleep(0.1)
    seen = f"{renewals} renewals in {RUNTIME_TTL_S} s, and {lowest} ms of its life were left at one time"
    it.report.check("runtime.renewed", renewals >= 2 and lowest >= _RARE_MS, seen)


async def _members(it: Examination) -> None:
    """A call that stands as the runtime's, and that it does not know."""
    subject, report = it.subject, it.report
    members = subject.keys.runtime_calls(subject.runtime_id)
    present: bool = await subject.redis.sismember(members, subject.call_id)
    ttl = await subject.redis.ttl(members)
    report.check("runtime.calls_expiry", 0 <= ttl <= EXPIRE_AFTER_END_S, f"TTL {members} answers {ttl}")
    stranger = f"conform-{secrets.token_hex(8)}"
    data = {"call_id": stranger, "call_type": "web_call", "start_timestamp": 1, "call_status": "registered"}
    announce = CallScripts(subject.keys, subject.runtime_id, stranger).announce(
        secrets.token_hex(8), CALL.validate_python(data).model_dump_json(exclude_none=True), 1, resumed=False, generation=0,
        controller="",
    )  # fmt: skip
    await subject.redis.execute_command("SCRIPT", "LOAD", script("announce").source)
    await subject.redis.execute_command(*announce)

    async def ended() -> bool:
        score = await subject.redis.zscore(subject.keys.calls, stranger)
        member: bool = await subject.redis.sismember(members, stranger)
        return score is None and not member

    gone = await within(A_BEAT_S, ended)
    await subject.redis.zrem(subject.keys.calls, stranger)
    await subject.redis.srem(members, stranger)
    await subject.redis.expire(subject.keys.call(stranger), 60)
    if not present:
        report.broken("runtime.calls", f"{subject.call_id} is not in {members}")
    report.check(
        "runtime.calls",
        gone,
        f"{stranger}, a call that it does not have, still stood as its own after {A_BEAT_S:.0f} s",
    )


def _transcript(subject: Subject) -> str:
    return subject.keys.transcript(subject.call_id)


def wrong_event(event: dict[str, str]) -> str:
    """What is wrong with the `data` of an event about a call, but for the call and the id in it; empty if nothing is."""
    return wrong_in(CALL_STATE, event.get("data", ""), but=("call", "runtime"))


def wrong_in(message: TypeAdapter[Any], json: str, but: tuple[str, ...] = ()) -> str:
    """What is wrong with it, leaving out some fields; empty if nothing is. A string of digits is no number here."""
    try:
        message.validate_json(json, strict=True)
    except ValidationError as error:
        found = [
            one
            for one in error.errors(include_url=False, include_input=False)
            if one["loc"][:1] not in {(name,) for name in but}
        ]
        return f"{'.'.join(map(str, found[0]['loc']))}: {found[0]['msg']}" if found else ""
    return ""
