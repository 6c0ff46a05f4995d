"""Take Over in the page, with a real microphone (Chromium's own fake device) and a real connection; each way that it can end."""

import asyncio
import datetime
import json
import re
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Locator, Page, async_playwright, expect
from starlette.responses import JSONResponse, Response

from livemon.texts import TEXTS
from tests.chromium import CHROMIUM, FLAGS, close
from tests.components.conftest import DESKTOP, Server, Stage, staged
from tests.components.messages import call, ended, put, reset, turn

pytestmark = pytest.mark.asyncio(loop_scope="session")

ADA = {"user_id": "u-ada", "name": "Ada"}
ME = {"user_id": "me", "name": "Me"}
TRACKS = """() => {
  window.tracks = [];
  window.fault = sessionStorage.getItem("test:fault"); // for the page that is loaded anew
  window.pending = [];
  const original = MediaDevices.prototype.getUserMedia;
  MediaDevices.prototype.getUserMedia = async function (wanted) {
    if (sessionStorage.getItem("test:wait")) await new Promise((go) => window.pending.push(go));
    if (window.fault) throw new DOMException("", window.fault);
    const stream = await original.call(this, wanted);
    window.wanted = wanted;
    window.tracks.push(...stream.getTracks());
    return stream;
  };
  window.live = () => window.tracks.filter((track) => track.readyState === "live").length;
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def speaking_browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        args = [*FLAGS, "--use-fake-device-for-media-stream", "--autoplay-policy=document-user-activation-required"]
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=args)
        yield browser
        await close(browser)


@pytest_asyncio.fixture(loop_scope="session")
async def speaking_context(speaking_browser: Browser) -> AsyncIterator[BrowserContext]:
    context = await speaking_browser.new_context(**DESKTOP, permissions=["microphone"])
    await context.add_init_script(f"({TRACKS})()")
    yield context
    await close(context)


@pytest_asyncio.fixture(loop_scope="session")
async def stage(drawer_server: Server, speaking_context: BrowserContext) -> AsyncIterator[Stage]:
    async with staged(drawer_server, speaking_context) as stage:
        await stage.open("call-1", call(), reset(turn(1, "one")))
        await expect(stage.page.get_by_test_id("take-over")).to_be_enabled()
        yield stage


def held(by: dict[str, str] = ME, **about: Any) -> dict[str, Any]:
    now = int(time.time() * 1000)
    controller = {**by, "claim_id": "c-1", "generation": 1, "since": now, **about}
    return call(call_status="taken_over", controller=controller)


async def confirm(stage: Stage) -> Page:
    await stage.page.get_by_test_id("take-over").click()
    await stage.page.get_by_test_id("take-over-confirm").click()
    return stage.page


async def talking(stage: Stage) -> Page:
    page = await confirm(stage)
    await stage.desk.say("talking", since=int(time.time() * 1000), claim_id="c-1")
    await stage.say("call-1", held())
    await expect(page.get_by_test_id("mute")).to_be_visible()
    return page


async def drawer_closed(page: Page, how: str = "close") -> Locator:
    """Close the drawer; the call bar, once it is alone: a drawer that slides out shows the same until it is gone."""
    if how == "close":
        await page.get_by_test_id("drawer-close").click()
    else:
        await page.keyboard.press(how)
    await expect(page.get_by_test_id("call-drawer")).to_have_count(0)
    return page.get_by_test_id("call-bar")


async def microphone_is_free(page: Page) -> None:
    await page.wait_for_function("live() === 0")


# --- asking first -----------------------------------------------------------------------------------------------------


async def test_it_asks_first_in_words_that_say_what_it_does(stage: Stage) -> None:
    page = stage.page
    await page.get_by_test_id("take-over").click()
    dialog = page.get_by_role("alertdialog")
    await expect(dialog).to_contain_text(
        "permanently stops the AI agent for this call, connects you to +1 212 555 0184"
    )
    await expect(dialog).to_contain_text("cannot be undone")
    await expect(page.get_by_test_id("take-over-cancel")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(page.get_by_test_id("call-drawer")).to_be_visible()
    assert await page.evaluate("tracks.length") == 0
    assert stage.desk.lines == {}


async def test_a_double_click_on_confirm_asks_once(stage: Stage) -> None:
    await stage.page.get_by_test_id("take-over").click()
    await stage.page.get_by_test_id("take-over-confirm").dblclick()
    await stage.desk.line()
    await expect(stage.page.get_by_test_id("take-over")).to_be_disabled()
    assert len(stage.desk.lines) == 1
    assert await stage.page.evaluate("tracks.length") == 1


# --- to the call ------------------------------------------------------------------------------------------------------


async def test_from_the_click_to_the_call_and_both_voices(stage: Stage) -> None:
    page = await confirm(stage)
    line = await stage.desk.line()
    sdp = line.request["sdp"]
    assert re.findall(r"^a=(sendrecv|sendonly|recvonly|inactive)\r?$", sdp, re.MULTILINE) == ["sendrecv"]
    assert line.request["resume"] is False
    wanted = await page.evaluate("wanted.audio")
    assert wanted == {"echoCancellation": True, "noiseSuppression": True, "autoGainControl": True}
    for state in ["connecting", "claiming", "checking"]:
        await stage.desk.say(state)
        await expect(page.get_by_test_id("take-over-state")).to_have_text(TEXTS[f"takeOver.state.{state}"])
        await expect(page.get_by_test_id("take-over")).to_be_disabled()
        await expect(page.get_by_test_id("mute")).to_have_count(0)
    assert await page.get_by_test_id("caller-voice").evaluate("one => one.muted") is True
    await stage.desk.say("talking", since=int(time.time() * 1000) - 61_000)
    await stage.say("call-1", held(since=int(time.time() * 1000) - 61_000))
    await expect(page.get_by_test_id("held-duration")).to_have_text(re.compile(r"^1:0\d$"))
    await expect(page.get_by_test_id("drawer-state")).to_have_text(TEXTS["state.yours"])
    await expect(page.get_by_test_id("transcript-paused")).to_contain_text(TEXTS["paused.you"])
    for gone in ["take-over", "live-listen", "call-bar"]:
        await expect(page.get_by_test_id(gone)).to_have_count(0)
    await line.hears("loud")
    for meter in ["level-caller", "level-self"]:
        await page.wait_for_function(f"Number(document.querySelector('[data-testid={meter}]').ariaValueNow) > 0")
    voice = page.get_by_test_id("caller-voice")
    assert await voice.evaluate("one => [one.muted, one.paused]") == [False, False]


async def test_muted_means_that_the_microphone_is_let_go_and_silence_is_sent(stage: Stage) -> None:
    page = await talking(stage)
    line = await stage.desk.line()
    await line.hears("loud")
    mute = page.get_by_test_id("mute")
    await expect(mute).to_have_attribute("aria-pressed", "false")
    await mute.click()
    await expect(mute).to_have_attribute("aria-pressed", "true")
    await microphone_is_free(page)
    await line.hears("silent", 100)
    loud = line.loud
    await line.hears("silent", 100)
    assert line.loud == loud
    await mute.click()
    await expect(mute).to_have_attribute("aria-pressed", "false")
    await line.hears("loud")


async def test_a_microphone_that_does_not_come_back_is_told_and_one_stays_muted(stage: Stage) -> None:
    page = await talking(stage)
    await page.get_by_test_id("mute").click()
    await page.evaluate("window.fault = 'NotReadableError'")
    await page.get_by_test_id("mute").click()
    await expect(page.get_by_test_id("drawer-message")).to_contain_text(TEXTS["takeOver.microphone.busy"])
    await expect(page.get_by_test_id("mute")).to_have_attribute("aria-pressed", "true")


async def test_a_microphone_that_is_unplugged_is_replaced_by_the_next(stage: Stage) -> None:
    page = await talking(stage)
    await page.evaluate("window.fault = 'NotFoundError'; tracks[0].stop(); tracks[0].onended()")
    await expect(page.get_by_test_id("resume-audio")).to_be_visible()
    await page.evaluate("window.fault = null; navigator.mediaDevices.dispatchEvent(new Event('devicechange'))")
    await expect(page.get_by_test_id("resume-audio")).to_have_count(0)
    line = await stage.desk.line()
    await line.hears("loud")


async def test_another_microphone_can_be_chosen(stage: Stage) -> None:
    page = await talking(stage)
    choice = page.get_by_test_id("microphone-choice")
    await expect(choice).to_be_visible()
    names = await choice.locator("option").all_text_contents()
    assert len(names) > 2
    await choice.select_option(label=names[2])
    await page.wait_for_function("tracks.length === 2 && live() === 1")
    assert await page.evaluate("tracks[1].label") == names[2]
    line = await stage.desk.line()
    await line.hears("loud")
    await page.evaluate("window.fault = 'NotReadableError'")
    await choice.select_option(label=names[1])
    await expect(page.get_by_text(TEXTS["talk.failed.microphone"])).to_be_visible()
    assert await page.evaluate("live()") == 1


async def test_where_the_browser_wants_a_touch_one_button_says_so(stage: Stage) -> None:
    page = stage.page
    blocked = """() => {
      const play = HTMLMediaElement.prototype.play;
      window.allowed = false;
      HTMLMediaElement.prototype.play = function () {
        return window.allowed ? play.call(this) : Promise.reject(new DOMException("", "NotAllowedError"));
      };
    }"""
    await page.evaluate(blocked)
    await talking(stage)
    await expect(page.get_by_test_id("resume-audio")).to_have_text(TEXTS["listen.resume"])
    await page.evaluate("window.allowed = true")
    await page.get_by_test_id("resume-audio").click()
    await expect(page.get_by_test_id("resume-audio")).to_have_count(0)
    assert await page.get_by_test_id("caller-voice").evaluate("one => [one.muted, one.paused]") == [False, False]


# --- what may go wrong ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("NotAllowedError", "microphone_refused"),
        ("NotFoundError", "microphone_missing"),
        ("NotReadableError", "microphone_busy"),
        ("TypeError", "microphone_failed"),
    ],
)
async def test_without_a_microphone_nothing_is_sent(stage: Stage, fault: str, reason: str) -> None:
    await stage.page.evaluate("(fault) => (window.fault = fault)", fault)
    page = await confirm(stage)
    notice = page.get_by_test_id("take-over-cancelled")
    await expect(notice).to_have_attribute("data-reason", reason)
    words = TEXTS[f"takeOver.cancelled.{reason}"].format(kept=TEXTS["takeOver.kept.agent"])
    await expect(notice).to_contain_text(words)
    await expect(page.get_by_test_id("take-over")).to_be_enabled()
    assert stage.desk.lines == {}
    await page.evaluate("window.fault = null")
    await talking(stage)
    await expect(notice).to_have_count(0)


async def test_a_browser_that_really_refuses(stage: Stage) -> None:
    await stage.page.context.clear_permissions()
    page = await confirm(stage)
    await expect(page.get_by_test_id("take-over-cancelled")).to_have_attribute("data-reason", "microphone_refused")


@pytest.mark.parametrize("code", ["redis_away", "too_many", "not_found"])
async def test_a_server_that_refuses_is_quoted(stage: Stage, code: str) -> None:
    async def refuse() -> Response:
        return JSONResponse({"error": {"code": code, "message": "Not now. Try again."}}, 503)

    stage.desk.refuse = refuse
    page = await confirm(stage)
    notice = page.get_by_test_id("take-over-cancelled")
    await expect(notice).to_have_attribute("data-reason", code)
    await expect(notice).to_contain_text("Not now. Try again.")
    await microphone_is_free(page)


@pytest.mark.parametrize(
    "reason", ["microphone", "connection", "refused", "no_answer", "redis_away", "failed", "ended"]
)
@pytest.mark.parametrize("after", ["connecting", "claiming", "checking"])
async def test_a_take_over_that_is_cancelled_says_why_and_lets_the_microphone_go(
    stage: Stage, after: str, reason: str
) -> None:
    page = await confirm(stage)
    await stage.desk.say(after)
    await stage.desk.say("cancelled", reason=reason, message=f"Because of {reason}.")
    notice = page.get_by_test_id("take-over-cancelled")
    await expect(notice).to_have_attribute("data-reason", reason)
    await expect(notice).to_contain_text(
        TEXTS[f"takeOver.cancelled.{reason}"].format(kept=TEXTS["takeOver.kept.agent"])
    )
    await expect(notice).to_contain_text(f"«Because of {reason}.»")
    await expect(page.get_by_test_id("take-over")).to_be_enabled()
    await microphone_is_free(page)
    await notice.get_by_role("button").click()
    await expect(notice).to_have_count(0)


async def test_the_loser_reads_who_has_it_and_its_microphone_is_let_go(stage: Stage) -> None:
    page = await confirm(stage)
    await stage.desk.say("claiming")
    await stage.desk.say("lost", reason="taken", holder=ADA)
    await stage.say("call-1", held(ADA))
    lost = page.get_by_test_id("take-over-lost")
    await expect(lost).to_contain_text("Ada has this call")
    await expect(lost).to_have_attribute("data-reason", "taken")
    await microphone_is_free(page)
    await expect(page.get_by_test_id("take-over")).to_have_count(0)
    await expect(page.get_by_test_id("live-listen")).to_be_enabled()
    await expect(page.get_by_test_id("transcript-paused")).to_contain_text("while Ada has the call")


async def test_another_tab_of_oneself_takes_it_and_this_one_says_so(stage: Stage) -> None:
    page = await talking(stage)
    await stage.desk.say("lost", reason="elsewhere", holder=ME)
    await expect(page.get_by_test_id("take-over-lost")).to_contain_text(TEXTS["takeOver.lost.elsewhere"])
    await microphone_is_free(page)
    await expect(page.get_by_test_id("take-over")).to_have_text("Resume")


async def test_cancelling_before_it_was_asked_for_is_quiet(stage: Stage) -> None:
    page = await confirm(stage)
    await stage.desk.say("connecting")
    await page.get_by_test_id("take-over-abort").click()
    await stage.desk.was_cancelled()
    await microphone_is_free(page)
    await expect(page.get_by_test_id("take-over-abort")).to_be_disabled()
    await stage.desk.say("cancelled", reason="asked", message="You cancelled.")
    await expect(page.get_by_test_id("take-over")).to_be_enabled()
    await expect(page.get_by_test_id("take-over-cancelled")).to_have_count(0)


async def test_cancelling_too_late_says_that_the_call_is_theirs(stage: Stage) -> None:
    page = await confirm(stage)
    await stage.desk.say("claiming")
    await page.get_by_test_id("take-over-abort").click()
    await stage.desk.was_cancelled()
    await stage.desk.say("lost", reason="asked", holder=ME)
    await stage.say("call-1", held(lost_since=int(time.time() * 1000)))
    await expect(page.get_by_test_id("take-over-lost")).to_contain_text(TEXTS["takeOver.lost.asked"])
    await expect(page.get_by_test_id("take-over")).to_have_text("Resume")


@pytest.mark.parametrize("how", ["nobody answers", "a server that knows nothing"])
async def test_cancelling_while_nobody_knows_never_ends_silently(stage: Stage, how: str) -> None:
    page = await confirm(stage)
    await stage.desk.say("checking")
    await expect(page.get_by_test_id("take-over-state")).to_have_attribute("data-state", "checking")
    await page.clock.install()
    await page.get_by_test_id("take-over-abort").click()
    await stage.desk.was_cancelled()
    if how == "nobody answers":
        await page.clock.run_for(16_000)
    else:
        await stage.desk.lose()
    notice = page.get_by_test_id("take-over-cancelled")
    await expect(notice).to_have_attribute("data-reason", "unknown")
    await expect(notice).to_contain_text(TEXTS["takeOver.unknown"])
    await expect(notice).to_contain_text(TEXTS["takeOver.cancelled.unknown"])
    await microphone_is_free(page)
    assert set(stage.desk.lines) <= {"t1"}, "what was cancelled is not asked for again"


@pytest.mark.parametrize("when", ["asking", "microphone", "connecting", "claiming", "checking", "talking"])
async def test_a_caller_who_hangs_up_ends_it_at_each_step(stage: Stage, when: str) -> None:
    page = stage.page
    if when == "asking":
        await page.get_by_test_id("take-over").click()
    elif when == "microphone":
        await page.evaluate("void (MediaDevices.prototype.getUserMedia = () => new Promise(() => {}))")
        await confirm(stage)
        await expect(page.get_by_test_id("take-over-state")).to_have_text(TEXTS["takeOver.state.microphone"])
    elif when == "talking":
        await talking(stage)
    else:
        await confirm(stage)
        await stage.desk.say(when)
    await stage.say("call-1", ended())
    await expect(page.get_by_test_id("call-ended")).to_contain_text(TEXTS["reason.user_hangup"])
    for gone in ["take-over", "mute", "end-call", "call-bar", "transcript-paused"]:
        await expect(page.get_by_test_id(gone)).to_have_count(0)
    await expect(page.get_by_role("alertdialog")).to_have_count(0)
    await microphone_is_free(page)


async def test_a_server_that_knows_nothing_any_more_is_asked_who_has_it(stage: Stage) -> None:
    page = await confirm(stage)
    await stage.desk.say("claiming")
    await stage.desk.lose()
    line = await stage.desk.line("t2")
    assert line.request["resume"] is True
    await stage.desk.say("lost", "t2", reason="taken", holder=ADA)
    await expect(page.get_by_test_id("take-over-lost")).to_contain_text("Ada has this call")


@pytest.mark.parametrize(
    ("state", "reason", "told"),
    [
        ("cancelled", "refused", "refused"),
        ("cancelled", "no_answer", "no_answer"),
        ("cancelled", "connection", "connection"),
        ("cancelled", "asked", "connection"),
        ("lost", "taken", "taken"),
        ("lost", "asked_by_other", "asked_by_other"),
    ],
)
async def test_audio_that_ends_before_the_word_why_leaves_the_word_as_it_is(
    stage: Stage, state: str, reason: str, told: str
) -> None:
    """The server cuts the audio off as it says why an attempt is over; either may arrive first."""
    page = await confirm(stage)
    await stage.desk.say("claiming")
    await expect(page.get_by_test_id("take-over-state")).to_have_attribute("data-state", "claiming")
    await stage.desk.cut_off()
    await expect(page.get_by_test_id("take-over-state")).to_have_attribute("data-state", "checking")
    await stage.desk.was_cancelled()
    await stage.desk.say(state, reason=reason, message="A card number is being read out.", holder=ADA)
    notice = page.get_by_test_id(f"take-over-{state}")
    await expect(notice).to_have_attribute("data-reason", told)
    await expect(notice).to_contain_text("A card number is being read out.")
    await microphone_is_free(page)
    assert list(stage.desk.lines) == ["t1"], "it is not asked for again"


@pytest.mark.parametrize(
    ("state", "reason"), [("lost", "connection"), ("lost", "asked"), ("lost", "not_reporting"), ("talking", None)]
)
async def test_a_connection_that_is_lost_while_the_call_is_asked_for_gives_up_neither_call_nor_microphone(
    stage: Stage, state: str, reason: str | None
) -> None:
    """The agent's process may have said yes: then it is ours, and nobody else's."""
    page = await confirm(stage)
    await stage.desk.say("claiming")
    await expect(page.get_by_test_id("take-over-state")).to_have_attribute("data-state", "claiming")
    await stage.desk.cut_off()
    await expect(page.get_by_test_id("take-over-state")).to_have_text(TEXTS["takeOver.state.checking"])
    await stage.desk.say(state, reason=reason, holder=ME)
    line = await stage.desk.line("t2")
    assert (line.request["resume"], line.request["mine"]) == (True, ["claim-t1"])
    await expect(page.get_by_test_id("take-over-state")).to_have_text(TEXTS["takeOver.state.checking"])
    await stage.desk.say("lost", "t2", reason="asked_by_other", holder=ME)  # by ourselves: it is not answered yet
    line = await stage.desk.line("t3")
    assert line.request["mine"] == ["claim-t1", "claim-t2"]
    await stage.desk.say("talking", "t3", since=int(time.time() * 1000))
    await line.hears("loud")
    assert await page.evaluate("tracks.length") == 1


async def test_who_asks_what_became_of_it_reads_that_the_agent_has_the_call(stage: Stage) -> None:
    page = await confirm(stage)
    await stage.desk.say("claiming")
    await expect(page.get_by_test_id("take-over-state")).to_have_attribute("data-state", "claiming")
    await stage.desk.lose()
    await stage.desk.say("cancelled", "t2", reason="agent")
    await expect(page.get_by_test_id("take-over-cancelled")).to_contain_text(TEXTS["takeOver.cancelled.agent"])
    await expect(page.get_by_test_id("take-over")).to_be_enabled()


@pytest.mark.parametrize("how", ["nobody answers", "one thinks better of it", "the call goes on"])
async def test_what_became_of_it_is_not_waited_for_without_end(stage: Stage, how: str) -> None:
    page = await confirm(stage)
    await stage.desk.say("claiming")
    await expect(page.get_by_test_id("take-over-state")).to_have_attribute("data-state", "claiming")
    await page.clock.install()
    await stage.desk.cut_off()
    await stage.desk.was_cancelled()
    await expect(page.get_by_test_id("take-over-state")).to_have_attribute("data-state", "checking")
    if how == "the call goes on":
        await stage.desk.say("lost", reason="asked", holder=ME)
        line = await stage.desk.line("t2")
        await stage.desk.say("talking", "t2", since=int(time.time() * 1000))
        await expect(page.get_by_test_id("mute")).to_be_visible()
        await page.clock.fast_forward(121_000)
        await line.hears("loud")
        await expect(page.get_by_test_id("take-over-cancelled")).to_have_count(0)
        return
    if how == "one thinks better of it":
        await page.get_by_test_id("take-over-abort").click()
        await page.clock.fast_forward(16_000)
    else:
        await page.clock.fast_forward(121_000)
    notice = page.get_by_test_id("take-over-cancelled")
    await expect(notice).to_have_attribute("data-reason", "unknown")
    await microphone_is_free(page)


# --- who else may ----------------------------------------------------------------------------------------------------


async def test_others_are_not_offered_a_call_that_is_held_until_its_supervisor_is_lost(stage: Stage) -> None:
    page = stage.page
    await stage.say("call-1", held(ADA))
    await expect(page.get_by_test_id("take-over")).to_have_count(0)
    await expect(page.get_by_test_id("held-duration")).to_have_count(0)
    await stage.say("call-1", held(ADA, lost_since=int(time.time() * 1000)))
    await expect(page.get_by_test_id("take-over")).to_have_text("Rescue")
    await page.get_by_test_id("take-over").click()
    await expect(page.get_by_role("alertdialog")).to_contain_text(
        "Ada has this call, but the caller does not hear them"
    )
    await stage.say("call-1", held(ADA))
    await expect(page.get_by_role("alertdialog")).to_have_count(0)


async def test_a_rescue_that_fails_does_not_speak_of_an_agent_that_is_gone(stage: Stage) -> None:
    await stage.say("call-1", held(ADA, lost_since=int(time.time() * 1000)))
    page = await confirm(stage)
    await stage.desk.say("cancelled", reason="no_answer")
    notice = page.get_by_test_id("take-over-cancelled")
    await expect(notice).to_contain_text(TEXTS["takeOver.cancelled.rejoin"])
    await expect(notice).to_contain_text(TEXTS["takeOver.kept.other"])


async def test_resuming_asks_nothing(stage: Stage) -> None:
    await stage.say("call-1", held())
    await expect(stage.page.get_by_test_id("take-over")).to_have_text("Resume")
    await stage.page.get_by_test_id("take-over").click()
    assert (await stage.desk.line()).request["resume"] is True


@pytest.mark.parametrize(
    ("about", "reason"),
    [({"audio": None}, "footer.noAudioToTakeOver"), ({"capabilities": ["listen", "end"]}, "footer.cannotTakeOver")],
)
async def test_what_cannot_be_taken_over_says_why(stage: Stage, about: dict[str, Any], reason: str) -> None:
    await stage.say("call-1", call(**about))
    button = stage.page.get_by_test_id("take-over")
    await expect(button).to_be_disabled()
    await expect(button).to_have_accessible_description(TEXTS[reason])


async def test_a_page_that_is_not_secure_says_so(stage: Stage) -> None:
    await stage.page.evaluate("void Object.defineProperty(window, 'isSecureContext', { value: false })")
    await stage.open("call-2", call("call-2"), reset())
    button = stage.page.get_by_test_id("take-over")
    await expect(button).to_be_disabled()
    await expect(button).to_have_accessible_description(TEXTS["footer.insecure"])


async def test_what_is_written_while_a_supervisor_has_the_call_is_shown_once_it_is_over(stage: Stage) -> None:
    page = stage.page
    await stage.say("call-1", held(ADA), put(turn(2, "began before"), turn(3, "late", at=10_000_000)))
    await expect(page.get_by_test_id("turn-text")).to_have_text(["one", "began before"])
    await stage.say("call-1", ended())
    await expect(page.get_by_test_id("turn-text")).to_have_text(["one", "began before", "late"])


# --- away from its drawer ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["Escape", "close", "another"])
async def test_leaving_the_drawer_leaves_the_call_in_the_bar(stage: Stage, how: str) -> None:
    page = await talking(stage)
    if how != "another":
        await drawer_closed(page, how)
    else:
        await stage.open("call-2", call("call-2"), reset())
        await expect(page.get_by_test_id("take-over")).to_have_accessible_description(TEXTS["footer.onAnotherCall"])
    bar = page.get_by_test_id("call-bar")
    await expect(bar).to_contain_text("+1 212 555 0184")
    await expect(bar.get_by_test_id("call-bar-duration")).to_have_text(re.compile(r"^0:\d\d$"))
    line = await stage.desk.line()
    await line.hears("loud")
    await bar.get_by_test_id("mute").click()
    await expect(bar.get_by_test_id("mute")).to_have_attribute("aria-pressed", "true")
    await bar.get_by_test_id("call-bar-back").click()
    await expect(page.get_by_test_id("call-drawer")).to_have_attribute("data-call-id", "call-1")
    await stage.connection("call-1")
    await stage.say("call-1", held(), reset(turn(1, "one")))
    await expect(bar).to_have_count(0)
    await expect(page.get_by_test_id("mute")).to_have_attribute("aria-pressed", "true")


async def test_the_bar_ends_the_call_after_asking(stage: Stage) -> None:
    page = await talking(stage)
    bar = await drawer_closed(page)
    await bar.get_by_test_id("end-call").click()
    await expect(page.get_by_role("alertdialog")).to_contain_text("The AI agent does not come back")
    await page.get_by_test_id("end-call-confirm").click()
    await expect(bar.get_by_test_id("end-call")).to_be_disabled()
    await stage.desk.say("ended", reason="ended")
    await expect(bar).to_have_count(0)
    assert stage.ends == ["call-1"]
    await microphone_is_free(page)


async def test_an_attempt_that_fails_behind_a_closed_drawer_is_told_all_the_same(stage: Stage) -> None:
    page = await confirm(stage)
    await stage.desk.say("claiming")
    bar = await drawer_closed(page, "Escape")
    await expect(bar).to_contain_text(TEXTS["takeOver.state.claiming"])
    await stage.desk.say("cancelled", reason="refused", message="The bot said no.")
    await expect(page.get_by_test_id("take-over-cancelled")).to_contain_text("The bot said no.")
    await expect(page.get_by_test_id("call-bar")).to_have_count(0)


# --- a connection that is lost, and a page that is loaded anew --------------------------------------------------------


async def test_a_lost_connection_is_made_again_and_the_microphone_kept(stage: Stage) -> None:
    page = await talking(stage)
    await stage.desk.lose()
    await expect(page.get_by_test_id("take-over-state")).to_have_text(TEXTS["takeOver.state.reconnecting"])
    line = await stage.desk.line("t2")
    assert stage.desk.lines.keys() == {"t2"}
    assert (line.request["resume"], line.request["mine"]) == (True, ["claim-t1"])
    await stage.desk.say("talking", "t2", since=int(time.time() * 1000))
    await expect(page.get_by_test_id("take-over-state")).to_have_count(0)
    await line.hears("loud")
    assert await page.evaluate("tracks.length") == 1


async def test_audio_that_is_cut_as_one_goes_on_elsewhere_takes_nothing_back(stage: Stage) -> None:
    """The audio's end may arrive before the word that says why."""
    page = await talking(stage)
    await stage.desk.lose()
    line = await stage.desk.line("t2")
    assert line.request["mine"] == ["claim-t1"], "with which the server can tell"
    await stage.desk.say("lost", "t2", reason="elsewhere", holder=ME)
    await expect(page.get_by_test_id("take-over-lost")).to_contain_text(TEXTS["takeOver.lost.elsewhere"])
    await expect(page.get_by_test_id("take-over")).to_have_text(TEXTS["footer.resume"])


