"""Live Listen in the drawer as far as it goes without a voice: what is offered, what a refusal leads to, what is let go.

The voices themselves are heard in tests/media (each codec) and tests/browser (the whole way).
"""

import asyncio
import re
from typing import Any

import pytest
from playwright.async_api import Page, expect
from starlette.responses import JSONResponse, Response

from livemon.texts import TEXTS
from tests.components.conftest import Stage
from tests.components.messages import STARTED, call, ended, reset, turn

pytestmark = pytest.mark.asyncio(loop_scope="session")

WATCH_THE_MICROPHONE = """() => {
  window.asked = 0;
  navigator.mediaDevices.getUserMedia = () => (window.asked++, Promise.reject(new Error("never asked for")));
}"""


async def opened(stage: Stage) -> Page:
    await stage.page.evaluate(WATCH_THE_MICROPHONE)
    await stage.open("call-1", call(), reset(turn(1, "one")))
    await expect(stage.page.get_by_test_id("live-listen")).to_be_enabled()
    return stage.page


def controller(name: str) -> dict[str, Any]:
    return {"user_id": "u2", "name": name, "claim_id": "k1", "generation": 1, "since": STARTED, "lost_since": None}


async def held(stage: Stage) -> asyncio.Future[Response]:
    """The server takes its time to answer an offer."""
    answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
    stage.listen = lambda: answer
    return answer


async def test_the_offer_receives_three_voices_and_sends_none(stage: Stage) -> None:
    page = await opened(stage)
    answer = await held(stage)
    await page.get_by_test_id("live-listen").click()
    button = page.get_by_test_id("live-listen")
    await expect(button).to_have_text("Connecting…")
    await expect(button).to_be_disabled()
    await expect(page.get_by_test_id("level-caller")).to_be_visible()
    await expect(page.get_by_test_id("level-agent")).to_be_visible()
    answer.set_result(JSONResponse({"error": {"code": "failed", "message": "Not now."}}, 502))
    await expect(button).to_be_enabled()
    sdp = stage.offers[0]["sdp"]
    assert re.findall(r"^a=(sendrecv|sendonly|recvonly|inactive)\r?$", sdp, re.MULTILINE) == ["recvonly"] * 3
    assert "a=ssrc" not in sdp
    assert await page.evaluate("asked") == 0


async def test_a_supervisors_row_stands_in_the_agents_place_while_one_has_the_call(stage: Stage) -> None:
    """Also the next supervisor's, by name; and the agent's is back if it turns out that the agent has the call."""
    page = await opened(stage)
    answer = await held(stage)
    await page.get_by_test_id("live-listen").click()
    await expect(page.get_by_test_id("level-supervisor")).to_have_count(0)
    for name in ("Grace Hopper", "Radia Perlman"):
        await stage.say("call-1", call(call_status="taken_over", controller=controller(name)))
        rows = page.locator(".listening-voice")
        await expect(rows.locator(".listening-name")).to_have_text([TEXTS["transcript.caller"], name])
        for row, voice in enumerate(("caller", "supervisor")):
            for control in ("level", "volume", "mute"):
                await expect(rows.nth(row).get_by_test_id(f"{control}-{voice}")).to_be_visible()
        await expect(page.get_by_test_id("level-supervisor")).to_have_accessible_name(f"{name}, loudness")
        for control in ("level", "volume", "mute"):
            await expect(page.get_by_test_id(f"{control}-agent")).to_have_count(0)
    await stage.say("call-1", call())
    await expect(page.get_by_test_id("level-agent")).to_be_visible()
    await expect(page.get_by_test_id("level-supervisor")).to_have_count(0)
    answer.set_result(Response(status_code=502))


async def test_the_keyboard_stays_on_the_button_whose_voice_changes(stage: Stage) -> None:
    page = await opened(stage)
    answer = await held(stage)
    await page.get_by_test_id("live-listen").click()
    await page.get_by_test_id("mute-agent").focus()
    await stage.say("call-1", call(call_status="taken_over", controller=controller("Grace Hopper")))
    await expect(page.get_by_test_id("mute-supervisor")).to_be_focused()
    await stage.say("call-1", call())
    await expect(page.get_by_test_id("mute-agent")).to_be_focused()
    answer.set_result(Response(status_code=502))


