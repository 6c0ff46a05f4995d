"""Take-over: one supervisor has the caller, the agent is silent for good, and a supervisor who is lost is said to be."""

import asyncio
import time

from ..codecs import Codec
from ..errors import RtpError
from ..rtp import RtpPacket
from . import claiming, emptying
from .commanding import code_of
from .examination import Examination, rules
from .listening import listen, stop_listening
from .packets import Came
from .speaking import speaking
from .subject import A_BEAT_S, GRACE_MS, SOON_S, Claim, within

_HEARD_S = 5.0
_ALONE_S = 3.0
_TO_BE_SILENT_S = 1.0
"""The agent's last packets may be on their way when the accept is taken."""
_SILENT = {Codec.PCMU: {0xFF, 0x7F}, Codec.PCMA: {0xD5, 0x55, 0xD4, 0x54}}


async def examine(it: Examination, *, destructive: bool, grace: bool) -> None:
    """All of it, with one claim after the other; at its end the call is over, if `grace`."""
    later = (*rules("emptied"), *rules("grace"))
    if not it.codecs or not await it.subject.can("take_over"):
        it.report.untried("It has no `take_over` among its capabilities.", *rules("take-over"), *later)
        return
    if not await claiming.examine(it):
        it.report.untried("A claim that does not stand was accepted.", *rules("take-over"), *later)
        return
    claim = await it.subject.claim()
    if not await _accepted(it, claim):
        it.report.untried("No claim was accepted.", *rules("take-over"), *later)
        return
    it.silent_since = time.monotonic() + _TO_BE_SILENT_S
    async with _supervisor(it, claim):
        await _talk(it, claim)
        if destructive:
            await emptying.examine(it, claim)
        else:
            it.report.untried("Nothing is emptied without --destructive.", *rules("emptied"))
    await _lost(it, claim)
    claim = await _next(it, claim)
    if grace:
        await _gone(it)
    else:
        it.report.untried("It was not waited for.", *rules("grace"))
    _silent(it)


def _supervisor(it: Examination, claim: Claim):
    return speaking(
        it.subject.redis, it.subject.keys.supervisor(it.subject.call_id, claim.claim_id), it.codecs["supervisor"]
    )


async def _accepted(it: Examination, claim: Claim, rule: str = "accept") -> bool:
    subject = it.subject
    result = await subject.result(claim.command_id)
    stored, controller, data = await subject.stored(), await subject.controller(), await subject.data()
    has_it = controller.get("claim_id") == claim.claim_id and controller.get("generation") == claim.generation
    complete = all(name in controller for name in ("user_id", "name", "since"))
    good = bool(result and result.get("ok")) and has_it and complete and not stored.get("claim")
    seen = f"the result was {result}, then the status {data.get('call_status')}, the controller {controller or 'none'}"
    return it.report.check(rule, good and data.get("call_status") == "taken_over", seen)


async def _talk(it: Examination, claim: Claim) -> None:
    subject, report = it.subject, it.report
    heard = await claiming.is_heard(it, claim, True)
    report.check("claim.channel", heard, f"nobody hears the accepted claim's channel after {SOON_S:.0f} s")
    await listen(it)
    await _not_lost(it)
    await stop_listening(it)
    await asyncio.sleep(2)  # whoever looks once a second has looked
    since = time.monotonic()
    await asyncio.sleep(_ALONE_S)
    came = len(it.heard("caller", since))
    report.check("caller.always", came > 0, f"no packet of the caller's within {_ALONE_S:.0f} s while nobody listened")
    await listen(it)
    again = await subject.send(
        "take_over",
        claim_id=claim.claim_id,
        generation=claim.generation,
        grace_ms=GRACE_MS,
        deadline=await subject.now() - 1,
    )
    result = await subject.result(again)
    good = bool(result and result.get("ok"))
    report.check(
        "accept.again", good, f"to the claim that has the call already, past its deadline: {result} {code_of(result)}"
    )


async def _not_lost(it: Examination) -> None:
    """They speak: they are never lost."""
    until, lost = time.monotonic() + _HEARD_S, None
    while time.monotonic() < until and lost is None:
        lost = (await it.subject.controller()).get("lost_since")
        await asyncio.sleep(0.1)
    it.report.check("supervisor.heard", lost is None, f"lost_since was {lost} while a packet came every 20 ms")


async def _lost(it: Examination, claim: Claim) -> None:
    """They fall silent, and come back."""

    async def lost() -> bool:
        return "lost_since" in await it.subject.controller()

    async def back() -> bool:
        return not await lost()

    if not it.report.check(
        "supervisor.lost", await within(SOON_S, lost), f"no lost_since {SOON_S:.0f} s after the last packet"
    ):
        return
    async with _supervisor(it, claim):
        seen = f"lost_since still stood {SOON_S:.0f} s after their packets came again"
        it.report.check("supervisor.heard", await within(SOON_S, back), seen)


async def _next(it: Examination, before: Claim) -> Claim:
    """The same person goes on by another claim."""
    claim = await it.subject.claim()
    if await _accepted(it, claim, "accept.next"):
        joined = await claiming.is_heard(it, claim, True)
        left = await claiming.is_heard(it, before, False)
        ways = "heard" if joined else "not heard", "left" if left else "still heard"
        seen = f"the new claim's channel is {ways[0]}, the old one's {ways[1]}"
        it.report.check("accept.next", joined and left, seen)
    return claim


async def _gone(it: Examination) -> None:
    """Nobody speaks for the whole grace time."""

    async def over() -> bool:
        return (await it.subject.data()).get("call_status") in ("ended", "error")

    ended = await within(GRACE_MS / 1000 + A_BEAT_S, over)
    reason = (await it.subject.data()).get("disconnection_reason")
    seen = (
        f"{'it ended as ' + str(reason) if ended else 'the call goes on'} {GRACE_MS / 1000:.0f} s after the last packet"
    )
    it.report.check("supervisor.gone", ended and reason == "supervisor_lost", seen)


def _silent(it: Examination) -> None:
    """What came of the agent since, on a channel that was tapped most of the time."""
    loud = [packet for packet in it.heard("agent", it.silent_since) if not _is_silence(it, [packet])]
    it.report.check("agent.silent", not loud, f"{len(loud)} packets of the agent's came after the accept")


def _is_silence(it: Examination, came: Came) -> bool:
    codec = it.codecs.get("agent")
    try:
        payload = set(RtpPacket.parse(came[0][1]).payload)
    except RtpError:
        return False
    return codec is not Codec.OPUS and payload <= _SILENT.get(codec or Codec.PCMU, {0})