async def test_a_server_that_lost_our_audio_is_joined_again_and_one_that_gave_it_away_is_not(stage: Stage) -> None:
    page = await talking(stage)
    await stage.desk.say("lost", reason="connection", holder=ME)
    await stage.desk.say("claiming", "t2")
    await expect(page.get_by_test_id("take-over-state")).to_have_attribute("data-state", "reconnecting")
    await stage.desk.say("lost", "t2", reason="taken", holder=ADA)
    await expect(page.get_by_test_id("take-over-lost")).to_contain_text("Ada has this call")


def refusing(stage: Stage, status: int, code: str, times: int) -> list[str]:
    """The next so many requests are refused; what has been refused so far."""
    refused: list[str] = []

    async def refuse() -> Response:
        refused.append(code)
        if len(refused) == times:
            stage.desk.refuse = None
        return JSONResponse({"error": {"code": code, "message": "Not now."}}, status)

    stage.desk.refuse = refuse
    return refused


async def remembered(page: Page) -> Any:
    """What the page that comes next in this tab is to take up again."""
    return json.loads(await page.evaluate("sessionStorage.getItem('livemon:talk')"))


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (409, "already_ended"),
        (404, "not_found"),
        (503, "too_many"),
        (503, "store_away"),
        (503, "redis_away"),
        (502, "failed"),
        (400, "bad_request"),
    ],
)
async def test_a_call_that_one_has_is_not_given_up_for_a_refusal(stage: Stage, status: int, code: str) -> None:
    """A server that starts does not know the calls yet."""
    page = await talking(stage)
    refused = refusing(stage, status, code, times=2)
    await stage.desk.lose()
    line = await stage.desk.line("t2")
    assert refused == [code, code]
    assert (line.request["resume"], line.request["mine"]) == (True, ["claim-t1"])
    await stage.desk.say("talking", "t2", since=int(time.time() * 1000))
    await expect(page.get_by_test_id("take-over-state")).to_have_count(0)
    await line.hears("loud")
    assert (await remembered(page))["callId"] == "call-1"


