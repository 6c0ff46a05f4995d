"""Single sign-on through the real server: what it logs at most, where it sends people, and whose word it takes for it."""

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qs, quote, quote_plus, unquote, urlsplit

import httpx
import pytest
from sqlmodel import select

from livemon.access.guard import COOKIE
from livemon.access.oidc import hint
from livemon.store.store import Store
from livemon.store.tables import AuditEntry
from tests.api.test_single_sign_on import FORGERIES
from tests.conftest import free_port
from tests.livemon_process import LivemonProcess
from tests.open_id import SECRET, OpenId, open_id, reset, signed

PROXY = "127.0.0.2"


@pytest.fixture(scope="module")
def provider() -> Iterator[OpenId]:
    with open_id() as made:
        yield made


@pytest.fixture
def own(provider: OpenId) -> OpenId:
    return reset(provider)


@pytest.fixture(scope="module")
def livemon(tmp_path_factory: pytest.TempPathFactory, provider: OpenId) -> Iterator[LivemonProcess]:
    """It logs all that it ever does, and has a proxy."""
    settings = {"LIVEMON_LOG_LEVEL": "debug", "LIVEMON_TRUSTED_PROXIES": PROXY, **provider.variables}
    process = LivemonProcess(free_port(), tmp_path_factory.mktemp("livemon"), settings)
    process.start()
    yield process
    process.stop()


@dataclass
class Somebody:
    """A browser that remembers everything it was told."""

    client: httpx.AsyncClient
    own: OpenId
    answers: list[httpx.Response] = field(default_factory=list[httpx.Response])
    cookies: set[str] = field(default_factory=set[str])

    async def get(self, url: str, **query: str) -> httpx.Response:
        return self._seen(await self.client.get(url, params=query or None))

    async def post(self, url: str, **fields: object) -> httpx.Response:
        return self._seen(await self.client.post(url, **fields))

    def _seen(self, answer: httpx.Response) -> httpx.Response:
        self.answers.append(answer)
        self.cookies |= set(self.client.cookies.values())
        return answer

    async def sign_in(self, **instead: str | None) -> httpx.Response:
        left = await self.get("/sign-in/own")
        return await self.get(self.own.authorize(left.headers["location"], **instead))

    @property
    def led_to(self) -> list[str]:
        """Every address to which it was sent, and every cookie's attributes with it."""
        said = [answer.headers.get("location", "") for answer in self.answers]
        return said + [answer.json().get("next", "") for answer in self.answers if is_json(answer)]


def is_json(answer: httpx.Response) -> bool:
    return answer.headers.get("content-type", "").startswith("application/json")


@pytest.fixture
async def ada(livemon: LivemonProcess, own: OpenId) -> AsyncIterator[Somebody]:
    async with httpx.AsyncClient(base_url=livemon.url, headers={"origin": livemon.url}, timeout=60) as client:
        yield Somebody(client, own)


def forms(secret: str) -> set[str]:
    """As it might be written."""
    return {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}


async def test_no_secret_gets_into_the_log_or_into_an_address(livemon: LivemonProcess, own: OpenId, ada: Somebody):
    """Signing in by a link and by the provider, well and badly; signing out on either side; all of it at level debug."""
    link, tokens = await livemon.link_token("Linda"), []
    await ada.post("/sign-in/link", json={"token": link})
    await ada.post("/sign-in/link", json={"token": link})
    for forge in (signed, FORGERIES["another's key"], FORGERIES["alg none"], signed):
        own.forge = lambda header, claims, forge=forge: tokens.append(forge(header, claims)) or tokens[-1]
        await ada.sign_in()
    await ada.sign_in(code=None, error="access_denied")
    await ada.sign_in(code="a-code-that-is-none")
    own.forge = signed
    own.token_status = 500
    await ada.sign_in()
    own.token_status = 200
    tokens += [own.logout_token(sub="bob"), own.logout_token(FORGERIES["another's key"])]
    for token in tokens[-2:]:
        await ada.post("/sign-in/own/back-channel-logout", data={"logout_token": token})
    own.forge = lambda header, claims: tokens.append(signed(header, claims)) or tokens[-1]
    signed_in = await ada.sign_in()
    assert signed_in.headers["location"] == "/"
    there = (await ada.post("/sign-out")).json()["next"]

    asked = [parse_qs(urlsplit(each).query) for each in ada.led_to if each.startswith(own.issuer)]
    assert len(asked) >= 9
    states, nonces = (
        {one["state"][0] for one in asked if "state" in one},
        {one["nonce"][0] for one in asked if "nonce" in one},
    )
    codes = {"a-code-that-is-none", *(f"code-{n}" for n in range(20))}
    basic = base64.b64encode(f"livemon:{quote_plus(SECRET)}".encode()).decode()
    kept = {SECRET, basic, "the-access-token", link, *tokens, *(cookie for cookie in ada.cookies if len(cookie) > 20)}
    assert len(kept) > 15
    for secret in kept | states | nonces:
        assert not [form for form in forms(secret) if form in livemon.output], secret
    assert not [code for code in codes if re.search(rf"\b{code}\b", livemon.output)]
    assert "nobody was signed in" in livemon.output
    # a state is for the provider's address, and the ID token's place is the one at which somebody signs out there
    addresses = [each for each in ada.led_to if each != there]
    for secret in kept:
        assert not [form for form in forms(secret) for each in addresses if form in each or form in unquote(each)]
    assert tokens[-1] in there
    assert not [form for secret in kept - {tokens[-1]} for form in forms(secret) if form in there]
    ours = [each for each in addresses if not each.startswith(own.issuer)]
    assert not [each for each in ours if "code=" in each or "state=" in each]


