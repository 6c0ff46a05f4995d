"""Signing in by an identity provider, in a real browser and through the provider's own pages, and out on either side."""

import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from sqlmodel import col, select

from livemon.access.members import set_role
from livemon.access.roles import Role
from livemon.store.store import Store
from livemon.store.tables import Session
from tests.browser.conftest import DESKTOP, running
from tests.browser.live_page import LivePage
from tests.browser.speaking import EARS, listeners
from tests.browser.test_live_listen import listen, speaking
from tests.canaille_process import CanailleProcess
from tests.canaille_server import PASSWORD
from tests.chromium import close
from tests.conftest import ValkeyProcess, free_port
from tests.livemon_process import LivemonProcess
from tests.open_id import OpenId, open_id

pytestmark = pytest.mark.asyncio(loop_scope="session")


@dataclass
class House:
    """A livemon with two providers: canaille, and one of the tests' own, which knows Ada alone."""

    livemon: LivemonProcess
    canaille: CanailleProcess
    own: OpenId
    redis_url: str


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, valkey_of_livemon: ValkeyProcess) -> Iterator[House]:
    folder, port = tmp_path_factory.mktemp("single-sign-on"), free_port()
    canaille = CanailleProcess(free_port(), f"http://127.0.0.1:{port}", folder)
    with open_id() as own:
        own.claims |= {"groups": ["bosses"]}
        own.more_claims = lambda claims: claims | {"sid": "session-1"}
        settings = {"LIVEMON_REDIS_URL": valkey_of_livemon.url, **canaille.settings, **own.variables}
        livemon = LivemonProcess(port, folder, settings)
        canaille.start()
        livemon.start()
        yield House(livemon, canaille, own, valkey_of_livemon.url)
        livemon.stop()
        canaille.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def page(house: House, chromium: Browser) -> AsyncIterator[Page]:
    """A browser in which nobody is signed in anywhere."""
    context = await chromium.new_context(viewport=DESKTOP, base_url=house.livemon.url)
    yield await context.new_page()
    await close(context)


async def sign_in(page: Page, name: str) -> None:
    """From livemon's sign-in page through canaille's."""
    await page.get_by_test_id("sign-in-canaille").click()
    await page.locator("input[name=login]").fill(name)
    await page.locator("#loginform button[type=submit]").click()
    await page.locator("input[name=password]").fill(PASSWORD)
    await page.locator("#passwordform button[type=submit]").click()


async def test_there_is_a_button_for_each_provider_and_the_link_is_still_explained(page: Page) -> None:
    await page.goto("/sign-in")
    await expect(page.get_by_test_id("sign-in-canaille")).to_have_text("Sign in with Canaille")
    await expect(page.get_by_test_id("sign-in-own")).to_have_text("Sign in with Our own")
    await page.get_by_text("Sign in by a one-time link").click()
    await expect(page.get_by_test_id("sign-in-how")).to_contain_text("livemon sign-in-link")


@pytest.mark.parametrize(("name", "role"), [("ada", "Admin"), ("grace", "Developer")])
async def test_admin_and_developer_come_in_and_have_live_monitoring(page: Page, name: str, role: str) -> None:
    await page.goto("/live")
    await sign_in(page, name)
    await page.wait_for_url("**/live")
    await LivePage(page).is_live()
    await expect(page.get_by_test_id("nav-live-monitoring")).to_be_visible()
    await page.get_by_test_id("account-menu").click()
    await expect(page.get_by_test_id("account-panel")).to_contain_text(role)
    cookies = [cookie for cookie in await page.context.cookies() if cookie["domain"] == "127.0.0.1"]
    assert sorted((cookie["name"], cookie["httpOnly"]) for cookie in cookies) == [
        ("livemon_session", True),
        ("livemon_sign_out", True),
    ]


async def test_a_member_comes_in_and_has_no_live_monitoring(page: Page) -> None:
    await page.goto("/sign-in")
    await sign_in(page, "mel")
    await expect(page.get_by_test_id("home")).to_be_visible()
    await expect(page.get_by_test_id("nav-live-monitoring")).to_have_count(0)
    answer = await page.goto("/live")
    assert answer is not None
    assert answer.status == 403
    await expect(page.get_by_test_id("forbidden")).to_be_visible()


