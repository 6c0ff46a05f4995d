"""Live Listen by the page's own button: the agent's SDK, Valkey, livemon, and what a real browser's AudioContext hears."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import pytest
import redis.asyncio
from playwright.async_api import Page, Request, expect

from livemon.access.members import find_or_create, set_role
from livemon.access.roles import Role
from livemon.store.store import Store
from livemon_runtime import Audio, Call, Codec, Runtime
from livemon_runtime.keys import Keys
from tests.browser.conftest import SignIn, running
from tests.browser.live_page import LivePage, start_calls
from tests.browser.speaking import EARS, hears, listeners, speak
from tests.conftest import ValkeyProcess
from tests.livemon_process import LivemonProcess
from tests.media.call_source import running as beside

pytestmark = pytest.mark.asyncio(loop_scope="session")
KEYS = Keys()


@contextlib.asynccontextmanager
async def speaking(runtime: Runtime, codec: Codec = Codec.OPUS) -> AsyncIterator[Call]:
    """A call that says its two tones as long as the block lasts."""
    (call,) = start_calls(runtime, 1, agent_name="Ada", audio=Audio(caller=codec, agent=codec))
    call.on_end(lambda: None)
    async with beside(speak(call, codec)):
        yield call
    call.end()


async def open_call(page: Page, call: Call) -> LivePage:
    """That call's drawer in a tab with ears."""
    await page.add_init_script(EARS)
    live = LivePage(page)
    await live.open(f"/live/{call.call_id}")
    await live.has_open(call)
    return live


async def listen(page: Page) -> None:
    await page.get_by_test_id("live-listen").click()
    await expect(page.get_by_test_id("exit-live-listen")).to_be_enabled()
    for voice in ("caller", "agent"):
        await hears(page, voice)


@pytest.mark.parametrize("codec", [Codec.OPUS, Codec.PCMU, Codec.L16_16000])
async def test_one_click_and_each_side_is_heard_as_itself(
    codec: Codec, livemon: LivemonProcess, runtime: Runtime, sign_in: SignIn
):
    """Receive-only: the browser is never asked for a microphone, and the offer has no way for one."""
    offers: list[str] = []

    def note(request: Request) -> None:
        if request.url.endswith("/listen"):
            offers.append(request.post_data_json["sdp"])

    async with speaking(runtime, codec) as call:
        live = await open_call(await sign_in(livemon), call)
        live.page.on("request", note)
        await live.page.evaluate(
            """() => document.addEventListener("click", () => {
                const clicked = performance.now();
                const look = () => heard("caller") || heard("agent")
                    ? (window.firstSound = performance.now() - clicked) : requestAnimationFrame(look);
                look();
            }, { capture: true, once: true })"""
        )
        await listen(live.page)
        print(f"{codec}: click to first sound {await live.page.evaluate('window.firstSound'):.0f} ms")
        assert await live.page.evaluate("window.asked") == 0
        (offer,) = offers
        assert offer.count("a=recvonly") == 3
        assert not [line for line in offer.splitlines() if line.startswith(("a=sendrecv", "a=sendonly", "a=msid:"))]
        for voice in ("caller", "agent"):
            await live.page.wait_for_function(
                "(name) => Number(document.querySelector(`[data-testid=level-${name}]`).ariaValueNow) > 40", arg=voice
            )
        await live.page.get_by_test_id("exit-live-listen").click()
        await listeners(livemon.url, 0)


async def test_nothing_goes_towards_the_call(
    livemon: LivemonProcess, runtime: Runtime, sign_in: SignIn, valkey_of_livemon: ValkeyProcess
):
    """All that livemon writes is the tap, the command that wakes the runtime, and who listens; it publishes nothing."""
    client = redis.asyncio.Redis.from_url(valkey_of_livemon.url)
    async with speaking(runtime) as call, client.monitor() as monitor:
        call.agent_turn().final("Good morning")
        live = await open_call(await sign_in(livemon), call)
        await expect(live.turns).to_have_count(1)
        before = await client.hget(KEYS.call(call.call_id), "rev")
        said = await client.xlen(KEYS.transcript(call.call_id))
        ours = {one["addr"] for one in await client.client_list() if one["name"] == "livemon"}
        await client.echo("from here")
        await listen(live.page)
        await live.page.get_by_test_id("exit-live-listen").click()
        await listeners(livemon.url, 0)
        ours |= {one["addr"] for one in await client.client_list() if one["name"] == "livemon"}
        await client.echo("to here")
        written: set[str] = set()
        began = False
        async with asyncio.timeout(60):
            while (command := await monitor.next_command())["command"] != "ECHO to here":
                began = began or command["command"] == "ECHO from here"
                name = command["command"].split()[0].upper()
                if began and f"{command['client_address']}:{command['client_port']}" in ours:
                    written.add(name)
                assert command["client_type"] != "lua" or "PUBLISH" not in name, "a script publishes"
        reads = {"XREAD", "HGETALL", "PTTL", "TIME", "XINFO", "EXISTS", "ZRANGE", "ZSCORE", "HMGET", "PING", "CLIENT"}
        subscribing = {"SSUBSCRIBE", "SUNSUBSCRIBE"}
        assert written - reads - subscribing - {"HELLO", "SELECT"} <= {
            "EVAL",
            "ZREM",
            "XADD",
            "HSET",
            "PEXPIRE",
            "HDEL",
        }
        assert "XADD" in written
        wakes = await client.xrange(KEYS.commands(runtime.runtime_id))
        assert {kind for _, fields in wakes if call.call_id.encode() in fields[b"data"] for kind in types(fields)} == {
            "tap"
        }
        assert await client.hget(KEYS.call(call.call_id), "rev") == before
        assert await client.xlen(KEYS.transcript(call.call_id)) == said
    await client.aclose()