@pytest.mark.parametrize("code", ["already_ended", "not_found"])
async def test_a_call_that_the_server_does_not_know_for_ten_seconds_is_over(stage: Stage, code: str) -> None:
    page = await talking(stage)
    bar = await drawer_closed(page, "Escape")
    started = datetime.datetime.now()
    await page.clock.install(time=started)
    await page.clock.pause_at(started + datetime.timedelta(seconds=10))
    refused = refusing(stage, 409, code, times=1_000)
    await stage.desk.lose()
    await expect(bar).to_have_attribute("data-state", "reconnecting")
    waited = 0
    async with asyncio.timeout(60):
        while await bar.count():  # the page's clock goes on only here
            waited += 500 if refused else 0
            await page.clock.run_for(500)
    assert waited > 10_000
    assert len(refused) > 1
    await expect(page.get_by_test_id("take-over-ended")).to_contain_text(TEXTS["takeOver.ended"])
    assert await page.evaluate("sessionStorage.getItem('livemon:talk')") is None
    await microphone_is_free(page)


@pytest.mark.parametrize(
    ("status", "code", "reason"), [(401, "unauthenticated", "session_ended"), (403, "forbidden", "forbidden")]
)
async def test_who_may_not_come_back_is_told_so(stage: Stage, status: int, code: str, reason: str) -> None:
    page = await talking(stage)
    refused = refusing(stage, status, code, times=1_000)
    await stage.desk.lose()
    notice = page.get_by_test_id("take-over-lost")
    await expect(notice).to_have_attribute("data-reason", reason)
    await expect(notice).to_contain_text(TEXTS["takeOver.lost"])
    await expect(notice).to_contain_text(TEXTS[f"takeOver.lost.{reason}"])
    await microphone_is_free(page)
    assert refused == [code]


