"""Who has a call at one node loses the role, or the place, by an Admin at the other: the caller's ear, and what is tried then."""

import asyncio
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect
from redis.asyncio import Redis

from livemon.access.roles import Role
from livemon_runtime.keys import Keys
from tests.browser import test_take_over
from tests.browser.conftest import running
from tests.browser.supervised import Desk, bot
from tests.browser.test_role_loss import SEEN, alert_of
from tests.browser.test_take_over import Sit
from tests.conftest import ValkeyProcess
from tests.livemon_process import LivemonProcess
from tests.media.call_source import CALLER_HZ
from tests.media.offers import offer, section
from tests.two_nodes import Asker, asker, two_nodes

pytestmark = pytest.mark.asyncio(loop_scope="session")

speaking_chromium, sit = test_take_over.speaking_chromium, test_take_over.sit
SEEN_UNHEARD = SEEN.replace("role-lost-alert", "unheard-alert")
TALK, LISTEN = offer(section("0", "sendrecv")), offer(section("0", "recvonly"), section("1", "recvonly"))


@pytest.fixture
def nodes(postgres, new_database, own_valkey: ValkeyProcess, tmp_path: Path) -> Iterator[list[LivemonProcess]]:
    with two_nodes(postgres.url(new_database()), own_valkey.url, tmp_path) as made:
        yield made


async def cookie_of(desk: Desk) -> str:
    cookies = await desk.page.context.cookies()
    return next(cookie["value"] for cookie in cookies if cookie["name"] == "livemon_session")


async def claim_of(url: str, call_id: str) -> str:
    async with Redis.from_url(url) as redis:
        stored = await redis.hget(Keys().call(call_id), "controller")
    return re.search(rb'"claim_id":"(\w+)"', stored)[1].decode()


async def tries(leo: Asker, call_id: str, claim: str) -> dict[str, int]:
    """All that somebody may think of who has had the call."""
    bodies: dict[str, Any] = {
        "claim": {"sdp": TALK},
        "resume": {"sdp": TALK, "resume": True},
        "resume by the claim": {"sdp": TALK, "resume": True, "mine": [claim]},
        "resume by another claim": {"sdp": TALK, "resume": True, "mine": ["0" * 24]},
    }
    found = {what: (await leo.post(f"/calls/{call_id}/take-over", body)).status_code for what, body in bodies.items()}
    found["listen"] = (await leo.post(f"/calls/{call_id}/listen", {"sdp": LISTEN})).status_code
    return found


async def test_the_caller_hears_on_until_an_admin_of_the_other_node_rescues_and_then_nothing_brings_the_call_back(
    nodes: list[LivemonProcess], own_valkey: ValkeyProcess, sit: Sit
):
    one, two = nodes
    admin = await asker(two, "Agnes")
    async with running(own_valkey.url) as runtime, bot(runtime) as there:
        leo, maya = await sit("Lorenz", one), await sit("Maya", two)
        await maya.page.goto("/audit")
        await leo.open_call(there.call)
        await leo.takes_over()
        await there.hears_the_microphone()
        call_id = there.call.call_id
        claim, old = await claim_of(own_valkey.url, call_id), await cookie_of(leo)

        seen = asyncio.ensure_future(maya.page.evaluate(SEEN))
        began = time.time() * 1000
        await admin.gives("Lorenz", Role.MEMBER)
        print(f"alert at the other node after {((await seen) - began) / 1000:.2f} s (contract: 2 s)")
        await expect(leo.page.get_by_test_id("talk-role")).to_be_visible()
        await there.hears_the_microphone()
        await leo.hears_the_caller(CALLER_HZ)
        for node in nodes:
            found = await tries(Asker(node, old), call_id, "0" * 24)
            assert set(found.values()) == {403}, found
        assert there.lost == []

        await alert_of(maya).get_by_test_id("alert-rescue").click()
        await maya.confirm.click()
        await maya.has_it()
        await leo.microphone_is_off()
        await there.hears_the_microphone()
        await maya.hears_the_caller(CALLER_HZ)
        assert [each.name for each in there.supervisors] == ["Lorenz", "Maya"]
        for cookie in {old, await cookie_of(leo)}:
            for node in nodes:
                for one_of in (claim, await claim_of(own_valkey.url, call_id)):
                    found = await tries(Asker(node, cookie), call_id, one_of)
                    assert set(found.values()) <= {401, 403}, found
                assert (await Asker(node, cookie).post(f"/calls/{call_id}/end")).status_code in (401, 403)
        await there.hears_the_microphone()
        assert not there.ended.is_set()
        assert await claim_of(own_valkey.url, call_id) != claim


