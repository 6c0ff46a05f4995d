"""End Call by the page's own buttons: asked once, done once, for everyone; and what the page says when it is not done."""

import asyncio

import pytest
from playwright.async_api import Page, expect

from livemon_runtime import Call, Refusal, Runtime
from tests.browser.conftest import SignIn, running
from tests.browser.live_page import LivePage, start_calls
from tests.conftest import ValkeyProcess
from tests.livemon_process import LivemonProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")


def call_that_ends(runtime: Runtime, ended: list[str]) -> Call:
    (call,) = start_calls(runtime, 1, from_number="+12125550184", direction="inbound")
    call.on_end(lambda: ended.append(call.call_id))
    call.agent_turn().final("Good morning")
    return call


async def open_call(page: Page, call: Call) -> LivePage:
    live = LivePage(page)
    await live.open(f"/live/{call.call_id}")
    await live.has_open(call)
    return live


async def confirm(page: Page) -> None:
    await page.get_by_test_id("end-call").click()
    await page.get_by_test_id("end-call-confirm").click()


async def test_it_ends_for_everyone_and_the_transcript_stays(
    live: LivePage, runtime: Runtime, livemon, sign_in: SignIn
):
    ended: list[str] = []
    call = call_that_ends(runtime, ended)
    other = await open_call(await sign_in(livemon, "Leo"), call)
    await live.row(call).click()
    await live.has_open(call)
    await confirm(live.page)
    for page in (live, other):
        await expect(page.page.get_by_test_id("call-ended")).to_contain_text("A supervisor ended the call")
        await expect(page.turns).to_have_text(["Good morning"])
        for action in ("live-listen", "take-over", "end-call"):
            await expect(page.page.get_by_test_id(action)).to_have_count(0)
        await expect(page.row(call)).to_have_count(0)
    assert ended == [call.call_id]


async def test_it_asks_first_and_says_what_it_means(live: LivePage, runtime: Runtime):
    ended: list[str] = []
    call = call_that_ends(runtime, ended)
    await live.row(call).click()
    await live.has_open(call)
    await live.page.get_by_test_id("end-call").click()
    dialog = live.page.get_by_role("alertdialog")
    await expect(dialog).to_contain_text("+12125550184")
    await expect(dialog).to_contain_text("cannot be undone")
    await live.page.get_by_test_id("end-call-cancel").click()
    await expect(dialog).to_have_count(0)
    await live.page.get_by_test_id("end-call").click()
    await live.page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await live.has_open(call)
    assert not ended
    assert not call.ended


async def test_two_supervisors_at_once_do_no_harm(livemon: LivemonProcess, runtime: Runtime, sign_in: SignIn):
    ended: list[str] = []
    call = call_that_ends(runtime, ended)
    pages = [await open_call(await sign_in(livemon, name), call) for name in ("Maya", "Leo")]
    for page in pages:
        await page.page.get_by_test_id("end-call").click()
        await expect(page.page.get_by_test_id("end-call-confirm")).to_be_visible()
    # the later one's question may be gone by then, since the call is over
    click = "document.querySelector('[data-testid=end-call-confirm]')?.click()"
    await asyncio.gather(*(page.page.evaluate(click) for page in pages))
    for page in pages:
        await expect(page.page.get_by_test_id("call-ended")).to_be_visible()
        await expect(page.page.locator("[data-testid=drawer-message].is-danger")).to_have_count(0)
    address = f"/calls/{call.call_id}/end"
    again = await pages[0].page.request.post(address, headers={"Origin": livemon.url})
    assert (again.status, await again.json()) == (200, {"ok": True})
    assert ended == [call.call_id]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/calls/call-1/end"), ("POST", "/calls/call-1/no"), ("PUT", "/x")]
)
async def test_what_is_no_endpoint_answers_an_error_in_the_same_shape(
    method: str, path: str, livemon: LivemonProcess, sign_in: SignIn
):
    page = await sign_in(livemon)
    answer = await page.request.fetch(
        path, method=method, headers={"Origin": livemon.url, "Accept": "application/json"}
    )
    assert answer.status == 404
    error = (await answer.json())["error"]
    assert error["code"] == "not_found"
    assert error["message"]


async def test_a_runtime_that_does_not_answer_is_said_and_the_button_is_back(live: LivePage, runtime: Runtime):
    """The page does not know whether the caller is still there, and says so; the call and its row stay."""
    (call,) = start_calls(runtime, 1)
    asked, silent = asyncio.Event(), asyncio.Event()

    @call.on_end
    async def never() -> None:
        asked.set()
        await silent.wait()

    await live.row(call).click()
    await live.has_open(call)
    await confirm(live.page)
    await asked.wait()
    await expect(live.page.get_by_test_id("end-call")).to_be_disabled()
    message = live.page.get_by_test_id("drawer-message")
    await expect(message).to_contain_text("has not answered within 5 seconds")
    await expect(live.page.get_by_test_id("end-call")).to_be_enabled()
    await expect(live.row(call)).to_have_count(1)
    silent.set()
    await expect(live.page.get_by_test_id("call-ended")).to_be_visible()