@pytest.mark.parametrize("told", [False, True], ids=["by the refusal alone", "in words first"])
async def test_a_session_that_ends_in_mid_call_is_told_before_the_page_is_loaded_anew(stage: Stage, told: bool) -> None:
    page = await talking(stage)
    free = "import('/assets/held_call.js').then(({ heldCall }) => heldCall.whenFree(() => (window.free = true)))"
    await page.evaluate(f"void {free}")
    if told:
        await stage.desk.say("lost", reason="session_ended", holder=ME)
    else:
        await stage.desk.shut_out(4401)
    notice = page.get_by_test_id("take-over-lost")
    await expect(notice).to_have_attribute("data-reason", "session_ended")
    await expect(notice).to_contain_text(TEXTS["takeOver.lost"])
    await expect(notice).to_contain_text(TEXTS["takeOver.lost.session_ended"])
    await expect(page.get_by_test_id("mute")).to_have_count(0)
    await microphone_is_free(page)
    assert await page.evaluate("window.free") is None
    await stage.drop("call-1", 4401)
    await expect(page.get_by_test_id("live-listen")).to_have_count(0)
    await expect(notice).to_have_count(1)  # in the drawer, and not beside it too
    await notice.get_by_role("button").click()
    await page.wait_for_function("window.free")


