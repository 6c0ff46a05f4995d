"""The runtime in Node through a whole take-over: the browser's microphone, livemon, Valkey, Node, and back to the ear."""

import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.speaking import hears
from tests.browser.supervised import MICROPHONE_HZ, Desk
from tests.browser.test_take_over import Sit, sit, speaking_chromium  # noqa: F401
from tests.conftest import ValkeyProcess
from tests.node_example import NodeExample, install, running

pytestmark = pytest.mark.asyncio(loop_scope="session")

CALLER_HZ, AGENT_HZ = 450, 850


async def test_the_runtime_in_node_is_heard_taken_over_rescued_and_ended(
    tmp_path: Path,
    valkey_of_livemon: ValkeyProcess,
    sit: Sit,  # noqa: F811
):
    program = install(tmp_path)
    maya, leo = await sit("Maya"), await sit("Leo")
    async with running(program, valkey_of_livemon.url) as node:
        call = (await node.says("it rings")).split(":")[0]
        await leo.open_call(call)
        await expect(leo.turns.first).to_contain_text("Blue Table")
        await leo.page.get_by_test_id("live-listen").click()
        await hears(leo.page, "caller", CALLER_HZ)
        await hears(leo.page, "agent", AGENT_HZ)

        await maya.open_call(call)
        await maya.takes_over()
        await _hears_the_microphone(node)
        await maya.hears_the_caller(CALLER_HZ)
        await hears(leo.page, "agent", 0)
        await hears(leo.page, "supervisor", MICROPHONE_HZ)

        await maya.page.close()
        await expect(leo.take_over).to_have_text("Rescue")
        await leo.takes_over()
        await _hears_the_microphone(node)
        await leo.hears_the_caller(CALLER_HZ)
        await _ends(leo)
        await node.says(f"{call}: over (manual_stopped)")
        await expect(leo.page.get_by_test_id("call-ended")).to_be_visible()
        await leo.microphone_is_off()


async def _hears_the_microphone(node: NodeExample) -> None:
    """From now on: the caller's line has the tone."""
    seen = len(node.lines)
    while True:
        line = await node.says("the caller hears", after=seen)
        seen = node.lines.index(line, seen) + 1
        if abs(int(re.findall(r"(\d+) Hz", line)[0]) - MICROPHONE_HZ) < 40:
            return


async def _ends(desk: Desk) -> None:
    await desk.page.get_by_test_id("end-call").click()
    await desk.page.get_by_test_id("end-call-confirm").click()