async def test_a_supervisor_is_muted_and_turned_down_apart_from_the_caller_and_the_agent(stage: Stage) -> None:
    page = await opened(stage)
    answer = await held(stage)
    await page.get_by_test_id("live-listen").click()
    await page.get_by_test_id("mute-agent").click()
    await stage.say("call-1", call(call_status="taken_over", controller=controller("Grace Hopper")))
    mute = page.get_by_test_id("mute-supervisor")
    volume = page.get_by_test_id("volume-supervisor")
    await expect(mute).to_have_attribute("aria-pressed", "false")
    await volume.fill("25")
    await expect(volume).to_have_value("25")
    await expect(page.get_by_test_id("volume-caller")).to_have_value("100")
    await mute.click()
    await expect(mute).to_have_attribute("aria-pressed", "true")
    await expect(mute).to_have_accessible_name("Mute Grace Hopper")
    await expect(page.get_by_test_id("mute-caller")).to_have_attribute("aria-pressed", "false")
    await mute.click()
    await expect(volume).to_have_value("25")
    for touched in (mute, volume):
        box = await touched.bounding_box()
        assert box
        assert min(box["width"], box["height"]) >= 44
    answer.set_result(Response(status_code=502))


async def test_a_refusal_is_told_in_the_servers_words_and_the_button_is_back(stage: Stage) -> None:
    async def too_many() -> Response:
        return JSONResponse({"error": {"code": "too_many", "message": "Forty listen already. Wait for one."}}, 503)

    page = await opened(stage)
    stage.listen = too_many
    await page.get_by_test_id("live-listen").click()
    message = page.get_by_test_id("drawer-message")
    await expect(message).to_contain_text(TEXTS["listen.failed"])
    await expect(message).to_contain_text("Forty listen already. Wait for one.")
    await expect(page.get_by_test_id("live-listen")).to_be_enabled()
    assert await page.evaluate("audioEvents") == [
        {"call_id": "call-1", "listening": True},
        {"call_id": "call-1", "listening": False},
    ]


async def test_no_answer_says_what_to_look_for_and_a_new_try_takes_the_message_away(stage: Stage) -> None:
    page = await opened(stage)
    await page.get_by_test_id("live-listen").click()
    message = page.get_by_test_id("drawer-message")
    await expect(message).to_contain_text(TEXTS["listen.failed.hint"])
    answer = await held(stage)
    await page.get_by_test_id("live-listen").click()
    await expect(message).to_have_count(0)
    answer.set_result(Response(status_code=502))
    await expect(message).to_be_visible()


@pytest.mark.parametrize("how", ["close", "another", "end", "refused"])
async def test_leaving_the_call_lets_go_of_what_was_being_connected(stage: Stage, how: str) -> None:
    """The server's answer comes too late: the listener that it made is stopped again."""
    page = await opened(stage)
    answer = await held(stage)
    async with page.expect_request("**/calls/call-1/listen"):
        await page.get_by_test_id("live-listen").click()
    await expect(page.get_by_test_id("level-caller")).to_be_visible()
    if how == "close":
        await page.get_by_test_id("drawer-close").click()
    elif how == "another":
        await stage.open("call-2", call("call-2"), reset())
    elif how == "end":
        await stage.say("call-1", ended())
    else:
        await stage.drop("call-1", 4403)
    await expect(page.get_by_test_id("level-caller")).to_have_count(0)
    async with page.expect_request("**/listeners/late/stop") as stopping:
        answer.set_result(JSONResponse({"listener_id": "late", "sdp": "", "voices": ["caller", "agent", "supervisor"]}))
    assert (await stopping.value).method == "POST"
    assert await page.evaluate("audioEvents.at(-1)") == {"call_id": "call-1", "listening": False}
