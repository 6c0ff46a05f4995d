"""A page that cannot have a microphone says so before anyone needs it; one that can does not."""

import datetime
import ipaddress
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.async_api import Browser, expect

from livemon.access.roles import Role
from tests.browser.conftest import SignIn
from tests.browser.live_page import LivePage
from tests.chromium import CHROMIUM, FLAGS, close
from tests.conftest import ValkeyProcess, free_port
from tests.livemon_process import LivemonProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOST = "livemon.test"


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def far_away(chromium: Browser) -> AsyncIterator[Browser]:
    """A browser that knows this machine by a name, as one on the network would."""
    rules = f"--host-resolver-rules=MAP {HOST} 127.0.0.1"
    browser = await chromium.browser_type.launch(executable_path=CHROMIUM, args=[*FLAGS, rules])
    yield browser
    await close(browser)


@pytest.mark.parametrize(
    ("role", "advice"),
    [(Role.ADMIN, "LIVEMON_TLS_CERT and LIVEMON_TLS_KEY"), (Role.DEVELOPER, "Ask a workspace admin")],
)
async def test_over_plain_http_each_reads_what_they_can_do_about_it(
    livemon: LivemonProcess, far_away: Browser, role: Role, advice: str
) -> None:
    url = f"http://{HOST}:{livemon.port}"
    context = await far_away.new_context(base_url=url)
    try:
        await context.add_cookies([{"name": "livemon_session", "value": await livemon.cookie("Far", role), "url": url}])
        live = LivePage(await context.new_page())
        await live.open()
        notice = live.page.get_by_test_id("insecure-page")
        await expect(notice).to_contain_text("Browsers give a microphone only to https or localhost")
        await expect(notice).to_contain_text(advice)
        assert (await notice.inner_text()).count("LIVEMON_") == (2 if role is Role.ADMIN else 0)
    finally:
        await close(context)


async def test_on_this_machine_itself_there_is_nothing_to_say(live: LivePage) -> None:
    assert await live.page.evaluate("isSecureContext")
    await expect(live.page.get_by_test_id("insecure-page")).to_be_hidden()


@pytest.fixture(scope="module")
def https(tmp_path_factory: pytest.TempPathFactory, valkey_of_livemon: ValkeyProcess) -> Iterator[LivemonProcess]:
    """livemon with a certificate of its own."""
    folder = tmp_path_factory.mktemp("https")
    certificate, key = make_certificate(folder)
    settings = {
        "LIVEMON_REDIS_URL": valkey_of_livemon.url,
        "LIVEMON_TLS_CERT": str(certificate),
        "LIVEMON_TLS_KEY": str(key),
    }
    server = LivemonProcess(free_port(), folder / "livemon", settings)
    server.start()
    yield server
    server.stop()


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for this machine that nobody has signed, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName(HOST), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    until = now + datetime.timedelta(days=1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, until)
    builder = builder.add_extension(names, critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    cert_path, key_path = folder / "cert.pem", folder / "key.pem"
    cert_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    key_path.write_bytes(key.private_bytes(*form))
    return cert_path, key_path


async def test_over_https_all_is_well_and_the_session_stays_on_https(https: LivemonProcess, sign_in: SignIn) -> None:
    page = await sign_in(https, name="Somebody else")
    token = await https.link_token("Maya")
    await page.goto(f"/sign-in#token={token}")
    await page.wait_for_url("**/live")
    await LivePage(page).is_live()
    await expect(page.get_by_test_id("insecure-page")).to_be_hidden()
    (cookie,) = await page.context.cookies()
    assert cookie["secure"]


async def test_the_lines_of_the_connect_page_are_copied_without_a_clipboard(
    livemon: LivemonProcess, far_away: Browser
) -> None:
    url = f"http://{HOST}:{livemon.port}"
    context = await far_away.new_context(base_url=url)
    try:
        cookie = await livemon.cookie("Far", Role.DEVELOPER)
        await context.add_cookies([{"name": "livemon_session", "value": cookie, "url": url}])
        page = await context.new_page()
        await page.goto("/connect")
        await page.locator("[data-testid=connect-stack][data-stack=api]").click()
        assert await page.evaluate("navigator.clipboard === undefined")
        copy = page.locator("[data-testid=connect-copy][data-block=program]")
        await copy.click()
        await expect(copy).to_have_text("Copied")
        await page.goto("/live")
        search = page.get_by_test_id("call-search")
        await search.focus()
        await page.keyboard.press("Control+V")
        await expect(search).to_have_value(re.compile(f'base_url="{re.escape(url)}"'))
    finally:
        await close(context)
