"""Take Over by the page's own buttons: a real browser's microphone, livemon, Valkey, the SDK, and back to the browser's ear."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, async_playwright, expect

from livemon.access.members import find_or_create, set_role
from livemon.access.roles import Role
from livemon.store.store import Store
from livemon_runtime import Codec, Runtime
from tests.browser.accessibility import expect_no_complaints
from tests.browser.conftest import DESKTOP, running
from tests.browser.live_page import start_calls
from tests.browser.speaking import EARS, hears
from tests.browser.supervised import KEEP_TRACKS, MICROPHONE_HZ, Desk, bot, write_tone
from tests.chromium import CHROMIUM, FLAGS, close
from tests.conftest import ValkeyProcess, free_port
from tests.livemon_process import LivemonProcess
from tests.media.call_source import CALLER_HZ

pytestmark = pytest.mark.asyncio(loop_scope="session")

Sit = Callable[..., Awaitable[Desk]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def speaking_chromium(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    tone = write_tone(tmp_path_factory.mktemp("microphone") / "tone.wav")
    args = [*FLAGS, "--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={tone}"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*args, "--autoplay-policy=document-user-activation-required"]
        )
        yield browser
        await close(browser)


@pytest_asyncio.fixture(loop_scope="session")
async def sit(speaking_chromium: Browser, livemon: LivemonProcess) -> AsyncIterator[Sit]:
    """`desk = await sit("Maya", server)`: somebody signed in, in a browser with a microphone of their own."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    async def make(name: str = "Maya", server: LivemonProcess = livemon, *, microphone: bool = True) -> Desk:
        settings: dict[str, Any] = {"viewport": DESKTOP, "base_url": server.url}
        context = await speaking_chromium.new_context(**settings, permissions=["microphone"] if microphone else [])
        contexts.append(context)
        cookie = {"name": "livemon_session", "value": await server.cookie(name), "url": server.url}
        await context.add_cookies([cookie])
        await context.add_init_script(KEEP_TRACKS)
        await context.add_init_script(EARS)
        page = await context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        return Desk(page)

    yield make
    for context in contexts:
        await close(context)
    assert errors == []


@pytest.mark.parametrize("codec", [Codec.OPUS, Codec.PCMU, Codec.L16_16000])
async def test_the_supervisor_has_the_caller_and_the_agent_is_silent_for_good(codec: Codec, runtime: Runtime, sit: Sit):
    desk = await sit()
    async with bot(runtime, codec) as there:
        there.call.agent_turn().final("Good morning")
        await desk.open_call(there.call)
        await desk.takes_over()
        assert there.silenced == [True]
        assert there.call.agent_silent
        await there.hears_the_microphone()
        await desk.hears_the_caller(CALLER_HZ)
        await expect(desk.paused).to_be_visible()
        await desk.mute.click()
        await expect(desk.mute).to_have_attribute("aria-pressed", "true")
        await desk.microphone_is_off()
        await there.hears_silence()
        await desk.mute.click()
        await expect(desk.mute).to_have_attribute("aria-pressed", "false")
        await there.hears_the_microphone()
        assert there.silenced == [True]
        assert there.lost == []
        await desk.page.get_by_test_id("end-call").click()
        await desk.page.get_by_test_id("end-call-confirm").click()
        await asyncio.wait_for(there.ended.wait(), 60)
        there.call.end()
        await expect(desk.page.get_by_test_id("call-ended")).to_be_visible()
        await expect(desk.bar).to_have_count(0)
        await desk.microphone_is_off()


async def test_a_refused_microphone_changes_nothing_and_the_next_try_works(runtime: Runtime, sit: Sit):
    desk = await sit(microphone=False)
    async with bot(runtime) as there:
        await desk.open_call(there.call)
        await desk.take_over.click()
        await desk.confirm.click()
        message = desk.page.get_by_test_id("take-over-cancelled")
        await expect(message).to_contain_text("The browser does not allow the microphone")
        await expect(message).to_contain_text("the agent keeps the call")
        assert there.supervisors == []
        assert not there.call.agent_silent
        await desk.page.context.grant_permissions(["microphone"])
        await desk.takes_over()
        await there.hears_the_microphone()


