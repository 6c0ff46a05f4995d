"""The Connect page in a real Chromium: what it says to each word of the runtimes' feed, and what it copies."""

import json
from dataclasses import asdict
from typing import Any

import pytest
from playwright.async_api import Locator, Page, WebSocketRoute, expect

from livemon.connect.address import RedisAddress
from livemon.connect.deployment import Deployment
from livemon.connect.stacks import KEY_PLACEHOLDER, stacks
from tests.components.admission import Office
from tests.components.conftest import Stage, now_ms

pytestmark = pytest.mark.asyncio(loop_scope="session")

URL = "redis://agent:secret@redis.example.com:6379/0"
LIVE = {"state": "live", "since": None}


class Feed:
    """The runtimes' socket, as a test wants it."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._socket: WebSocketRoute | None = None

    async def open(self) -> None:
        await self._page.route_web_socket("**/feed/runtimes", self._connect)

    def _connect(self, socket: WebSocketRoute) -> None:
        self._socket = socket

    async def _connected(self) -> WebSocketRoute:
        while self._socket is None:
            await self._page.wait_for_timeout(10)
        return self._socket

    async def say(self, state: str = "waiting", **fields: Any) -> None:
        known = {
            "feed": LIVE,
            "looked": True,
            "refused": False,
            "call": None,
            "runtimes": [],
            "more": 0,
            "masked": False,
        }
        await self.send({"t": "runtimes", "now": now_ms(), "state": state, **known, **fields})

    async def send(self, message: dict[str, Any]) -> None:
        (await self._connected()).send(json.dumps(message))

    async def close(self, code: int) -> None:
        socket = await self._connected()
        self._socket = None
        await socket.close(code=code)


def call(**fields: Any) -> dict[str, Any]:
    return {"id": "c-1", "agent": "Ada", "start": now_ms() - 12_000, "over": False, "there": True, **fields}


def runtime(**fields: Any) -> dict[str, Any]:
    known = {"id": "rt-1", "name": "front-desk", "version": "1.2", "since": now_ms(), "speaks": True}
    return {**known, "calls": 0, "call": None, "caps": None, "audio": None, **fields}


async def opened(stage: Stage, url: str = URL, *, manages: bool = True, **about: Any) -> Feed:
    """The page of a deployment whose Redis is there."""
    feed = Feed(stage.page)
    await feed.open()
    where = {"embedded": False, "workspace": "default", "origin": "https://calls.example.com", **about}
    deployment = Deployment(RedisAddress(url), **where)
    address = deployment.address
    props = {
        "stacks": [asdict(one) for one in stacks(deployment)],
        "manages": manages,
        "deployment": {
            "redis": address.masked,
            "embedded": deployment.embedded,
            "local": address.is_local,
            "secret": address.has_secret,
            "shared": deployment.shared,
            "workspace": deployment.workspace,
            "origin": deployment.origin,
            "key": KEY_PLACEHOLDER,
        },
    }
    for style in ("admission", "connect"):
        await stage.page.add_style_tag(url=f"/assets/{style}.css")
    await stage.mount("connect", **props)
    return feed


def state(page: Page) -> Locator:
    return page.get_by_test_id("connect-state")


async def is_in(page: Page, name: str, *words: str) -> None:
    await expect(state(page)).to_have_attribute("data-state", name)
    for one in words:
        await expect(state(page)).to_contain_text(one)


# --- how far it has come


async def test_before_the_first_word_nothing_is_known(stage: Stage) -> None:
    feed = await opened(stage)
    await is_in(stage.page, "away", "Asking livemon")
    await feed.say("waiting", looked=False)
    await is_in(stage.page, "waiting", "Looking for runtimes that are there already")
    await feed.say("waiting")
    await is_in(stage.page, "waiting", "No runtime is there yet.")


async def test_the_first_call_is_the_one_that_ended_the_waiting(stage: Stage) -> None:
    feed = await opened(stage)
    await feed.say("waiting")
    await is_in(stage.page, "waiting")
    await feed.say("connected", call=call(), runtimes=[runtime(call=call(), calls=1, caps=["end"], audio=False)])
    await is_in(stage.page, "connected", "First call: Ada", "12 s ago")
    await expect(stage.page.get_by_role("link", name="Open the call")).to_have_attribute("href", "/live/c-1")
    later = call(id="c-2", agent="", start=now_ms() - 180_000)
    await feed.say("connected", call=later, runtimes=[runtime(call=later, calls=2, caps=[], audio=False)])
    await is_in(stage.page, "connected", "Latest call: an agent without a name", "3 minutes ago")


async def test_a_call_that_was_there_before_is_not_called_the_first(stage: Stage) -> None:
    feed = await opened(stage)
    await feed.say("waiting", looked=False)
    await feed.say("connected", call=call(), runtimes=[runtime(call=call(), calls=1, caps=[], audio=False)])
    await is_in(stage.page, "connected", "Latest call: Ada")


async def test_a_call_whose_runtime_has_left_is_told_and_is_not_green(stage: Stage) -> None:
    feed = await opened(stage)
    await feed.say("waiting", call=call(there=False, over=True))
    await is_in(stage.page, "waiting", "Waiting for the next call", "its runtime has left", "Latest call: Ada", "over")


async def test_while_redis_is_away_it_neither_waits_nor_is_green(stage: Stage) -> None:
    feed = await opened(stage)
    away = {"state": "stale", "since": now_ms() - 5_000}
    for said in ("waiting", "runtime", "connected"):
        await feed.say(said, feed=away, call=call(), runtimes=[runtime(call=call(), calls=1, caps=[], audio=False)])
        await is_in(stage.page, "away", "Redis is away", "Calls themselves go on")
        await expect(stage.page.get_by_test_id("connect-runtime")).to_have_count(0)
        await expect(stage.page.get_by_test_id("connect-call")).to_have_count(0)


async def test_without_the_server_nothing_is_known_either_and_it_goes_on_by_itself(stage: Stage) -> None:
    feed = await opened(stage)
    await feed.say("connected", call=call(), runtimes=[runtime(call=call(), calls=1, caps=[], audio=False)])
    await is_in(stage.page, "connected")
    await feed.close(1012)
    await is_in(stage.page, "away", "The server does not answer")
    await feed.say("waiting")
    await is_in(stage.page, "waiting")
    await feed.close(4403)
    await is_in(stage.page, "away", "You may not see this any more")


async def test_each_runtime_says_whether_it_reports_calls_and_what_the_latest_offers(stage: Stage) -> None:
    feed = await opened(stage)
    silent = runtime(id="rt-2", name="<b>x</b>", speaks=False)
    talks = runtime(call=call(), calls=2, caps=["listen", "take_over", "end"], audio=False)
    await feed.say("connected", call=call(), runtimes=[talks, silent], more=3)
    first, second = (
        stage.page.get_by_test_id("connect-runtime").nth(0),
        stage.page.get_by_test_id("connect-runtime").nth(1),
    )
    await expect(stage.page.get_by_text("5 runtimes are there")).to_be_visible()
    await expect(first).to_contain_text("2 calls")
    await expect(first.locator("[data-can=true]")).to_have_text(["Take Over", "End Call"])
    await expect(first.locator("[data-can=false]")).to_have_text(["no Live Listen", "no Hints"])
    await expect(second).to_contain_text("<b>x</b>")
    await expect(second).to_contain_text("No call yet")
    await expect(second).to_contain_text("does not say that it speaks version 1")
    await expect(second).to_have_attribute("data-reports", "false")


async def test_a_redis_that_lets_nobody_look_is_told(stage: Stage) -> None:
    feed = await opened(stage)
    await feed.say("waiting", looked=False, refused=True)
    await expect(stage.page.get_by_test_id("connect-refused")).to_contain_text("SCAN")


async def test_after_a_minute_without_a_call_it_says_what_to_check_and_not_before(stage: Stage) -> None:
    page = stage.page
    await page.clock.install()
    feed = await opened(stage, "redis://127.0.0.1:6379/0", workspace="night-shift")
    await feed.say("waiting")
    await is_in(page, "waiting")
    shown = page.get_by_test_id("connect-help")

    async def pass_seconds(seconds: int) -> None:
        """While the server goes on speaking."""
        for _ in range(seconds // 5):
            await feed.send({"t": "tick", "now": now_ms()})
            await page.evaluate("0")
            await page.clock.run_for(5_000)

    await pass_seconds(50)
    await expect(shown).to_have_count(0)
    await pass_seconds(15)
    await expect(shown).to_be_visible()
    causes = await shown.locator("[data-cause]").evaluate_all("all => all.map((one) => one.dataset.cause)")
    assert causes == ["running", "address", "workspace", "firewall", "acl", "doctor", "conform"]
    await expect(shown).to_contain_text('workspace="night-shift"')
    await feed.say("runtime", runtimes=[runtime()])
    await expect(shown).to_contain_text("The runtime is there, and no call has come")
    await feed.say("connected", call=call(), runtimes=[runtime(call=call(), calls=1, caps=[], audio=False)])
    await expect(shown).to_have_count(0)
    await page.clock.resume()


# --- the lines


async def test_what_is_copied_is_what_is_shown_and_it_is_said(stage: Stage) -> None:
    await stage.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await opened(stage)
    for block in await stage.page.get_by_test_id("connect-copy").all():
        name = await block.get_attribute("data-block")
        await block.click()
        await expect(block).to_have_text("Copied")
        lines = await stage.page.locator(f"[data-testid=connect-lines][data-block={name}]").evaluate(
            "one => one.textContent"
        )
        assert await stage.page.evaluate("navigator.clipboard.readText()") == lines


async def test_without_a_clipboard_it_is_copied_by_the_browsers_own_command(stage: Stage) -> None:
    page = stage.page
    await page.evaluate("delete Navigator.prototype.clipboard")  # as on a page that is not secure
    await opened(stage)
    await page.locator("[data-testid=connect-stack][data-stack=python]").click()
    button = page.locator("[data-testid=connect-copy][data-block=agent]")
    await button.click()
    await expect(button).to_have_text("Copied")
    await page.evaluate("document.body.insertAdjacentHTML('beforeend', '<textarea id=paste></textarea>')")
    await page.locator("#paste").focus()
    await page.keyboard.press("Control+V")
    lines = await page.locator("[data-testid=connect-lines][data-block=agent]").evaluate("one => one.textContent")
    assert await page.locator("#paste").input_value() == lines


async def test_where_nothing_may_be_copied_the_lines_are_selected_and_it_says_so(stage: Stage) -> None:
    page = stage.page
    await page.evaluate("delete Navigator.prototype.clipboard; document.execCommand = () => false")
    await opened(stage)
    await page.locator("[data-testid=connect-copy][data-block=install]").click()
    await expect(page.get_by_role("alert")).to_contain_text("The browser does not let this page copy. It is selected")
    selected = await page.evaluate("String(getSelection())")
    assert selected.strip() == "pip install './runtime[pipecat]'"


@pytest.mark.parametrize(
    ("url", "about", "manages", "words", "reveals"),
    [
        ("redis://127.0.0.1:6379/0", {"embedded": True}, True, ["livemon's own", "LIVEMON_REDIS_URL"], False),
        ("redis://localhost:6379/0", {}, True, ["leads nowhere from other machines"], False),
        ("redis://redis.example.com", {}, True, ["at redis://redis.example.com"], False),
        (URL, {}, True, ["agent:PASSWORD@", "PASSWORD stands in its place"], True),
        (URL, {}, False, ["agent:PASSWORD@", "Ask a workspace admin for it."], False),
        (URL, {"shared": True}, True, ["It opens the other workspaces"], False),
    ],
)
async def test_of_the_address_it_says_who_reaches_it_and_who_has_its_password(
    stage: Stage, url: str, about: dict[str, Any], manages: bool, words: list[str], reveals: bool
) -> None:
    await opened(stage, url, manages=manages, **about)
    for one in words:
        await expect(stage.page.get_by_test_id("connect-address")).to_contain_text(one)
    await expect(stage.page.get_by_test_id("connect-reveal")).to_have_count(int(reveals))


async def test_a_password_that_is_not_shown_says_why(stage: Stage) -> None:
    page = stage.page
    refusal = {"error": {"code": "not_recorded", "message": "It cannot be recorded."}}
    await page.route("**/connect/password", lambda route: route.fulfill(status=503, json=refusal))
    await opened(stage)
    await page.get_by_test_id("connect-reveal").click()
    await expect(page.get_by_test_id("connect-problem")).to_have_text(
        "The password was not shown. It cannot be recorded."
    )
    await expect(page.get_by_test_id("connect-reveal")).to_be_enabled()


async def test_the_key_that_is_made_there_is_shown_and_stands_in_the_lines(stage: Stage) -> None:
    office = Office(stage.page)
    await office.open()
    office.answers["/keys"] = (200, {"id": "k1", "key": "lmk_k1_abc", "expires_at": now_ms() + 86_400_000})
    await opened(stage)
    page = stage.page
    await page.locator("[data-testid=connect-stack][data-stack=api]").click()
    await page.get_by_test_id("connect-make-key").click()
    await page.get_by_test_id("key-name").fill("Wallboard")
    await page.get_by_test_id("key-make-submit").click()
    await expect(page.get_by_test_id("key-secret")).to_have_text("lmk_k1_abc")
    await page.get_by_test_id("key-secret-submit").click()
    await expect(page.locator("[data-testid=connect-lines][data-block=program]")).to_contain_text(
        'api_key="lmk_k1_abc"'
    )
    await expect(page.get_by_test_id("connect-key-there")).to_be_visible()
    assert office.acts == [("/keys", {"name": "Wallboard", "rights": ["watch"], "days": 90})]


async def test_who_makes_no_keys_reads_whom_to_ask(stage: Stage) -> None:
    await opened(stage, manages=False)
    await stage.page.locator("[data-testid=connect-stack][data-stack=api]").click()
    await expect(stage.page.get_by_text("ask a workspace admin to make one")).to_be_visible()
    await expect(stage.page.get_by_test_id("connect-make-key")).to_have_count(0)
