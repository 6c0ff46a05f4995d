"""With a role the cookie changes: the next answer brings the new one, the former is over, what holds the session goes on."""

import asyncio
from http.cookies import SimpleCookie

import pytest
from starlette.responses import PlainTextResponse

from livemon.access import members
from livemon.access.guard import COOKIE, Guard
from livemon.access.roles import Role
from livemon.access.sessions import Sessions, session_id_of
from livemon.store.errors import StoreAway
from tests.access.test_guard import OURS, echo
from tests.access.test_holding import looked, running
from tests.access.wire import connect, request


@pytest.fixture
def guard(sessions):
    return Guard(echo, sessions=sessions)


@pytest.fixture
async def ada(sessions, sign_in):
    """Her cookie."""
    return await sign_in("Ada", Role.DEVELOPER)


@pytest.fixture
def promote(store, sessions, ada):
    async def promote(role=Role.ADMIN):
        person = await sessions.person(session_id_of(ada))
        await members.set_role(store, person.user_id, "default", role)

    return promote


def holding(*cookies):
    return {"cookie": "; ".join(f"{COOKIE}={cookie}" for cookie in cookies)}


def given(answer) -> str | None:
    """The cookie that the answer gives."""
    found = [value.decode() for name, value in answer.messages[0]["headers"] if name == b"set-cookie"]
    assert len(found) <= 1
    return SimpleCookie(found[0])[COOKIE].value if found else None


async def test_while_the_role_stays_the_cookie_does(guard, ada):
    for _ in range(3):
        assert given(await request(guard, "GET", "/live", holding(ada))) is None


async def test_the_next_answer_after_a_change_brings_another_cookie(guard, sessions, ada, promote):
    await promote()
    answer = await request(guard, "GET", "/live", holding(ada))
    fresh = given(answer)
    assert answer.status == 200
    assert fresh not in (None, ada)
    assert answer.headers["cache-control"] == "no-store"  # nobody on the way may keep it
    morsel = SimpleCookie(answer.headers["set-cookie"])[COOKIE]
    assert (morsel["httponly"], morsel["samesite"], morsel["path"], morsel["secure"]) == (True, "lax", "/", "")
    person = await sessions.find(fresh)
    assert (person.role, person.session_id) == (Role.ADMIN, session_id_of(ada))
    assert given(await request(guard, "GET", "/live", holding(fresh))) is None


async def test_by_https_the_new_cookie_keeps_to_https(guard, ada, promote):
    await promote()
    answer = await request(guard, "GET", "/live", holding(ada), scheme="https")
    assert SimpleCookie(answer.headers["set-cookie"])[COOKIE]["secure"] is True


async def test_who_knows_the_cookie_from_before_is_out(guard, sessions, clock, ada, promote):
    """Session fixation: it was planted, or stolen, while it stood for less."""
    await promote()
    fresh = given(await request(guard, "GET", "/live", holding(ada)))
    clock.forward(seconds=9)
    assert (await request(guard, "GET", "/live", holding(ada))).body == b"Ada"  # what was under way
    assert given(await request(guard, "GET", "/live", holding(ada))) is None  # and is given nothing
    clock.forward(seconds=1)
    assert (await request(guard, "GET", "/live", holding(ada))).status == 401
    assert (await connect(guard, "/feed/calls", holding(ada) | OURS)).close_code == 4401
    assert (await request(guard, "GET", "/live", holding(fresh))).body == b"Ada"


async def test_the_former_cookie_is_given_no_new_one_whatever_changes_meanwhile(guard, ada, promote):
    await promote()
    fresh = given(await request(guard, "GET", "/live", holding(ada)))
    await promote(Role.MEMBER)
    assert given(await request(guard, "GET", "/live", holding(ada))) is None
    assert given(await request(guard, "GET", "/live", holding(fresh))) not in (None, fresh)


async def test_each_change_brings_another_one(guard, ada, promote):
    seen = {ada}
    for role in (Role.ADMIN, Role.MEMBER, Role.DEVELOPER):
        await promote(role)
        ada = given(await request(guard, "GET", "/live", holding(ada)))
        seen.add(ada)
    assert len(seen) == 4


