"""The tap: the voices come while somebody listens, and at no other time; and what they are made of."""

import asyncio
import time

from .examination import VOICES, Examination, rules
from .packets import faults
from .subject import A_BEAT_S, SOON_S, within

_QUIET_S = 2.0
_LISTENED_S = 4.0
_NODE = "conform"
_TAP_MS = 15_000


async def examine(it: Examination) -> None:
    subject, report = it.subject, it.report
    if not it.codecs or not await subject.can("listen"):
        report.untried("The call shares no audio: it has no `listen` among its capabilities.", *rules("audio"))
        return
    if await _others_listen(it):
        report.untried(
            "Somebody else listens to this call: nothing can be said of its silence.", "tap.quiet", "tap.off"
        )
    else:
        await _quiet(it)
    begun = time.monotonic()
    await listen(it)
    coming = await _comes(it, A_BEAT_S)
    if report.check("tap.heartbeat", coming, f"no voice came within {A_BEAT_S:.0f} s of the tap's entry"):
        await _voices(it)
    else:
        report.untried("No voice came.", *(rule for rule in rules("audio") if rule.startswith("rtp.")))
    if report.verdict("tap.quiet") == "holds":
        await _off(it)
    await _woken(it, begun)
    await stop_listening(it)


async def listen(it: Examination) -> None:
    """Ask for the voices, for 15 s."""
    key = it.subject.keys.tap(it.subject.call_id)
    await it.subject.redis.zadd(key, {_NODE: await it.subject.now() + _TAP_MS})


async def stop_listening(it: Examination) -> None:
    await it.subject.redis.zrem(it.subject.keys.tap(it.subject.call_id), _NODE)


async def _others_listen(it: Examination) -> bool:
    key, now = it.subject.keys.tap(it.subject.call_id), await it.subject.now()
    return bool(await it.subject.redis.zcount(key, now, "+inf"))


async def _quiet(it: Examination) -> None:
    since = time.monotonic()
    await asyncio.sleep(_QUIET_S)
    came = sum(len(it.heard(voice, since)) for voice in VOICES)
    it.report.check("tap.quiet", not came, f"{came} packets within {_QUIET_S:.0f} s while nobody listened")


async def _comes(it: Examination, seconds: float) -> bool:
    since = time.monotonic()

    async def look() -> bool:
        return any(it.heard(voice, since) for voice in VOICES)

    return await within(seconds, look)


async def _voices(it: Examination) -> None:
    await listen(it)
    since = time.monotonic()
    await asyncio.sleep(_LISTENED_S)
    looked: set[str] = set()
    for voice in VOICES:
        came = it.heard(voice, since)
        if voice not in it.codecs or len(came) < 2:
            continue
        looked.add(voice)
        for rule, seen in faults(it.codecs[voice], came).items():
            it.report.broken(rule, f"{voice}: {seen}")
    names = [rule for rule in rules("audio") if rule.startswith("rtp.")]
    if looked:
        it.report.holds(*names)
    else:
        it.report.untried("Neither voice spoke.", *names)


async def _off(it: Examination) -> None:
    """An entry that lies in the past listens no more."""
    key = it.subject.keys.tap(it.subject.call_id)
    await it.subject.redis.zadd(key, {_NODE: await it.subject.now() - 1})

    async def silent() -> bool:
        since = time.monotonic()
        await asyncio.sleep(1)
        return not any(it.heard(voice, since) for voice in VOICES)

    seen = f"packets still came {SOON_S:.0f} s after the tap's last entry had passed"
    it.report.check("tap.off", await within(SOON_S, silent), seen)


async def _woken(it: Examination, begun: float) -> None:
    await listen(it)
    result = await it.subject.ask("tap")
    good = bool(result and result.get("ok")) and await _comes(it, SOON_S)
    it.report.check("tap.command", good, f"its result was {result}, or no voice came within {SOON_S:.0f} s")