async def test_all_our_cookies_are_out_of_scripts_reach(ada: Somebody):
    await ada.sign_in()
    given = [header for answer in ada.answers for header in answer.headers.get_list("set-cookie")]
    named = {header.partition("=")[0] for header in given}
    assert {COOKIE, hint.COOKIE} < named
    assert all("HttpOnly" in header and "SameSite=lax" in header and "Path=/;" in header for header in given), given


# ---- whose word is taken for where a request comes from

SAID = {"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https", "x-forwarded-prefix": "/calls"}


async def by(livemon: LivemonProcess, address: str, **headers: str) -> tuple[httpx.Response, httpx.Response]:
    """A sign-in by link, and the way to the provider, of somebody who comes from that address."""
    token = await livemon.link_token("Linda")
    transport = httpx.AsyncHTTPTransport(local_address=address)
    host = livemon.url.partition("://")[2]
    origin = f"https://{host}" if "x-forwarded-proto" in headers and address == PROXY else livemon.url
    said = {"origin": origin, **headers}
    async with httpx.AsyncClient(transport=transport, base_url=livemon.url, headers=said, timeout=60) as client:
        return await client.post("/sign-in/link", json={"token": token}), await client.get("/sign-in/own")


async def came_from(livemon: LivemonProcess) -> str:
    """The address in the newest entry of the log that has one."""
    store = Store(livemon.database_url)
    await store.open()
    async with store.session() as session:
        entries = (await session.exec(select(AuditEntry).where(AuditEntry.action == "sign_in"))).all()
    await store.close()
    return max(entries, key=lambda entry: entry.seq).address


def redirect_uri(left: httpx.Response) -> str:
    return parse_qs(urlsplit(left.headers["location"]).query)["redirect_uri"][0]


async def test_a_configured_proxy_is_believed(livemon: LivemonProcess, own: OpenId):
    came, left = await by(livemon, PROXY, **SAID)
    assert came.json()["next"] == "/calls/live"
    assert "Secure" in came.headers["set-cookie"]
    assert redirect_uri(left) == f"https://127.0.0.1:{livemon.port}/calls/sign-in/own/callback"
    assert await came_from(livemon) == "203.0.113.9"


@pytest.mark.parametrize(
    "headers", [SAID, SAID | {"x-forwarded-host": "evil.example", "forwarded": "host=evil.example"}]
)
async def test_anybody_else_is_not(livemon: LivemonProcess, own: OpenId, headers: dict[str, str]):
    came, left = await by(livemon, "127.0.0.1", **headers)
    assert came.json()["next"] == "/live"
    assert "Secure" not in came.headers["set-cookie"]
    assert redirect_uri(left) == f"{livemon.url}/sign-in/own/callback"
    assert "evil.example" not in left.headers["location"]
    assert await came_from(livemon) == "127.0.0.1"


# ---- headers of somebody's own making

INJECTED = [
    "%0d%0aX-Evil:%20yes",
    "%0aX-Evil:%20yes",
    "%0d%0a%0d%0a<script>",
    "%E5%98%8A%E5%98%8DX-Evil:%20yes",
    "\u560d\u560aX-Evil",
]


async def raw(livemon: LivemonProcess, target: str, *headers: str) -> bytes:
    """The answer's bytes to what no client would send."""
    reader, writer = await asyncio.open_connection("127.0.0.1", livemon.port)
    lines = [f"GET {target} HTTP/1.1", *headers, "Accept: text/html", "Connection: close", "", ""]
    writer.write("\r\n".join(lines).encode())
    async with asyncio.timeout(30):
        answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize("evil", INJECTED)
async def test_no_address_becomes_a_header(livemon: LivemonProcess, own: OpenId, evil: str):
    host = f"Host: 127.0.0.1:{livemon.port}"
    pages = (f"/live/{evil}", f"/live?{evil}", f"/sign-in/{evil}")
    targets = (*pages, f"/sign-in/own?next=/live{evil}", f"/sign-in/own/callback?state={evil}")
    for target in targets:
        head = (await raw(livemon, target, host)).partition(b"\r\n\r\n")[0].lower()
        assert head.startswith(b"http/1.1 "), target
        assert b"\nx-evil" not in head
        assert b"<script>" not in head


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example/x?", 'evil.example"><script>', "a\tb", "evil.example:x"]
)
async def test_a_host_of_somebodys_own_making_leads_nobody_there(livemon: LivemonProcess, own: OpenId, host: str):
    """It is the asker's own; what is made of it is but a redirect URI that the provider does not know."""
    for target in ("/sign-in/own", "/live", "/sign-in/own/callback"):
        head = (await raw(livemon, target, f"Host: {host}")).partition(b"\r\n\r\n")[0].decode("latin-1")
        found = re.findall(r"(?im)^location: (.*)\r?$", head)
        assert found or host != "evil.example"
        for location in found:
            assert location.startswith((f"{own.issuer}/authorize?", "/")), location
            assert not location.startswith("//")
            assert "<script>" not in location


async def test_what_another_sites_page_wants_is_in_the_log(livemon: LivemonProcess, own: OpenId):
    async with httpx.AsyncClient(base_url=livemon.url, headers={"origin": "https://evil.example"}) as client:
        assert (await client.post("/sign-out")).status_code == 403
    store = Store(livemon.database_url)
    await store.open()
    async with asyncio.timeout(30), store.session() as session:
        look = select(AuditEntry).where(AuditEntry.action == "access")
        while not (entries := (await session.exec(look)).all()):
            await asyncio.sleep(0.02)
    await store.close()
    assert json.loads(entries[0].detail)["origin"] == "https://evil.example"
