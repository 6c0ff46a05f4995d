"""The endpoints for Admins: who is here, and what is done with them; at once here, and for nobody else's workspace."""

import pytest

from livemon.access.guard import COOKIE
from livemon.access.oidc.provider import Provider
from livemon.access.roles import Right, Role
from livemon.store.errors import StoreAway
from livemon.store.tables import Session, User
from tests.access.administering import make_workspace, roles_of
from tests.api.admins.people import code, recorded, rows, signed_in
from tests.api.sign_on import application, browser


@pytest.fixture
async def ada(app, store):
    return await signed_in(app, store, "Ada")


@pytest.fixture
async def dev(app, store):
    return await signed_in(app, store, "Dev", Role.DEVELOPER)


@pytest.fixture
async def eve(app, store):
    """An Admin of another workspace."""
    return await signed_in(app, store, "Eve", workspace=await make_workspace(store, "sales"))


def paths(whom) -> dict[str, object]:
    """Every change of somebody, and its body."""
    return {
        f"/members/{whom.user_id}/role": {"role": "admin"},
        f"/members/{whom.user_id}/remove": None,
        f"/members/{whom.user_id}/link": None,
        f"/members/sessions/{whom.session_id}/end": None,
    }


async def test_everybody_is_listed_with_their_sessions(ada, dev, eve):
    found = await ada.all()
    assert [(one["name"], one["role"], one["you"], one["by"], one["role_by"]) for one in found["members"]] == [
        ("Ada", "admin", True, None, None),
        ("Dev", "developer", False, None, None),
    ]
    (own,), (other,) = (one["sessions"] for one in found["members"])
    assert (own["id"], own["this"]) == (ada.session_id, True)
    assert (other["id"], other["this"], other["device"], other["address"]) == (
        *(dev.session_id, False),
        *("Firefox", "192.0.2.7"),
    )
    assert other["created_at"] <= other["last_seen_at"] <= found["now"] < other["expires_at"]
    assert found["members"][1]["last_seen"] == other["last_seen_at"]
    assert set(found["members"][0]) == {
        *("user_id", "name", "email", "role", "by", "role_by", "last_seen", "you", "sessions"),
    }


async def test_nobody_but_an_admin_reads_or_changes_anything_and_that_is_recorded(app, store, ada, dev, audit):
    member = await signed_in(app, store, "Mia", Role.MEMBER)
    changes = {**paths(ada), "/invitations": {"role": "admin", "name": "x"}, "/invitations/x/revoke": None}
    for nobody in (dev, member):
        assert code(await nobody.client.get("/members/all")) == (403, "forbidden")
        for path, body in changes.items():
            assert code(await nobody.post(path, body)) == (403, "forbidden"), path
    async with browser(app).client as stranger:
        assert (await stranger.get("/members/all")).status_code == 401
        for path, body in changes.items():
            assert (await stranger.post(path, json=body)).status_code == 401, path
    assert await roles_of(store) == {"Ada": "admin", "Dev": "developer", "Mia": "member"}
    refusals = {(action, outcome, person) for action, outcome, person, _, _ in await recorded(audit, store)}
    for name in ("Dev", "Mia"):
        for action in ("access", "role", "sign_in_link", "session_end", "invitation"):
            assert (action, "refused", name) in refusals


async def test_what_is_of_another_workspace_is_not_there(store, ada, dev, eve, audit):
    for path, body in paths(dev).items():
        elsewhere = await eve.post(path, body)
        assert code(elsewhere) == (404, "not_found"), path
        nowhere = await eve.post(path.replace(dev.user_id, "f" * 16).replace(dev.session_id, "f" * 64), body)
        assert (nowhere.status_code, nowhere.json()) == (404, elsewhere.json())
    invitation = (await ada.post("/invitations", {"role": "member", "name": "x"})).json()["id"]
    assert code(await eve.post(f"/invitations/{invitation}/revoke")) == (404, "not_found")
    assert len((await ada.all())["invitations"]) == 1
    assert (await eve.all())["invitations"] == []
    assert [one["name"] for one in (await eve.all())["members"]] == ["Eve"]
    assert (await dev.client.get("/who")).json() == "Dev, developer"
    entries = await recorded(audit, store)
    assert ("role", "refused", "Eve", dev.user_id, {"reason": "not_found"}) in entries
    assert not [one for one in entries if one[2] == "Eve" and "Dev" in one[3]], (
        "an id that she knew already, and no name"
    )