def types(fields: dict[bytes, bytes]) -> list[str]:
    return [json.loads(fields[b"data"])["type"]]


async def leave_by(how: str, live: LivePage, call: Call, other: Call, livemon: LivemonProcess) -> None:
    page = live.page
    if how == "exit":
        await page.get_by_test_id("exit-live-listen").click()
    elif how == "drawer closed":
        await page.get_by_test_id("drawer-close").click()
    elif how == "Esc":
        await page.keyboard.press("Escape")
    elif how == "another call opened":
        await live.row(other).click()
    elif how == "tab closed":
        await page.close()
    elif how == "another page":
        await page.goto("/sign-in")
    elif how == "call's end":
        call.end("user_hangup")
    else:
        store = Store(livemon.database_url)
        await store.open()
        await set_role(store, await find_or_create(store, "Lea"), "default", Role.MEMBER)
        await store.close()


@pytest.mark.parametrize(
    "how",
    ["exit", "drawer closed", "Esc", "another call opened", "tab closed", "another page", "call's end", "role gone"],
)
async def test_every_way_to_leave_stops_it_on_the_server(
    how: str, livemon: LivemonProcess, runtime: Runtime, sign_in: SignIn
):
    (other,) = start_calls(runtime, 1)
    async with speaking(runtime) as call:
        live = await open_call(await sign_in(livemon, "Lea", Role.DEVELOPER), call)
        await listen(live.page)
        await listeners(livemon.url, 1)
        await leave_by(how, live, call, other, livemon)
        print(f"{how}: stopped on the server after {await listeners(livemon.url, 0):.2f} s")


async def test_two_listeners_see_each_other_and_one_leaves(livemon: LivemonProcess, runtime: Runtime, sign_in: SignIn):
    async with speaking(runtime) as call:
        maya, leo = [await open_call(await sign_in(livemon, name), call) for name in ("Maya", "Leo")]
        await listen(maya.page)
        await expect(leo.row(call).get_by_test_id("call-state")).to_contain_text("Maya")
        await expect(leo.drawer).to_contain_text("Maya")
        await listen(leo.page)
        await expect(maya.drawer).to_contain_text("Leo")
        await listeners(livemon.url, 2)
        await maya.page.get_by_test_id("exit-live-listen").click()
        await listeners(livemon.url, 1)
        await expect(leo.row(call).get_by_test_id("call-state")).not_to_contain_text("Maya")
        for voice in ("caller", "agent"):
            await hears(leo.page, voice)


async def test_each_side_has_its_own_mute_and_volume(livemon: LivemonProcess, runtime: Runtime, sign_in: SignIn):
    async with speaking(runtime) as call:
        live = await open_call(await sign_in(livemon), call)
        await listen(live.page)
        await live.page.get_by_test_id("mute-agent").click()
        await hears(live.page, "agent", 0)
        await hears(live.page, "caller")
        await live.page.get_by_test_id("mute-agent").click()
        await hears(live.page, "agent")
        await live.page.get_by_test_id("volume-caller").fill("0")
        await hears(live.page, "caller", 0)
        await hears(live.page, "agent")


async def test_the_arrows_move_the_selection_only(livemon: LivemonProcess, runtime: Runtime, sign_in: SignIn):
    (older,) = start_calls(runtime, 1)
    async with speaking(runtime) as call:
        live = await open_call(await sign_in(livemon), call)
        await listen(live.page)
        await live.page.get_by_role("grid").focus()
        await live.page.keyboard.press("ArrowDown")
        await expect(live.selected).to_have_attribute("data-call-id", older.call_id)
        await live.has_open(call)
        await hears(live.page, "caller")


async def test_a_call_without_sound_says_why_it_cannot_be_heard(
    livemon: LivemonProcess, runtime: Runtime, sign_in: SignIn
):
    (call,) = start_calls(runtime, 1)
    live = await open_call(await sign_in(livemon), call)
    await expect(live.page.get_by_test_id("live-listen")).to_be_disabled()
    await expect(live.drawer).to_contain_text("does not share audio")


async def goes_on(page: Page) -> None:
    """It is heard again, with one touch at most where the browser insists."""
    resume = page.get_by_test_id("resume-audio")
    await expect(page.get_by_test_id("exit-live-listen").or_(resume).first).to_be_visible(timeout=60_000)
    touched = 0
    while not await page.evaluate("window.heard('caller') > 0"):
        if await resume.is_visible():
            touched += 1
            await resume.click()
        await asyncio.sleep(0.1)
    assert touched <= 1
    for voice in ("caller", "agent"):
        await hears(page, voice)


async def test_a_restarted_server_is_heard_through_again(
    own_livemon: LivemonProcess, own_valkey: ValkeyProcess, sign_in: SignIn
):
    async with running(own_valkey.url) as runtime, speaking(runtime) as call, asyncio.timeout(90):
        live = await open_call(await sign_in(own_livemon), call)
        await listen(live.page)
        own_livemon.kill()
        await asyncio.to_thread(own_livemon.start)
        await live.is_live()
        await goes_on(live.page)


async def test_ten_seconds_without_redis_are_survived(
    own_livemon: LivemonProcess, own_valkey: ValkeyProcess, sign_in: SignIn
):
    async with running(own_valkey.url) as runtime, speaking(runtime) as call, asyncio.timeout(90):
        live = await open_call(await sign_in(own_livemon), call)
        await listen(live.page)
        await asyncio.to_thread(own_valkey.stop)
        await asyncio.sleep(10)
        await asyncio.to_thread(own_valkey.start)
        await live.is_live()
        await goes_on(live.page)