async def test_a_role_that_ends_in_mid_call_cuts_nobody_off(stage: Stage) -> None:
    page = await talking(stage)
    line = await stage.desk.line()
    await stage.desk.shut_out(4403)
    await line.hears("loud", 20)
    await expect(page.get_by_test_id("mute")).to_be_visible()
    assert line.followers == []


async def test_the_claim_that_has_the_call_is_named_however_often_it_was_tried(stage: Stage) -> None:
    page = await talking(stage)
    await page.evaluate(
        """() => {
          const kept = JSON.parse(sessionStorage.getItem("livemon:talk"));
          const tried = Array.from({ length: 63 }, (_, n) => `tried-${n}`);
          sessionStorage.setItem("livemon:talk", JSON.stringify({ ...kept, claims: [...kept.claims, ...tried] }));
        }"""
    )
    page.on("dialog", lambda dialog: asyncio.ensure_future(dialog.accept()))
    await page.reload()
    await stage.desk.line("t2")
    await stage.desk.lose("t2")
    mine = (await stage.desk.line("t3")).request["mine"]
    assert (len(mine), mine[0], mine[1], mine[-1]) == (64, "claim-t1", "tried-1", "claim-t2")
    assert (await remembered(page))["claims"][-1] == "claim-t3"
    await stage.desk.say("talking", "t3", since=int(time.time() * 1000))
    await expect(page.get_by_test_id("call-bar")).to_have_attribute("data-state", "talking")
    await stage.desk.lose("t3")
    mine = (await stage.desk.line("t4")).request["mine"]
    assert (len(mine), mine[0], mine[1]) == (64, "claim-t3", "claim-t1")


