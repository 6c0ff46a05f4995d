"""Who listens at one node loses the role by an Admin at the other: the last packet and the last sound, in a real browser."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from livemon.access.roles import Role
from tests.browser.conftest import SignIn, running
from tests.browser.live_page import LivePage
from tests.browser.speaking import EARS, listeners
from tests.browser.test_live_listen import listen, speaking
from tests.browser.test_single_sign_on import RECEIVER
from tests.conftest import ValkeyProcess
from tests.livemon_process import LivemonProcess
from tests.media.offers import offer, section
from tests.two_nodes import Asker, asker, two_nodes

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def nodes(postgres, new_database, own_valkey: ValkeyProcess, tmp_path: Path) -> Iterator[list[LivemonProcess]]:
    with two_nodes(postgres.url(new_database()), own_valkey.url, tmp_path) as made:
        yield made


async def test_who_loses_the_role_at_the_other_node_hears_nothing_after_two_seconds(
    nodes: list[LivemonProcess], own_valkey: ValkeyProcess, sign_in: SignIn
):
    one, two = nodes
    admin = await asker(two, "Agnes")
    last = {"packet": 0.0, "sound": 0.0}

    def received(packet: float, sound: float) -> None:
        last.update(packet=max(last["packet"], packet), sound=max(last["sound"], sound))

    page = await sign_in(one, "Lisa", Role.DEVELOPER)
    (cookie,) = [each["value"] for each in await page.context.cookies() if each["name"] == "livemon_session"]
    await page.expose_function("received", received)
    await page.add_init_script(EARS + RECEIVER)
    async with running(own_valkey.url) as runtime, speaking(runtime) as call:
        live = LivePage(page)
        await live.open(f"/live/{call.call_id}")
        await live.has_open(call)
        await listen(page)
        await listeners(one.url, 1)
        await admin.gives("Lisa", Role.MEMBER)
        gone = time.time()
        await expect(page.get_by_test_id("forbidden")).to_be_visible()
        await listeners(one.url, 0)
        for node in nodes:
            sdp = offer(section("0", "recvonly"), section("1", "recvonly"))
            assert (await Asker(node, cookie).post(f"/calls/{call.call_id}/listen", {"sdp": sdp})).status_code == 403
    packet, sound = (moment / 1000 - gone for moment in (last["packet"], last["sound"]))
    print(f"last packet {packet:.2f} s, last sound {sound:.2f} s after the role was gone (contract: 2 s)")
    assert last["packet"] > 0
    assert max(packet, sound) <= 2.0