@pytest.mark.parametrize("odd", ["%00", "x" * 200, "%ED%A0%80", "a b", "'", "..%2f"])
async def test_an_id_that_nothing_can_have_is_not_there(ada, odd):
    for path in (f"/members/{odd}/remove", f"/members/sessions/{odd}/end", f"/invitations/{odd}/revoke"):
        assert (await ada.post(path)).status_code == 404


@pytest.mark.parametrize("body", [None, {}, {"role": "owner"}, {"role": None}, [], "admin"])
async def test_a_role_that_there_is_not_is_refused_with_words(ada, dev, body):
    answer = await ada.post(f"/members/{dev.user_id}/role", body)
    assert code(answer) == (400, "bad_request")
    assert "Nothing was changed" in answer.json()["error"]["message"]


# ---- at once, here


async def test_a_role_taken_away_ends_at_once_what_needs_it_and_leaves_a_talk(sessions, ada, dev):
    async with sessions.hold(dev.session_id, Right.LISTEN) as listening, sessions.hold(dev.session_id, None) as talk:
        assert (await ada.post(f"/members/{dev.user_id}/role", {"role": "member"})).status_code == 204
        assert listening.ended.is_set()
        assert not listening.over
        assert not talk.ended.is_set()


async def test_a_role_given_ends_nothing(sessions, ada, dev):
    async with sessions.hold(dev.session_id, Right.LISTEN) as listening:
        assert (await ada.post(f"/members/{dev.user_id}/role", {"role": "admin"})).status_code == 204
        assert not listening.ended.is_set()


async def test_who_is_removed_is_out_at_once_and_the_page_knows(sessions, ada, dev):
    async with sessions.hold(dev.session_id, None) as talk:
        assert (await ada.post(f"/members/{dev.user_id}/remove")).status_code == 204
        assert talk.ended.is_set()
        assert talk.over
    assert (await dev.client.get("/who")).status_code == 401
    assert code(await ada.post(f"/members/{dev.user_id}/remove")) == (404, "not_found")


async def test_a_session_that_is_ended_is_over_at_once(store, sessions, app, ada, dev):
    second = await signed_in(app, store, "Dev", Role.DEVELOPER)
    async with sessions.hold(dev.session_id, None) as held, sessions.hold(second.session_id, None) as other:
        for _ in range(2):
            assert (await ada.post(f"/members/sessions/{dev.session_id}/end")).status_code == 204
        assert held.ended.is_set()
        assert not other.ended.is_set()
    assert (await dev.client.get("/who")).status_code == 401
    assert (await second.client.get("/who")).status_code == 200


async def test_nobody_lets_go_of_another_workspaces_session(sessions, dev, eve):
    async with sessions.hold(dev.session_id) as held:
        await eve.post(f"/members/sessions/{dev.session_id}/end")
        assert not held.ended.is_set()


async def test_an_admin_may_end_the_own_session(ada):
    assert (await ada.post(f"/members/sessions/{ada.session_id}/end")).status_code == 204
    assert (await ada.client.get("/members/all")).status_code == 401


async def test_the_cookie_of_who_got_another_role_changes_and_the_former_dies(app, store, sessions, ada, dev):
    before = dev.client.cookies[COOKIE]
    await ada.post(f"/members/{dev.user_id}/role", {"role": "admin"})
    assert (await dev.client.get("/who")).json() == "Dev, admin"
    assert dev.client.cookies[COOKIE] != before
    found = next(one for one in (await dev.all())["members"] if one["you"])
    assert [(session["id"], session["this"]) for session in found["sessions"]] == [(dev.session_id, True)]
    async with store.session() as session:
        row = await session.get(Session, dev.session_id)
        row.former_until = 0  # ten seconds later
        session.add(row)
        await session.commit()
    async with browser(app, cookie=f"{COOKIE}={before}").client as planted:
        assert (await planted.get("/who")).status_code == 401
    assert (await dev.client.get("/who")).status_code == 200


async def test_signing_out_ends_a_session_whose_cookie_has_changed(sessions, ada, dev):
    await ada.post(f"/members/{dev.user_id}/role", {"role": "admin"})
    await dev.client.get("/who")
    renewed = dev.client.cookies[COOKIE]
    async with sessions.hold(dev.session_id, None) as held:
        assert (await dev.client.post("/sign-out")).status_code == 204
        assert held.ended.is_set()
    assert COOKIE not in dev.client.cookies
    assert await sessions.find(renewed) is None