async def test_who_wanted_to_see_a_call_sees_it_after_signing_in(page: Page) -> None:
    await page.goto("/live/no-such-call")
    await sign_in(page, "ada")
    await page.wait_for_url("**/live/no-such-call")


async def test_who_may_not_come_in_reads_why_and_what_to_do(page: Page, house: House) -> None:
    await page.goto("/sign-in")
    await sign_in(page, "eve")
    said = page.get_by_test_id("sign-in-problem")
    await expect(said).to_have_attribute("data-problem", "not_admitted")
    await expect(said).to_contain_text("Ask a workspace admin")
    assert "code=" not in page.url
    assert all(cookie["name"] != "livemon_session" for cookie in await page.context.cookies())


async def test_signing_out_here_is_signing_out_there(page: Page) -> None:
    await page.goto("/live")
    await sign_in(page, "ada")
    await LivePage(page).is_live()
    await page.get_by_test_id("account-menu").click()
    await page.get_by_test_id("sign-out").click()
    await expect(page.get_by_test_id("sign-in-canaille")).to_be_visible()
    await page.get_by_test_id("sign-in-canaille").click()
    await expect(page.locator("input[name=login]")).to_be_visible()  # canaille asks anew who it is


async def test_who_signs_out_there_is_out_here_as_soon_as_the_provider_says_so(page: Page, house: House) -> None:
    """canaille says so to nobody: the word is made with its own key."""
    await page.goto("/live")
    await sign_in(page, "grace")
    await LivePage(page).is_live()
    there = await page.context.new_page()
    await there.goto(f"{house.canaille.issuer}/logout")
    await there.goto(f"{house.canaille.issuer}/login")
    await expect(there.locator("input[name=login]")).to_be_visible()
    await LivePage(page).is_live()  # nobody has told livemon
    subject = await subject_of(house, "canaille")
    await tell(house, "canaille", house.canaille.logout_token(subject))
    await page.get_by_test_id("sign-in-canaille").click()
    await expect(page.locator("input[name=login]")).to_be_visible()


async def subject_of(house: House, slug: str) -> str:
    """Who signed in last there, as the provider calls them."""
    store = Store(house.livemon.database_url)
    await store.open()
    async with store.session() as session:
        newest = select(Session).where(Session.provider == slug).order_by(col(Session.created_at).desc())
        found = (await session.exec(newest)).first()
    await store.close()
    assert found is not None
    assert found.subject
    return found.subject


async def tell(house: House, slug: str, token: str) -> None:
    async with httpx.AsyncClient() as server:
        url = f"{house.livemon.url}/sign-in/{slug}/back-channel-logout"
        answer = await server.post(url, data={"logout_token": token})
    assert answer.status_code == 200, answer.text


async def test_signing_out_there_closes_the_page_here(page: Page, house: House) -> None:
    await page.goto("/live")
    await page.get_by_test_id("sign-in-own").click()
    await LivePage(page).is_live()
    began = time.monotonic()
    await tell(house, "own", house.own.logout_token(sid="session-1"))
    await expect(page.get_by_test_id("sign-in-own")).to_be_visible()
    print(f"closed {time.monotonic() - began:.3f} s after the provider's logout (contract: 2 s)")


RECEIVER = """
window.connections = [];
const Connection = window.RTCPeerConnection;
window.RTCPeerConnection = class extends Connection {
  constructor(...args) { super(...args); window.connections.push(this); }
};
let played = 0;
setInterval(async () => {
  const now = performance.timeOrigin + performance.now();
  const context = window.ears.at(-1)?.context;
  const plays = context?.state === "running" && context.currentTime > played;  // else an ear keeps what it heard last
  played = context?.currentTime ?? 0;
  const sounds = plays && (window.heard("caller") || window.heard("agent"));
  let packet = 0;
  for (const connection of window.connections) {
    for (const report of (await connection.getStats()).values()) {
      if (report.type === "inbound-rtp") packet = Math.max(packet, report.lastPacketReceivedTimestamp || 0);
    }
  }
  window.received(packet, sounds ? now : 0);
}, 20);
"""
"""Runs before the page's own scripts, after EARS: tells when the last packet came, and when something was last heard."""


