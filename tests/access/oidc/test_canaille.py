"""Signing in by a real provider, through its own pages; it checks PKCE, codes and secrets as it does for everybody."""

import re
from urllib.parse import urlsplit

import httpx
import pytest

from livemon.access.oidc.provider import Provider
from livemon.settings import Settings
from tests.access.conftest import SignIn
from tests.api.sign_on import ORIGIN, Browser, application, browser, problem
from tests.canaille_process import CanailleProcess
from tests.canaille_server import PASSWORD
from tests.conftest import free_port

assert SignIn


@pytest.fixture(scope="session")
def canaille(tmp_path_factory):
    server = CanailleProcess(free_port(), ORIGIN, tmp_path_factory.mktemp("canaille"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def provider(canaille, monkeypatch):
    for name, value in canaille.settings.items():
        monkeypatch.setenv(name, value)
    (found,) = Settings(_env_file=None).oidc.items()
    return Provider(*found)


@pytest.fixture
async def somebody(store, sessions, audit, provider):
    made = browser(application(store, sessions, audit, {"canaille": provider}), slug="canaille")
    async with made.client:
        yield made


class Desk:
    """What a person does at canaille's own pages, in the same browser."""

    def __init__(self, issuer: str) -> None:
        self.client = httpx.AsyncClient(base_url=issuer, timeout=60)

    async def sign_in(self, url: str, name: str, password: str = PASSWORD) -> str:
        """From the address to which livemon has led, by name and password, to the one that leads back."""
        answer = await self.client.get(url)
        for _ in range(10):
            if answer.is_redirect:
                location = str(answer.url.join(answer.headers["location"]))
                if location.startswith(ORIGIN):
                    return location
                answer = await self.client.get(location)
                continue
            (token,) = re.findall(r'name="csrf_token" value="([^"]+)"', answer.text)[:1]
            asked = "password" if 'name="password"' in answer.text else "login"
            form = {"csrf_token": token, asked: password if asked == "password" else name}
            answer = await self.client.post(answer.url, data=form)
        raise AssertionError(answer.text)


async def sign_in(made: Browser, issuer: str, name: str) -> httpx.Response:
    left = await made.leave()
    desk = Desk(issuer)
    async with desk.client:
        return await made.client.get(await desk.sign_in(left.headers["location"], name))


@pytest.mark.parametrize(
    ("name", "who"),
    [("ada", "Ada Lovelace, admin"), ("grace", "Grace Hopper, developer"), ("mel", "Mel Kaye, member")],
)
async def test_each_comes_in_as_what_their_groups_say(canaille, somebody, name, who):
    assert problem(await sign_in(somebody, canaille.issuer, name)) is None
    assert await somebody.who() == who


async def test_who_is_of_another_domain_does_not(canaille, somebody):
    assert problem(await sign_in(somebody, canaille.issuer, "eve")) == "not_admitted"
    assert await somebody.who() is None


async def test_a_code_without_its_verifier_is_refused_by_the_provider(canaille, somebody, provider):
    """That PKCE is really asked for and checked there."""
    left = await somebody.leave()
    desk = Desk(canaille.issuer)
    async with desk.client:
        back = await desk.sign_in(left.headers["location"], "ada")
    again = await somebody.leave()
    state = httpx.URL(again.headers["location"]).params["state"]
    url = httpx.URL(back).copy_merge_params({"state": state})
    assert problem(await somebody.client.get(url)) == "refused"


async def test_it_signs_by_an_algorithm_that_is_not_pinned_and_nobody_comes_in(
    store, sessions, audit, canaille, provider
):
    settings = provider.settings.model_copy(update={"algorithms": ("ES256",)})
    made = browser(application(store, sessions, audit, {"canaille": Provider("canaille", settings)}), slug="canaille")
    async with made.client:
        assert problem(await sign_in(made, canaille.issuer, "ada")) == "token"


async def test_signing_out_is_signing_out_there_too(canaille, somebody):
    left = await somebody.leave()
    desk = Desk(canaille.issuer)
    async with desk.client:
        await somebody.client.get(await desk.sign_in(left.headers["location"], "ada"))
        there = (await somebody.client.post("/sign-out")).json()["next"]
        answer = await desk.client.get(there)
        assert urlsplit(answer.headers["location"])._replace(query="").geturl() == f"{ORIGIN}/sign-in"
        again = await somebody.leave()
        asked = await desk.client.get(again.headers["location"])
        assert urlsplit(asked.headers["location"]).path == "/login"  # it does not know the browser any more