async def test_signing_out_with_a_role_that_has_just_changed_brings_no_new_cookie(ada, dev):
    await ada.post(f"/members/{dev.user_id}/role", {"role": "admin"})
    answer = await dev.client.post("/sign-out")
    assert all("Max-Age=0" in cookie for cookie in answer.headers.get_list("set-cookie"))
    assert COOKIE not in dev.client.cookies


async def test_who_signs_in_again_is_out_of_a_session_whose_cookie_has_changed(store, sessions, ada, dev):
    await ada.post(f"/members/{dev.user_id}/role", {"role": "admin"})
    await dev.client.get("/who")
    url = (await ada.post(f"/members/{dev.user_id}/link")).json()["url"]
    assert (await dev.client.post("/sign-in/link", json={"token": url.partition("token=")[2]})).status_code == 200
    assert await sessions.person(dev.session_id) is None
    assert (await dev.client.get("/who")).json() == "Dev, admin"


# ---- what is refused


async def test_the_last_admin_stays_one(store, ada, dev, audit):
    for path, body in ((f"/members/{ada.user_id}/role", {"role": "member"}), (f"/members/{ada.user_id}/remove", None)):
        answer = await ada.post(path, body)
        assert code(answer) == (409, "last_admin")
        assert "Make somebody else an Admin first" in answer.json()["error"]["message"]
    assert await roles_of(store) == {"Ada": "admin", "Dev": "developer"}
    first, again = [entry for entry in await recorded(audit, store) if entry[1] == "refused"]
    assert first == ("role", "refused", "Ada", "Ada", {"reason": "last_admin"})
    assert again[:4] == first[:4]
    assert again[4]["count"] == 1


async def test_a_link_signs_the_member_in_and_stands_in_no_record(app, store, ada, dev, audit):
    answer = await ada.post(f"/members/{dev.user_id}/link")
    assert answer.headers["cache-control"] == "no-store"
    base, _, token = answer.json()["url"].partition("#token=")
    assert base == "http://livemon.test/sign-in"
    async with browser(app).client as other:
        assert (await other.post("/sign-in/link", json={"token": token})).status_code == 200
        assert (await other.get("/who")).json() == "Dev, developer"
    entries = await recorded(audit, store)
    assert ("sign_in_link", "done", "Ada", "Dev", {"role": "developer"}) in entries
    assert token not in repr(entries)


async def test_whose_role_a_provider_decides_has_neither_another_nor_a_link_here(store, sessions, audit, own):
    """Nor is it left out of the log whom it was about."""
    provider = Provider("own", own.settings(name="Company", developers="makers"))
    app = application(store, sessions, audit, {"own": provider})
    ada = await signed_in(app, store, "Chief")
    theirs = browser(app)
    async with theirs.client:
        own.claims |= {"groups": ["makers"]}
        await theirs.sign_in(own)
        found = next(one for one in (await ada.all())["members"] if one["name"] == "Ada")
        assert (found["by"], found["role_by"], found["role"]) == ("Company", "Company", "developer")
        answer = await ada.post(f"/members/{found['user_id']}/role", {"role": "member"})
        assert code(answer) == (409, "role_by_provider")
        assert code(await ada.post(f"/members/{found['user_id']}/link")) == (409, "by_provider")
        assert await theirs.who() == "Ada, developer"
        assert (await ada.post(f"/members/{found['user_id']}/remove")).status_code == 204
        assert await theirs.who() is None
    assert [entry for entry in await recorded(audit, store) if entry[1] == "refused"] == [
        ("role", "refused", "Chief", "Ada", {"reason": "role_by_provider"}),
        ("sign_in_link", "refused", "Chief", "Ada", {"reason": "by_provider"}),
    ]


async def test_no_key_of_anybody_leaves_the_server(store, ada):
    shown = (await ada.client.get("/members/all")).text
    assert not any(user.key in shown for user in await rows(store, User))


async def test_a_database_that_does_not_answer_is_said(store, ada, dev, audit, monkeypatch):
    monkeypatch.setattr("livemon.access.administration.lock_workspace", _away)
    assert code(await ada.post(f"/members/{dev.user_id}/remove")) == (503, "store_away")
    assert (await dev.client.get("/who")).status_code == 200


async def _away(*_: object):
    raise StoreAway("for the test")