async def reloaded_with(page: Page, what: str, value: str) -> None:
    """Load the page anew; there the microphone waits (`test:wait`), or fails (`test:fault`)."""
    page.on("dialog", lambda dialog: asyncio.ensure_future(dialog.accept()))
    await page.evaluate("(entry) => sessionStorage.setItem(...entry)", [what, value])
    await page.reload()
    await page.wait_for_function("window.ready")


@pytest.mark.parametrize("how", ["mute", "device"])
async def test_a_microphone_that_is_asked_for_twice_at_once_keeps_nobody_waiting(stage: Stage, how: str) -> None:
    page = await talking(stage)
    await reloaded_with(page, "test:wait", "yes")
    await page.wait_for_function("pending.length === 1")
    if how == "mute":
        await page.get_by_test_id("call-bar").get_by_test_id("mute").click()
    else:
        await stage.open("call-1", held(), reset(turn(1, "one")))
        await page.get_by_test_id("microphone-choice").select_option(index=2)
    await page.wait_for_function("pending.length === 2")
    await page.evaluate("pending[0]()")
    line = await stage.desk.line("t2")
    await page.evaluate("pending[1]()")
    await line.hears("loud")
    await stage.desk.say("talking", "t2", since=int(time.time() * 1000))
    await expect(page.get_by_test_id("mute")).to_have_attribute("aria-pressed", "false")
    await page.wait_for_function("live() === 1")