async def test_a_bot_that_refuses_is_quoted_and_keeps_the_call(runtime: Runtime, sit: Sit):
    desk = await sit()
    async with bot(runtime) as there:
        there.refusal = "A card number is being read out"
        await desk.open_call(there.call)
        await desk.take_over.click()
        await desk.confirm.click()
        message = desk.page.get_by_test_id("take-over-cancelled")
        await expect(message).to_contain_text("A card number is being read out")
        await desk.microphone_is_off()
        assert not there.call.agent_silent
        there.refusal = None
        await desk.takes_over()
        await there.hears_the_microphone()


async def test_of_two_who_press_at_once_one_has_it_and_the_other_reads_who(runtime: Runtime, sit: Sit):
    desks = {name: await sit(name) for name in ("Maya", "Leo")}
    async with bot(runtime) as there:
        for desk in desks.values():
            await desk.open_call(there.call)
            await desk.take_over.click()
            await expect(desk.confirm).to_be_visible()
        await asyncio.gather(*(desk.confirm.click(no_wait_after=True) for desk in desks.values()))
        await there.hears_the_microphone()
        (winner,) = there.supervisors
        assert there.silenced == [True]
        (loser,) = set(desks) - {winner.name}
        await desks[winner.name].has_it()
        await expect(desks[loser].page.get_by_test_id("take-over-lost")).to_contain_text(winner.name)
        await desks[loser].microphone_is_off()
        await expect(desks[loser].take_over).to_have_count(0)
        await expect(desks[loser].paused).to_contain_text(winner.name)
        await expect(desks[loser].row(there.call).get_by_test_id("call-state")).to_contain_text(winner.name)


async def test_a_listener_hears_caller_and_supervisor_and_the_agent_no_more(runtime: Runtime, sit: Sit):
    listener, desk = await sit("Leo"), await sit("Maya")
    async with bot(runtime) as there:
        await listener.open_call(there.call)
        await listener.page.get_by_test_id("live-listen").click()
        for voice in ("caller", "agent"):
            await hears(listener.page, voice)
        await desk.open_call(there.call)
        await desk.takes_over()
        await hears(listener.page, "supervisor", MICROPHONE_HZ)
        await hears(listener.page, "agent", 0)
        await hears(listener.page, "caller")
        late = await sit("Noor")
        await late.open_call(there.call)
        await late.page.get_by_test_id("live-listen").click()
        await hears(late.page, "supervisor", MICROPHONE_HZ)
        await hears(late.page, "caller")
        await hears(late.page, "agent", 0)


@pytest.mark.parametrize("how", ["Esc", "close", "back", "tab", "another call"])
async def test_leaving_the_drawer_never_leaves_the_call(how: str, runtime: Runtime, sit: Sit):
    desk = await sit()
    async with bot(runtime) as there:
        (other,) = start_calls(runtime, 1)
        await desk.open()
        await desk.row(there.call).click()
        await desk.has_open(there.call)
        await desk.takes_over()
        if how == "Esc":
            await desk.page.keyboard.press("Escape")
        elif how == "close":
            await desk.page.get_by_test_id("drawer-close").click()
        elif how == "back":
            await desk.page.go_back()
        elif how == "tab":
            await desk.page.get_by_test_id("nav-live-monitoring").click()
        else:
            await desk.row(other).click()
            await desk.has_open(other)
        if how != "another call":
            await expect(desk.drawer).to_have_count(0)
        await expect(desk.bar).to_have_attribute("data-state", "talking")
        await there.hears_the_microphone()
        await desk.hears_the_caller(CALLER_HZ)
        await desk.bar.get_by_test_id("call-bar-back").click()
        await desk.has_open(there.call)
        await desk.has_it()
        assert there.lost == []