async def lose_it_by(how: str, house: House) -> float:
    """Grace is a Developer no more, or out; when that was, at the latest (s since 1970)."""
    if how == "claims":
        house.own.claims |= {"groups": []}
        answered: list[float] = []
        house.own.more_claims = lambda claims: answered.append(time.time()) or claims  # pyright: ignore
        async with httpx.AsyncClient(base_url=house.livemon.url, timeout=60) as elsewhere:
            left = await elsewhere.get("/sign-in/own")
            back = await elsewhere.get(house.own.authorize(left.headers["location"]))
        assert back.headers["location"] == "/", "she is a Member now"
        return answered[0]
    if how == "by hand":
        store = Store(house.livemon.database_url)
        await store.open()
        async with store.session() as session:
            newest = select(Session).where(Session.provider == "own").order_by(col(Session.created_at).desc())
            found = (await session.exec(newest)).first()
        assert found is not None
        began = time.time()
        await set_role(store, found.user_id, "default", Role.MEMBER)
        await store.close()
        return began
    began = time.time()
    await tell(house, "own", house.own.logout_token(sub="grace"))
    return began


@pytest.fixture
def grace_by_own(house: House) -> Iterator[None]:
    """At the tests' own provider Grace is there, a boss."""
    before = house.own.claims, house.own.more_claims
    house.own.claims = {"sub": "grace", "name": "Grace", "email": "grace@example.org", "groups": ["bosses"]}
    yield
    house.own.claims, house.own.more_claims = before


@pytest.mark.parametrize("how", ["claims", "by hand", "the provider's word"])
async def test_who_loses_the_role_in_mid_listening_hears_nothing_after_two_seconds(
    page: Page, house: House, grace_by_own: None, how: str
) -> None:
    """Measured where it is heard: by the last packet that the browser got, and the last sound that it played."""
    last = {"packet": 0.0, "sound": 0.0}

    def received(packet: float, sound: float) -> None:
        last.update(packet=max(last["packet"], packet), sound=max(last["sound"], sound))

    await page.expose_function("received", received)
    await page.add_init_script(EARS + RECEIVER)
    async with running(house.redis_url) as runtime, speaking(runtime) as call:
        live = LivePage(page)
        await page.goto(f"/live/{call.call_id}")
        await page.get_by_test_id("sign-in-own").click()
        await live.has_open(call)
        await listen(page)
        await listeners(house.livemon.url, 1)
        began = await lose_it_by(how, house)
        gone = page.get_by_test_id("sign-in-own" if how == "the provider's word" else "forbidden")
        await expect(gone).to_be_visible()
        await listeners(house.livemon.url, 0)
        assert call.caller_audio, "the call goes on"
    packet, sound = (moment / 1000 - began for moment in (last["packet"], last["sound"]))
    print(f"{how}: last packet {packet:.2f} s, last sound {sound:.2f} s after the role was gone (contract: 2 s)")
    assert last["packet"] > 0
    assert last["sound"] > 0
    assert max(packet, sound) <= 2.0


async def test_a_provider_that_is_away_is_said_and_whoever_is_in_stays_in(
    page: Page, house: House, chromium: Browser
) -> None:
    await page.goto("/live")
    await sign_in(page, "ada")
    await LivePage(page).is_live()
    house.canaille.stop()
    try:
        house.livemon.stop()
        house.livemon.start()  # it has never met the provider, then
        late = await chromium.new_context(viewport=DESKTOP, base_url=house.livemon.url)
        waiting = await late.new_page()
        await waiting.goto("/live")
        await waiting.get_by_test_id("sign-in-canaille").click()
        said = waiting.get_by_test_id("sign-in-problem")
        await expect(said).to_have_attribute("data-problem", "away")
        await expect(said).to_contain_text("Canaille cannot be reached")
        again = await page.context.new_page()
        await again.goto("/live")
        await LivePage(again).is_live()
        await again.get_by_test_id("account-menu").click()
        await again.get_by_test_id("sign-out").click()
        await expect(again.get_by_test_id("sign-in-how")).to_be_visible()
    finally:
        house.canaille.start()
    await sign_in(waiting, "grace")  # the same page, once the provider is back
    await LivePage(waiting).is_live()
    await close(late)
    secrets = (PASSWORD, "a-secret-of-the-tests", "code=", "id_token")
    assert not [each for each in secrets if each in house.livemon.output]