async def test_of_many_requests_at_once_one_brings_it_and_all_are_answered(sessions, other_store, clock, ada, promote):
    await promote()
    guards = [Guard(echo, sessions=each) for each in (sessions, Sessions(other_store, now=clock))]
    asked = [request(each, "GET", "/live", holding(ada)) for each in guards * 5]
    answers = await asyncio.gather(*asked)
    assert [answer.body for answer in answers] == [b"Ada"] * 10
    assert len([answer for answer in answers if given(answer)]) == 1


async def test_among_several_cookies_it_is_the_one_that_is_good(guard, ada, promote):
    await promote()
    assert given(await request(guard, "GET", "/live", holding("of another path", ada))) is not None


async def test_neither_a_socket_nor_what_is_open_brings_one(guard, ada, promote):
    await promote()
    assert (await connect(guard, "/feed/calls", holding(ada) | OURS)).kinds == ["websocket.accept"]
    assert given(await request(guard, "GET", "/healthz", holding(ada))) is None
    assert given(await request(guard, "POST", "/join/accept", holding(ada) | OURS)) is None
    assert given(await request(guard, "GET", "/live", holding(ada))) is not None


async def test_an_answer_that_takes_the_cookie_away_is_left_as_it_is(sessions, ada, promote):
    async def signing_out(scope, receive, send):
        response = PlainTextResponse("out")
        response.delete_cookie(COOKIE)
        await response(scope, receive, send)

    await promote()
    answer = await request(Guard(signing_out, sessions=sessions), "POST", "/sign-out", holding(ada) | OURS)
    assert given(answer) == ""
    assert (await sessions.find(ada)).name == "Ada"


async def test_a_session_that_ends_meanwhile_brings_none(sessions, ada, promote):
    async def ending(scope, receive, send):
        await sessions.end(session_id_of(ada))
        await echo(scope, receive, send)

    await promote()
    assert given(await request(Guard(ending, sessions=sessions), "GET", "/live", holding(ada))) is None


async def test_what_holds_the_session_goes_on_through_it(store, guard, sessions, ada, promote):
    """Such as somebody who talks with a caller, and goes on whatever becomes of the role."""
    async with running(sessions), sessions.hold(session_id_of(ada), right=None) as talk:
        await promote(Role.MEMBER)
        fresh = given(await request(guard, "GET", "/live", holding(ada)))
        assert fresh is not None
        await looked(store, sessions)
        assert not talk.ended.is_set()
        await sessions.end((await sessions.find(fresh)).session_id)
        assert talk.ended.is_set()


async def test_a_store_that_goes_away_meanwhile_keeps_no_answer_back(guard, sessions, ada, promote, monkeypatch):
    async def fails(*_: object):
        raise StoreAway("for the test")

    await promote()
    with monkeypatch.context() as patch:
        patch.setattr(sessions, "renew", fails)
        answer = await request(guard, "GET", "/live", holding(ada))
    assert (answer.body, given(answer)) == (b"Ada", None)
    assert given(await request(guard, "GET", "/live", holding(ada))) is not None


async def test_while_the_store_is_away_the_new_cookie_is_known_and_after_its_time_the_former_is_not(
    store, guard, sessions, clock, ada, promote
):
    await promote()
    fresh = given(await request(guard, "GET", "/live", holding(ada)))
    clock.forward(seconds=10)
    assert (await request(guard, "GET", "/live", holding(ada))).status == 401
    await store.close()
    assert (await request(guard, "POST", "/calls/c1/end", holding(fresh) | OURS)).body == b"Ada"
    assert (await request(guard, "POST", "/calls/c1/end", holding(ada) | OURS)).status == 503
    await store.open()


async def test_all_of_its_cookies_name_a_session_until_it_ends(guard, sessions, ada, promote, sign_in):
    other = await sign_in("Bob")
    await promote()
    fresh = given(await request(guard, "GET", "/live", holding(ada)))
    for cookie in (ada, fresh):
        assert await sessions.ids_of([cookie, "unknown"]) == [session_id_of(ada)]
    assert sorted(await sessions.ids_of([fresh, other])) == sorted([session_id_of(ada), session_id_of(other)])
    await sessions.end(session_id_of(ada))
    assert await sessions.ids_of([ada, fresh]) == await sessions.ids_of([]) == []