async def test_a_reloaded_page_asks_first_and_is_on_the_call_again(runtime: Runtime, sit: Sit):
    desk = await sit()
    async with bot(runtime) as there:
        await desk.open_call(there.call)
        await desk.takes_over()
        asked: list[str] = []

        def accept(dialog: Any) -> Any:
            asked.append(dialog.type)
            return asyncio.ensure_future(dialog.accept())

        desk.page.on("dialog", accept)
        started = time.monotonic()
        await desk.page.reload()
        await desk.has_it()
        print(f"reload: on the call again after {time.monotonic() - started:.1f} s")
        await there.hears_the_microphone()
        await desk.hears_the_caller(CALLER_HZ)
        assert asked == ["beforeunload"]
        assert [supervisor.name for supervisor in there.supervisors] == ["Maya", "Maya"]
        assert there.silenced[0] is True
        assert there.call.agent_silent
        assert False not in there.silenced


async def test_the_same_person_goes_on_from_another_device(runtime: Runtime, sit: Sit):
    first, second = await sit("Maya"), await sit("Maya")
    async with bot(runtime) as there:
        await first.open_call(there.call)
        await first.takes_over()
        await second.open_call(there.call)
        await expect(second.take_over).to_have_text("Resume")
        await second.take_over.click()
        await second.has_it()
        await expect(first.page.get_by_test_id("take-over-lost")).to_contain_text("another tab or on another device")
        await first.microphone_is_off()
        await there.hears_the_microphone()
        await second.hears_the_caller(CALLER_HZ)
        assert False not in there.silenced


async def test_a_supervisor_who_is_lost_can_be_rescued_by_another(runtime: Runtime, sit: Sit):
    maya, leo = await sit("Maya"), await sit("Leo")
    async with bot(runtime) as there:
        await leo.open_call(there.call)
        await maya.open_call(there.call)
        await maya.takes_over()
        await there.hears_the_microphone()
        await expect(leo.take_over).to_have_count(0)
        await maya.page.close()
        await there.waits(lost=True)
        await expect(leo.take_over).to_have_text("Rescue")
        await leo.takes_over()
        await there.hears_the_microphone()
        await leo.hears_the_caller(CALLER_HZ)
        assert [supervisor.name for supervisor in there.supervisors] == ["Maya", "Leo"]
        assert there.call.agent_silent
        assert False not in there.silenced
        assert not there.ended.is_set()


@pytest.fixture
def short_grace(tmp_path, own_valkey: ValkeyProcess):
    """A server that gives a lost supervisor the least time that can be set."""
    settings = {"LIVEMON_REDIS_URL": own_valkey.url, "LIVEMON_TAKEOVER_GRACE": "5"}
    server = LivemonProcess(free_port(), tmp_path / "livemon", settings)
    server.start()
    yield server
    server.kill()


async def test_a_call_whose_supervisor_does_not_come_back_ends_after_the_grace_time(
    short_grace: LivemonProcess, own_valkey: ValkeyProcess, sit: Sit
):
    maya, leo = await sit("Maya", short_grace), await sit("Leo", short_grace)
    async with running(own_valkey.url) as runtime, bot(runtime) as there:
        await leo.open_call(there.call)
        await maya.open_call(there.call)
        await maya.takes_over()
        await maya.page.close()
        await asyncio.wait_for(there.ended.wait(), 90)
        there.call.end()
        await expect(leo.page.get_by_test_id("call-ended")).to_contain_text("supervisor")
        assert there.call.agent_silent
        assert there.lost == [True]
        assert False not in there.silenced


async def test_a_restarted_server_has_its_supervisor_back_within_the_grace_time(
    own_livemon: LivemonProcess, own_valkey: ValkeyProcess, sit: Sit
):
    desk = await sit("Maya", own_livemon)
    async with running(own_valkey.url) as runtime, bot(runtime) as there:
        await desk.open_call(there.call)
        await desk.takes_over()
        await there.hears_the_microphone()
        own_livemon.kill()
        await asyncio.to_thread(own_livemon.start)
        started = time.monotonic()
        await there.hears_the_microphone()
        print(f"restart: heard again {time.monotonic() - started:.1f} s after the server answered")
        await desk.has_it()
        await desk.hears_the_caller(CALLER_HZ)
        assert not there.ended.is_set()
        assert False not in there.silenced


