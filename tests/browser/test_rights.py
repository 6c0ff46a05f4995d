"""Finer rights in a real browser: a Member who may read, but see no numbers, and one who may only watch."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from livemon.access.members import find_or_create, set_role
from livemon.access.roles import Role
from livemon.masking.text import MASK
from livemon.store.store import Store
from livemon_runtime import Audio, Call, Runtime
from tests.browser.conftest import SignIn
from tests.browser.live_page import LivePage, start_calls
from tests.conftest import ValkeyProcess, free_port
from tests.livemon_process import LivemonProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")

PHONE = "+12125550184"
CARD = "4242 4242 4242 4242"
SECRETS = ("2125550184", "212 555 0184", "4242", "ada@example.org")


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory, valkey_of_livemon: ValkeyProcess) -> Iterator[LivemonProcess]:
    """A server whose Members read masked transcripts, and whose Developers only watch."""
    settings = {"LIVEMON_REDIS_URL": valkey_of_livemon.url, "LIVEMON_MEMBER_RIGHTS": "watch,read"}
    server = LivemonProcess(
        free_port(), tmp_path_factory.mktemp("readers"), {**settings, "LIVEMON_DEVELOPER_RIGHTS": "watch"}
    )
    server.start()
    yield server
    server.stop()


def record(page: Page) -> list[str]:
    """Everything that the server sends over the page's sockets from now on, letter for letter."""
    frames: list[str] = []

    def keep(frame: str | bytes) -> None:
        frames.append(frame if isinstance(frame, str) else frame.decode("utf-8", "replace"))

    page.on("websocket", lambda socket: socket.on("framereceived", keep))
    return frames


def secret_call(runtime: Runtime) -> Call:
    """A call in which numbers are everywhere: said, pressed, in tools, and in what is known of the caller."""
    (call,) = start_calls(
        runtime,
        1,
        from_number=PHONE,
        direction="inbound",
        agent_name="Ada",
        metadata={"mail": "ada@example.org", "card": CARD},
        audio=Audio(caller="opus", agent="opus"),
        capabilities=["listen", "take_over", "end"],
    )
    call.user_turn().final(f"My card is {CARD}, my number 212 555 0184")
    call.tool_call("tool-1", "charge", {"card": CARD, "mail": "ada@example.org"})
    call.tool_result("tool-1", {"card": CARD})
    call.dtmf("4")
    return call


async def test_a_masked_reader_reads_a_call_and_no_number_ever_reaches_the_browser(
    readers: LivemonProcess, sign_in: SignIn, runtime: Runtime
) -> None:
    call = secret_call(runtime)
    page = await sign_in(readers, "Mo", Role.MEMBER)
    frames = record(page)
    live = LivePage(page)
    await live.open("/")
    await expect(page.get_by_test_id("nav-live-monitoring")).to_be_visible()
    await expect(live.row(call)).to_contain_text(MASK)
    await expect(live.list.get_by_test_id("masked-note")).to_be_visible()
    await live.row(call).click()
    await live.has_open(call)
    await expect(live.turns.first).to_have_text(f"My card is {MASK}, my number {MASK}")
    await page.get_by_test_id("tool-call").locator("summary").click()
    await expect(page.get_by_test_id("tool-call-details")).to_contain_text(f'"card": "{MASK}"')
    await expect(page.get_by_test_id("dtmf")).to_contain_text("•")
    await page.get_by_test_id("call-metadata").locator("summary").click()
    await expect(page.get_by_test_id("call-metadata")).to_contain_text("•••@•••")
    await expect(live.drawer.get_by_test_id("masked-note")).to_be_visible()

    turn = call.user_turn()
    said = f"Again: {CARD}"
    for end in range(8, len(said) + 1, 3):
        turn.partial(said[:end])
    turn.final(said)
    await expect(live.turns.last).to_have_text(f"Again: {MASK}")

    for button in ("live-listen", "take-over", "end-call"):
        await expect(page.get_by_test_id(button)).to_have_count(0)
    assert not [secret for secret in SECRETS if secret in await page.content()]
    await page.get_by_test_id("call-search").fill("2125550184")
    await expect(page.get_by_test_id("call-list-none")).to_be_visible()
    feeds = [frame for frame in frames if call.call_id in frame or '"t":' in frame]
    assert len(feeds) > 3, "the page was told something"
    assert not [secret for secret in SECRETS for frame in frames if secret in frame]


async def test_who_may_only_watch_sees_the_call_and_reads_that_the_transcript_is_withheld(
    readers: LivemonProcess, sign_in: SignIn, runtime: Runtime
) -> None:
    call = secret_call(runtime)
    page = await sign_in(readers, "Dev", Role.DEVELOPER)
    frames = record(page)
    await LivePage(page).open(f"/live/{call.call_id}")
    await expect(page.get_by_test_id("transcript-withheld")).to_be_visible()
    await expect(page.get_by_test_id("transcript")).to_be_hidden()
    await expect(page.get_by_test_id("call-facts")).to_contain_text(MASK)
    call.user_turn().final("A secret")
    call.update(agent_name="Bob")
    await expect(page.get_by_test_id("call-facts")).to_contain_text("Bob")
    assert not [frame for frame in frames if "secret" in frame or "My card" in frame]


async def test_a_role_with_other_rights_loads_the_page_anew_with_what_one_may_do_now(
    readers: LivemonProcess, sign_in: SignIn, runtime: Runtime
) -> None:
    call = secret_call(runtime)
    store = Store(readers.database_url)
    await store.open()
    page = await sign_in(readers, "Changing", Role.MEMBER)
    live = LivePage(page)
    await live.open(f"/live/{call.call_id}")
    await expect(live.turns.first).to_contain_text(MASK)
    user_id = await find_or_create(store, "Changing")
    await set_role(store, user_id, "default", Role.DEVELOPER)
    await expect(page.get_by_test_id("transcript-withheld")).to_be_visible()
    await set_role(store, user_id, "default", Role.ADMIN)
    await expect(live.turns.first).to_contain_text(CARD)
    await expect(page.get_by_test_id("live-listen")).to_be_visible()
    await expect(page.get_by_test_id("masked-note")).to_have_count(0)
    await store.close()


async def test_the_start_page_and_the_refusal_name_the_roles_that_have_live_monitoring(
    tmp_path: Path, own_valkey: ValkeyProcess, sign_in: SignIn
) -> None:
    settings = {"LIVEMON_REDIS_URL": own_valkey.url, "LIVEMON_DEVELOPER_RIGHTS": "none"}
    server = LivemonProcess(free_port(), tmp_path / "livemon", settings)
    server.start()
    try:
        page = await sign_in(server, "Dev", Role.DEVELOPER)
        await page.goto("/")
        await expect(page.get_by_test_id("home")).to_contain_text("Admins see the calls as they happen")
        await page.goto("/live")
        await expect(page.get_by_test_id("forbidden")).to_contain_text("Live Monitoring is for Admins")
    finally:
        server.stop()
