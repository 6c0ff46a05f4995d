"""What a real pipeline's frames become in the call's record."""

from typing import Any

from pipecat.services.llm_service import FunctionCallParams

from livemon_runtime import Runtime
from tests.adapters.pipecat.bot import ANSWER, Bot, answering
from tests.runtime.conftest import Livemon, eventually


async def entries(livemon: Livemon, role: str) -> list[dict[str, Any]]:
    return [entry for entry in await livemon.transcript("c-1") if entry["role"] == role]


async def test_the_callers_and_the_agents_turns_are_in_the_record(livemon: Livemon, runtime: Runtime) -> None:
    async with answering(runtime) as bot:
        await bot.hearing.hear("I need a table.")
        await eventually(lambda: entries(livemon, "agent"))
    transcript = await livemon.transcript("c-1")
    assert [(entry["role"], entry["content"]) for entry in transcript] == [("user", "I need a table."), ("agent", ANSWER)]
    assert "interrupted" not in transcript[1]
    assert (await livemon.call("c-1"))["data"]["agent_name"] == "Ada"  # type: ignore[index]