@pytest.mark.parametrize(
    ("fault", "why"), [("NotReadableError", "busy"), ("NotAllowedError", "refused"), ("TypeError", "failed")]
)
async def test_a_reloaded_page_without_a_microphone_is_joined_all_the_same(stage: Stage, fault: str, why: str) -> None:
    page = await talking(stage)
    await reloaded_with(page, "test:fault", fault)
    line = await stage.desk.line("t2")
    assert line.request["resume"] is True
    bar = page.get_by_test_id("call-bar")
    again = bar.get_by_test_id("resume-audio")
    await again.click()
    message = page.get_by_test_id("call-bar-message")
    await expect(message).to_contain_text(TEXTS["talk.stillMuted"])
    await expect(message).to_contain_text(TEXTS[f"takeOver.microphone.{why}"])
    await line.hears("silent")
    await stage.desk.say("talking", "t2", since=int(time.time() * 1000))
    await expect(bar).to_have_attribute("data-state", "talking")
    await expect(bar.get_by_test_id("mute")).to_have_attribute("aria-pressed", "true")
    await expect(bar.get_by_test_id("end-call")).to_be_enabled()
    kept = await remembered(page)
    assert (kept["callId"], kept["muted"]) == ("call-1", False), "the next page asks for the microphone again"
    await page.evaluate("window.fault = null")
    await again.click()
    await expect(again).to_have_count(0)
    await expect(message).to_have_count(0)
    await expect(bar.get_by_test_id("mute")).to_have_attribute("aria-pressed", "false")
    await line.hears("loud")