async def test_closing_the_tab_asks_first(runtime: Runtime, sit: Sit):
    desk = await sit()
    async with bot(runtime) as there:
        await desk.open_call(there.call)
        await desk.takes_over()
        async with desk.page.expect_event("dialog") as asked:
            await desk.page.close(run_before_unload=True)
        dialog = await asked.value
        assert dialog.type == "beforeunload"
        await dialog.dismiss()
        await there.goes_on_hearing()
        await expect(desk.page).to_have_url(re.compile(there.call.call_id))


async def test_axe_finds_nothing_wrong_with_any_step_of_it(runtime: Runtime, sit: Sit):
    maya, leo = await sit("Maya"), await sit("Leo")
    for desk in (maya, leo):
        await desk.page.emulate_media(reduced_motion="reduce")
    async with bot(runtime) as there:
        there.call.agent_turn().final("Good morning")
        for desk in (maya, leo):
            await desk.open_call(there.call)
            await expect(desk.turns).to_have_count(1)
        await maya.take_over.click()
        await expect(maya.confirm).to_be_visible()
        await expect_no_complaints(maya.page)
        await maya.confirm.click()
        await maya.has_it()
        await expect_no_complaints(maya.page)
        await maya.mute.click()
        await expect(maya.mute).to_have_attribute("aria-pressed", "true")
        await expect_no_complaints(maya.page)
        await expect(leo.paused).to_be_visible()
        await leo.page.get_by_test_id("live-listen").click()
        await expect(leo.page.get_by_test_id("level-supervisor")).to_be_visible()
        await expect_no_complaints(leo.page)
        await maya.page.keyboard.press("Escape")
        await expect(maya.drawer).to_have_count(0)
        await expect(maya.bar).to_be_visible()
        await expect_no_complaints(maya.page)
        there.call.end("user_hangup")
        await expect(maya.page.get_by_text("The call is over")).to_be_visible()
        await expect_no_complaints(maya.page)


async def test_a_role_that_is_taken_away_cuts_no_talk(runtime: Runtime, livemon: LivemonProcess, sit: Sit):
    desk = await sit("Mallory")
    async with bot(runtime) as there:
        await desk.open_call(there.call)
        await desk.takes_over()
        await there.hears_the_microphone()
        await give_role(livemon, "Mallory", Role.MEMBER)
        await expect(
            desk.page.get_by_test_id("drawer-doubt").or_(desk.page.get_by_test_id("drawer-refused"))
        ).to_be_visible()
        await desk.page.wait_for_timeout(4_000)  # longer than the server leaves a page that it lets go of
        await there.hears_the_microphone()
        await desk.hears_the_caller(CALLER_HZ)
        await expect(desk.mute).to_be_in_viewport()
        await desk.mute.click()
        await there.hears_silence()
        assert there.lost == []


async def test_a_session_that_is_ended_lets_go_of_the_microphone_and_says_so(
    runtime: Runtime, livemon: LivemonProcess, sit: Sit
):
    maya, leo = await sit("Mona"), await sit("Leo")
    async with bot(runtime) as there:
        await leo.open_call(there.call)
        await maya.open_call(there.call)
        await maya.takes_over()
        await there.hears_the_microphone()
        other = await maya.page.context.new_page()
        await other.goto("/live")
        await other.evaluate("fetch('/sign-out', { method: 'POST' })")
        await there.waits(lost=True)
        await maya.microphone_is_off()
        await expect(maya.page.get_by_test_id("take-over-lost")).to_contain_text("session")
        await expect(leo.take_over).to_have_text("Rescue")
        assert False not in there.silenced


async def give_role(server: LivemonProcess, name: str, role: Role) -> None:
    store = Store(server.database_url)
    await store.open()
    await set_role(store, await find_or_create(store, name), "default", role)
    await store.close()