async def test_a_runtimes_refusal_is_read_in_its_own_words(live: LivePage, runtime: Runtime):
    (call,) = start_calls(runtime, 1)

    @call.on_end
    def refuse() -> None:
        raise Refusal("The caller is being put through.")

    await live.row(call).click()
    await live.has_open(call)
    await confirm(live.page)
    message = live.page.get_by_test_id("drawer-message")
    await expect(message).to_contain_text("The caller is being put through. The call goes on.")
    await expect(live.page.get_by_test_id("end-call")).to_be_enabled()
    assert not call.ended


async def test_a_runtime_that_cannot_end_calls_has_the_button_off_with_the_reason(live: LivePage, runtime: Runtime):
    (call,) = start_calls(runtime, 1)
    await live.row(call).click()
    await live.has_open(call)
    await expect(live.page.get_by_test_id("end-call")).to_be_disabled()
    await expect(live.drawer).to_contain_text("this agent's runtime does not offer it")


async def test_take_over_is_shown_off_with_its_reason(live: LivePage, runtime: Runtime):
    call = call_that_ends(runtime, [])
    await live.row(call).click()
    await live.has_open(call)
    await expect(live.page.get_by_test_id("take-over")).to_be_disabled()
    await expect(live.drawer).to_contain_text("Take Over is off: this agent's runtime does not share audio.")


async def test_without_redis_nobody_claims_to_know(
    own_livemon: LivemonProcess, own_valkey: ValkeyProcess, sign_in: SignIn
):
    ended: list[str] = []
    async with running(own_valkey.url) as runtime:
        call = call_that_ends(runtime, ended)
        live = await open_call(await sign_in(own_livemon), call)
        await asyncio.to_thread(own_valkey.stop)
        await expect(live.connection).to_have_attribute("data-state", "stale")
        await confirm(live.page)
        await expect(live.page.get_by_test_id("drawer-message")).to_contain_text(
            "not known whether the call has been ended"
        )
        await expect(live.page.get_by_test_id("end-call")).to_be_enabled()
        assert not ended
        await asyncio.to_thread(own_valkey.start)
        await live.is_live()
        await confirm(live.page)
        await expect(live.page.get_by_test_id("call-ended")).to_be_visible()
        assert ended == [call.call_id]


@pytest.mark.parametrize("answer", ["confirm", "cancel"])
async def test_a_double_click_on_the_answer_opens_no_call_beneath_it(live: LivePage, runtime: Runtime, answer: str):
    others = start_calls(runtime, 20)
    ended: list[str] = []
    call = call_that_ends(runtime, ended)
    await live.row(call).click()
    await live.has_open(call)
    await live.page.get_by_test_id("end-call").click()
    button = live.page.get_by_test_id(f"end-call-{answer}")
    box = await button.bounding_box()
    assert box
    middle = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
    await button.dblclick()
    await expect(live.page.get_by_role("alertdialog")).to_have_count(0)
    beneath = await live.page.evaluate(
        "([x, y]) => document.elementFromPoint(x, y).closest('[data-testid=call-row]')?.dataset.callId", middle
    )
    assert beneath in {other.call_id for other in others}, "there is a call beneath"
    await live.has_open(call)
    if answer == "confirm":
        await expect(live.page.get_by_test_id("call-ended")).to_be_visible()
    assert bool(ended) == (answer == "confirm")
    await expect(live.page.locator(f'[data-call-id="{beneath}"]').first).to_be_visible()
    await live.page.wait_for_timeout(600)
    await live.has_open(call)
    await live.row(beneath).click()
    await live.has_open(beneath)


async def test_a_press_beside_the_question_takes_it_away_and_opens_nothing(live: LivePage, runtime: Runtime):
    start_calls(runtime, 20)
    call = call_that_ends(runtime, [])
    await live.row(call).click()
    await live.has_open(call)
    await live.page.get_by_test_id("end-call").click()
    await expect(live.page.get_by_role("alertdialog")).to_be_visible()
    await live.page.mouse.dblclick(200, 400)
    await expect(live.page.get_by_role("alertdialog")).to_have_count(0)
    await live.has_open(call)


async def test_who_asks_again_at_once_is_heard(live: LivePage, runtime: Runtime):
    """A press elsewhere in between: that was no double click."""
    call = call_that_ends(runtime, [])
    await live.row(call).click()
    await live.has_open(call)
    ask, cancel = live.page.get_by_test_id("end-call"), live.page.get_by_test_id("end-call-cancel")
    await ask.click()
    box = await cancel.bounding_box()
    await cancel.click()
    await ask.click()
    await cancel.wait_for()
    await live.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await expect(live.page.get_by_role("alertdialog")).to_have_count(0)
    assert not call.ended
