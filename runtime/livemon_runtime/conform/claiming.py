"""Claims that must not be accepted: withdrawn, too late, refused. The agent goes on as if nothing had been."""

from typing import Any

from .commanding import code_of
from .examination import Examination
from .listening import listen
from .subject import SOON_S, Claim, within


async def examine(it: Examination) -> bool:
    """Answers whether the agent has the call still: nothing can be claimed after a claim that was wrongly accepted."""
    withdrawn = await it.subject.claim(withdrawn=True)
    await _no(it, "claim.withdrawn", withdrawn, await it.subject.result(withdrawn.command_id), ("refused", "too_late"))
    if await it.subject.controller():
        return False
    late = await it.subject.claim(lasts_ms=-1_000)
    await _no(it, "claim.late", late, await it.subject.result(late.command_id), ("too_late",))
    await it.subject.withdraw(late)
    if not await it.subject.controller():
        await _refused(it)
    return not await it.subject.controller()


async def _refused(it: Examination) -> None:
    if not it.refused_user:
        why = "No user is known whom this runtime refuses (--refused-user)."
        it.report.untried(why, "claim.refused")
        return
    claim = await it.subject.claim(by=it.refused_user)
    result = await it.subject.result(claim.command_id)
    standing = (await it.subject.stored()).get("claim")
    if standing:
        it.report.broken("claim.refused", f"the claim still stands after its result {result}")
        await it.subject.withdraw(claim)
    await _no(it, "claim.refused", claim, result, ("refused",))


async def _no(it: Examination, rule: str, claim: Claim, result: dict[str, Any] | None, codes: tuple[str, ...]) -> None:
    """It was answered no, and nothing else happened."""
    controller, status = await it.subject.controller(), (await it.subject.data()).get("call_status")
    heard = await it.subject.subscribers(claim)
    good = code_of(result) in codes and not controller and status == "ongoing"
    it.report.check(
        rule, good, f"the result was {result}, then the status {status}, the controller {controller or 'none'}"
    )
    if heard and not controller:
        it.report.broken("claim.channel", f"somebody hears the channel of a claim that was not accepted ({rule})")
    if good and it.codecs:
        await listen(it)
        speaks = await it.hears("caller", SOON_S) or await it.hears("agent", SOON_S)
        it.report.check(rule, speaks, "after it the call's voices were heard no more")


async def is_heard(it: Examination, claim: Claim, wanted: bool) -> bool:
    """Whether the runtime comes to hear that claim's channel, or to leave it."""

    async def look() -> bool:
        return bool(await it.subject.subscribers(claim)) is wanted

    return await within(SOON_S, look)
