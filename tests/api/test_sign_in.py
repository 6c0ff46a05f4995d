"""A link becomes a session in one browser; signing out ends it, there and everywhere."""

import asyncio
import json
from http.cookies import SimpleCookie
from types import SimpleNamespace

import httpx
import pytest
from fastapi import FastAPI, Request
from sqlmodel import col, select

from livemon.access import members
from livemon.access.guard import COOKIE, Guard, person_of
from livemon.access.links import make_link
from livemon.access.roles import Role
from livemon.access.sessions import session_id_of
from livemon.access.sign_in_limits import MOST
from livemon.api import sign_in
from livemon.api.errors import ApiError, answer_api_error
from livemon.store.tables import AuditEntry

ORIGIN = "http://livemon.test"


@pytest.fixture
def app(store, sessions, audit):
    app = FastAPI()
    app.add_middleware(Guard, sessions=sessions)
    app.add_exception_handler(ApiError, answer_api_error)
    host = SimpleNamespace(store=store, sessions=sessions, audit=audit, providers={}, public_url=None)
    app.include_router(sign_in.router(host))

    @app.get("/who")
    async def who(request: Request) -> str:
        return person_of(request).name

    return app


def browser_of(app, base=ORIGIN, address="192.0.2.7", **headers):
    transport = httpx.ASGITransport(app, client=(address, 50_000))
    return httpx.AsyncClient(transport=transport, base_url=base, headers={"origin": base, **headers})


@pytest.fixture
async def browser(app):
    async with browser_of(app) as browser:
        yield browser


def code(response) -> str:
    return response.json()["error"]["code"]


async def use(browser, token):
    return await browser.post("/sign-in/link", json={"token": token})


async def test_a_link_signs_in_the_browser_that_brings_it(store, browser):
    answer = await use(browser, await make_link(store))
    assert (answer.status_code, answer.json()) == (200, {"next": "/live"})
    assert (await browser.get("/who")).json() == "Admin"


async def test_who_may_not_watch_is_led_to_the_page_that_says_so(store, browser):
    answer = await use(browser, await make_link(store, name="Bob", role=Role.MEMBER))
    assert answer.json() == {"next": "/"}


async def test_behind_a_path_of_a_proxy_the_way_on_has_it(store, app):
    async with browser_of(app, **{"x-forwarded-prefix": "/calls"}) as browser:
        assert (await use(browser, await make_link(store))).json() == {"next": "/calls/live"}


@pytest.mark.parametrize(("base", "secure"), [(ORIGIN, ""), ("https://livemon.test", True)])
async def test_the_cookie_is_for_this_server_alone_and_for_no_script(store, app, base, secure):
    async with browser_of(app, base) as browser:
        answer = await use(browser, await make_link(store))
    morsel = SimpleCookie(answer.headers["set-cookie"])[COOKIE]
    assert (morsel["httponly"], morsel["samesite"], morsel["path"]) == (True, "lax", "/")
    assert (morsel["secure"], morsel["max-age"], morsel["domain"]) == (secure, str(7 * 24 * 3600), "")
    assert len(morsel.value) >= 43


async def test_the_second_use_of_a_link_is_refused(store, app, browser):
    token = await make_link(store)
    await use(browser, token)
    async with browser_of(app) as other:
        answer = await use(other, token)
        assert (answer.status_code, code(answer)) == (403, "link_used")
        assert "livemon sign-in-link" in answer.json()["error"]["message"]
        assert "set-cookie" not in answer.headers
        assert (await other.get("/who")).status_code == 401


async def test_of_many_browsers_at_once_one_gets_in(store, app):
    token = await make_link(store)
    browsers = [browser_of(app) for _ in range(MOST)]
    answers = await asyncio.gather(*(use(browser, token) for browser in browsers))
    assert sorted(answer.status_code for answer in answers) == [200] + [403] * (MOST - 1)


@pytest.mark.parametrize("token", ["", "unknown", "x" * 3_000, "ä", "\x00"])
async def test_what_is_no_link_is_refused_with_the_same_words(store, browser, token):
    answer = await use(browser, token)
    assert (answer.status_code, code(answer)) == (403, "link_used")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'"token"', b"{}", b'{"token": 7}', b'{"token": null}', b"\xff\xfe", b"token=x"]
)
async def test_a_body_that_is_something_else_is_refused_with_words(browser, body):
    answer = await browser.post("/sign-in/link", content=body)
    assert (answer.status_code, code(answer)) == (400, "bad_request")
    assert "Nobody was signed in" in answer.json()["error"]["message"]


async def test_a_body_without_end_is_refused_before_its_end(store, browser):
    token = await make_link(store)
    sent = 0

    async def body():
        nonlocal sent
        yield json.dumps({"token": token}).encode()[:-1]
        for _ in range(100_000):
            sent += 1
            yield b" " * 1_000

    answer = await browser.post("/sign-in/link", content=body())
    assert (answer.status_code, code(answer)) == (400, "bad_request")
    assert sent < 100
    assert (await use(browser, token)).status_code == 200


