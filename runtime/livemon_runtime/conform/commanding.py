"""Commands that end nothing: how they are answered, and that they are done once and in time."""

import secrets
from typing import Any, cast

from .examination import Examination
from .subject import NAME, SOON_S, parsed, within

_SECOND_S = 2.0
"""How long to wait for what must not come."""


async def examine(it: Examination) -> None:
    stranger = f"conform-{secrets.token_hex(8)}"
    result = await it.subject.ask("end", call_id=stranger)
    it.report.check(
        "command.not_found", code_of(result) == "not_found", f"to `end` for a call that is not there: {result}"
    )
    if await it.subject.can("inject"):
        await _inject(it)
    else:
        it.report.untried(
            "The call takes no hints: it has no `inject` among its capabilities.", "inject", "command.repeated"
        )
        await _late(it, "tap")
    await _unsupported(it)


async def _inject(it: Examination) -> None:
    subject, report = it.subject, it.report
    hint = f"Conformance {secrets.token_hex(4)}"
    command: dict[str, Any] = {
        "command_id": f"conform-{secrets.token_hex(8)}",
        "content": hint,
        "trigger_response": False,
    }
    result = await subject.ask("inject", **command)

    async def entered() -> list[dict[str, Any]]:
        return await _hints(it, hint)

    found = await within(SOON_S, entered)
    by = found[0].get("by") if found else None
    good = bool(result and result.get("ok")) and bool(found) and by == NAME
    if not report.check("inject", good, f"its result was {result}; entered were {found}"):
        report.untried("The first one was not done.", "command.repeated")
    else:
        await subject.send("inject", **command)
        again = await subject.result(command["command_id"], at_least=2)
        twice = len(await _hints(it, hint)) > 1
        seen = f"the second result was {again}; the hint was entered {'twice' if twice else 'once'}"
        report.check("command.repeated", again == result and not twice, seen)
    await _late(it, "inject", content=f"{hint}, late", trigger_response=False)


async def _hints(it: Examination, hint: str) -> list[dict[str, Any]]:
    entries = [parsed(data) for _, data in await it.subject.entries()]
    return [entry for entry in entries if entry.get("role") == "injected" and entry.get("content") == hint]


async def _late(it: Examination, kind: str, **fields: Any) -> None:
    past = await it.subject.now() - 1_000
    result = await it.subject.ask(kind, deadline=past, **fields)
    done = await _hints(it, fields.get("content", ""))
    seen = f"to `{kind}` a second past its deadline: {result}{', and it was done' if done else ''}"
    it.report.check("command.deadline", code_of(result) == "too_late" and not done, seen)


async def _unsupported(it: Examination) -> None:
    lacking = [kind for kind in ("inject", "take_over") if not await it.subject.can(kind)]
    if not lacking:
        it.report.untried("The call can do everything.", "command.unsupported")
    for kind in lacking:
        if kind == "inject":
            result, standing = await it.subject.ask(kind, content="Conformance", trigger_response=False), False
        else:
            claim = await it.subject.claim()
            result = await it.subject.result(claim.command_id)
            standing = bool((await it.subject.stored()).get("claim"))
            await it.subject.withdraw(claim)
        seen = f"to `{kind}`, which it does not offer: {result}{', and the claim stands' if standing else ''}"
        it.report.check("command.unsupported", code_of(result) == "unsupported" and not standing, seen)


def code_of(result: dict[str, Any] | None) -> str:
    """The result's error code, empty if it is `ok` or has none."""
    if not result or result.get("ok"):
        return ""
    error: Any = result.get("error")
    return str(cast("dict[str, Any]", error).get("code", "")) if isinstance(error, dict) else ""