@pytest.mark.parametrize("muted", [False, True])
async def test_a_reloaded_page_asks_first_and_takes_the_call_up_again(stage: Stage, muted: bool) -> None:
    page = await talking(stage)
    if muted:
        await page.get_by_test_id("mute").click()
        await expect(page.get_by_test_id("mute")).to_have_attribute("aria-pressed", "true")
    asked: list[str] = []

    async def answer(dialog: Any) -> None:
        asked.append(dialog.type)
        await dialog.accept()

    page.on("dialog", answer)
    await page.reload()
    assert asked == ["beforeunload"]
    line = await stage.desk.line("t2")
    assert line.request["resume"] is True
    bar = page.get_by_test_id("call-bar")
    if muted:  # no silence goes out before the touch, so the server could not know that one is back
        await bar.get_by_test_id("resume-audio").click()
        await line.hears("silent")
    await stage.desk.say("talking", "t2", since=int(time.time() * 1000))
    await expect(bar).to_have_attribute("data-state", "talking")
    await expect(bar.get_by_test_id("mute")).to_have_attribute("aria-pressed", str(muted).lower())
    await expect(bar.get_by_test_id("resume-audio")).to_have_count(0)
    await line.hears("silent" if muted else "loud")


async def test_a_tab_that_is_duplicated_leaves_the_call_to_the_first(stage: Stage) -> None:
    page = await talking(stage)
    async with page.expect_popup() as opening:
        await page.evaluate("void window.open(location.href)")
    copy = await opening.value
    await copy.wait_for_function("window.ready")
    assert await copy.evaluate("sessionStorage.getItem('livemon:talk')") is not None
    await expect(copy.get_by_test_id("call-bar")).to_have_count(0)
    await copy.close()
    line = await stage.desk.line()
    await line.hears("loud")
    assert list(stage.desk.lines) == ["t1"]


async def test_a_page_that_has_to_be_loaded_anew_waits_for_the_call_to_end(stage: Stage) -> None:
    page = await talking(stage)
    free = "import('/assets/held_call.js').then(({ heldCall }) => heldCall.whenFree(() => (window.free = true)))"
    await page.evaluate(f"void {free}")
    line = await stage.desk.line()
    await line.hears("loud")
    assert await page.evaluate("window.free") is None
    await stage.desk.say("ended", reason="ended")
    await page.wait_for_function("window.free")


async def test_what_can_be_touched_is_large_enough(stage: Stage) -> None:
    page = stage.page
    await page.set_viewport_size({"width": 390, "height": 844})
    await talking(stage)
    sizes = "all => all.map((one) => [one.textContent.trim(), one.offsetWidth, one.offsetHeight])"
    found = await page.locator(".panel-footer button:visible, .panel-footer select:visible").evaluate_all(sizes)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    await drawer_closed(page, "Escape")
    found += await page.locator(".call-bar button:visible").evaluate_all(sizes)
    assert len(found) >= 6
    for words, width, height in found:
        assert width >= 44, words
        assert height >= 44, words
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390


async def test_a_page_that_goes_away_before_it_has_the_call_takes_the_request_back(stage: Stage) -> None:
    page = await confirm(stage)
    await stage.desk.say("claiming")
    page.on("dialog", lambda dialog: asyncio.ensure_future(dialog.accept()))
    await page.reload()
    await stage.desk.was_cancelled()
    await page.wait_for_function("window.ready")
    await expect(page.get_by_test_id("call-bar")).to_have_count(0)