async def test_the_session_that_the_browser_had_is_over(store, browser, sessions):
    await use(browser, await make_link(store, name="Ada"))
    before = browser.cookies[COOKIE]
    await use(browser, await make_link(store, name="Bob"))
    assert browser.cookies[COOKIE] != before
    assert (await browser.get("/who")).json() == "Bob"
    assert await sessions.find(before) is None


async def test_a_cookie_that_somebody_else_has_planted_is_not_taken_over(store, app, browser, sessions):
    """Session fixation: the one who planted it must not be in afterwards."""
    async with browser_of(app) as evil:
        await use(evil, await make_link(store, name="Eve", role=Role.MEMBER))
        planted = evil.cookies[COOKIE]
        for value in (planted, "made-up-by-eve"):
            answer = await browser.post(
                "/sign-in/link",
                json={"token": await make_link(store, name="Ada")},
                headers={"cookie": f"{COOKIE}={value}"},
            )
            given = SimpleCookie(answer.headers["set-cookie"])[COOKIE].value
            assert given != value
            assert (await sessions.find(given)).name == "Ada"
            assert await sessions.find(value) is None
        assert (await evil.get("/who")).status_code == 401


async def test_a_link_refused_leaves_the_session_as_it_was(store, browser):
    await use(browser, await make_link(store))
    assert (await use(browser, "unknown")).status_code == 403
    assert (await browser.get("/who")).json() == "Admin"


async def test_another_site_signs_nobody_in(store, app):
    token = await make_link(store)
    async with browser_of(app, origin="https://evil.example") as browser:
        answer = await use(browser, token)
        assert (answer.status_code, code(answer)) == (403, "cross_site")
    async with browser_of(app) as browser:
        assert (await use(browser, token)).status_code == 200


async def test_signing_out_ends_the_session_and_clears_the_cookie(store, browser, sessions):
    await use(browser, await make_link(store))
    cookie = browser.cookies[COOKIE]
    async with sessions.hold(session_id_of(cookie)) as held:
        answer = await browser.post("/sign-out")
        assert held.ended.is_set()
    assert answer.status_code == 204
    assert SimpleCookie(answer.headers["set-cookie"])[COOKIE]["max-age"] == "0"
    assert COOKIE not in browser.cookies
    assert await sessions.find(cookie) is None
    assert (await browser.post("/sign-out")).status_code == 401


async def test_signing_out_here_leaves_other_browsers_signed_in(store, app, browser):
    await use(browser, await make_link(store))
    async with browser_of(app) as other:
        await use(other, await make_link(store))
        await browser.post("/sign-out")
        assert (await other.get("/who")).json() == "Admin"


async def test_the_session_says_from_where_it_is(store, app, sessions):
    seen = {}
    original = sessions.open

    async def note(user_id, workspace, **where):
        seen.update(where)
        return await original(user_id, workspace, **where)

    sessions.open = note
    async with browser_of(app, **{"user-agent": "Firefox/150"}) as browser:
        await use(browser, await make_link(store))
    assert seen == {"device": "Firefox/150", "address": "192.0.2.7"}


async def test_after_ten_links_that_do_not_work_an_address_waits_and_others_do_not(store, app, browser):
    token = await make_link(store)
    await use(browser, await make_link(store, name="Bob"))
    async with browser_of(app) as other:
        for _ in range(MOST):
            assert (await use(other, "unknown")).status_code == 403
        answer = await use(other, token)
        assert (answer.status_code, code(answer)) == (429, "sign_in_limited")
        assert int(answer.headers["retry-after"]) > 0
        said = answer.json()["error"]["message"]
        assert "Whoever is signed in stays so" in said
        assert "minutes, with a good link" in said
        assert "set-cookie" not in answer.headers
    assert (await browser.get("/who")).json() == "Bob", "who is in is asked nothing"
    async with browser_of(app, address="192.0.2.8") as elsewhere:
        assert (await use(elsewhere, token)).status_code == 200, "the link was not used up"


async def test_signing_in_is_not_counted(store, browser):
    for _ in range(MOST + 2):
        assert (await use(browser, await make_link(store))).status_code == 200


async def test_that_an_address_waits_is_recorded_once(store, browser, audit):
    for _ in range(MOST + 3):
        await use(browser, "unknown")
    await audit._flush()
    async with store.session() as session:
        entries = (await session.exec(select(AuditEntry).order_by(col(AuditEntry.seq)))).all()[1:]
    assert [entry.detail for entry in entries] == ['{"reason":"link_used"}', '{"reason":"limited"}']
    assert {(entry.action, entry.outcome, entry.address) for entry in entries} == {("sign_in", "refused", "192.0.2.7")}


async def test_who_was_removed_meanwhile_is_not_let_in(store, browser):
    token = await make_link(store, name="Bob")
    await members.remove(store, await members.find_or_create(store, "Bob"), "default")
    assert code(await use(browser, token)) == "link_used"


async def test_a_database_that_does_not_answer_is_said(store, browser):
    token = await make_link(store)
    await store.close()
    answer = await use(browser, token)
    assert (answer.status_code, code(answer)) == (503, "store_away")
    await store.open()
    assert (await use(browser, token)).status_code == 200