async def test_who_is_removed_is_silent_at_once_and_the_caller_is_rescued_from_the_other_node(
    nodes: list[LivemonProcess], own_valkey: ValkeyProcess, sit: Sit
):
    one, two = nodes
    admin = await asker(two, "Agnes")
    async with running(own_valkey.url) as runtime, bot(runtime) as there:
        leo, maya = await sit("Ludmila", one), await sit("Maya", two)
        await maya.open("/live")
        await leo.open_call(there.call)
        await leo.takes_over()
        await there.hears_the_microphone()
        call_id = there.call.call_id
        claim, old = await claim_of(own_valkey.url, call_id), await cookie_of(leo)

        seen = asyncio.ensure_future(maya.page.evaluate(SEEN_UNHEARD))
        began = time.time() * 1000
        await admin.gives("Ludmila", None)
        await there.waits(lost=True)
        print(f"the last frame of hers came {there.latest - began / 1000:.2f} s after she was removed (contract: 2 s)")
        print(f"the Admins are told that nobody is heard {((await seen) - began) / 1000:.2f} s after she was removed")
        frames = there.frames
        for node in nodes:
            found = await tries(Asker(node, old), call_id, claim)
            assert set(found.values()) == {401}, found
        await leo.microphone_is_off()
        assert there.frames == frames
        assert not there.ended.is_set()
        await maya.page.get_by_test_id("unheard-alert").get_by_test_id("alert-rescue").click()
        await maya.confirm.click()
        await maya.has_it()
        await there.hears_the_microphone()
        await maya.hears_the_caller(CALLER_HZ)
        assert there.supervisors[-1].name == "Maya"
        assert not there.ended.is_set()


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_the_talks_node_restarts_after_the_role_was_lost_and_every_admin_still_knows(
    nodes: list[LivemonProcess], own_valkey: ValkeyProcess, sit: Sit, how: str
):
    one, two = nodes
    admin = await asker(two, "Agnes")
    async with running(own_valkey.url) as runtime, bot(runtime) as there:
        leo, maya = await sit("Leopold", one), await sit("Maya", two)
        await maya.open("/live")
        await leo.open_call(there.call)
        await leo.takes_over()
        await there.hears_the_microphone()
        await admin.gives("Leopold", Role.MEMBER)
        await expect(alert_of(maya)).to_be_visible()
        await asyncio.to_thread(getattr(one, how))
        await there.waits(lost=True)
        await expect(alert_of(maya)).to_be_visible()
        await expect(alert_of(maya)).to_contain_text("and is not heard")
        await asyncio.to_thread(one.start)
        touch, mute = leo.bar.get_by_test_id("resume-audio"), leo.page.get_by_test_id("mute").first
        await expect(touch.or_(mute).first).to_be_visible()
        if await touch.count():
            await touch.click()
        await there.hears_the_microphone()
        assert not there.ended.is_set()
        await expect(alert_of(maya)).to_contain_text("has lost the role")
        await alert_of(maya).get_by_test_id("alert-rescue").click()
        await maya.confirm.click()
        await maya.has_it()
        await there.hears_the_microphone()
        await leo.microphone_is_off()
        assert there.supervisors[-1].name == "Maya"
