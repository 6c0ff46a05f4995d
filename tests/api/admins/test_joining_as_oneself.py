"""Who is signed in joins another workspace as themselves; who was removed comes back by the name that the Admin has typed."""

import asyncio

import pytest

from livemon.access import members
from livemon.access.guard import COOKIE
from livemon.access.roles import Role
from livemon.store.audit.errors import NotRecorded
from livemon.store.tables import Session, User
from tests.access.administering import make_workspace, roles_of
from tests.api.admins.people import accept, code, invite, join, recorded, rows, signed_in, who
from tests.api.sign_on import browser


@pytest.fixture
async def dev(app, store):
    """Somebody of another workspace, who is signed in there."""
    await make_workspace(store, "sales")
    return await signed_in(app, store, "Dev", Role.ADMIN, "sales")


async def as_me(member, token):
    return await member.post("/join/as-me", {"token": token})


async def test_the_page_learns_as_whom_one_would_join(ada, dev, new):
    token = await invite(ada)
    for client, you in (
        (new, None),
        (dev.client, {"name": "Dev", "member": False}),
        (ada.client, {"name": "Chief", "member": True}),
    ):
        assert (await client.post("/join/look", json={"token": token})).json()["you"] == you


async def test_who_is_signed_in_joins_as_themselves_with_a_new_session_there(store, audit, sessions, ada, dev):
    before = dev.client.cookies[COOKIE]
    answer = await as_me(dev, await invite(ada))
    assert (answer.status_code, answer.json()) == (200, {"next": "/live"})
    assert await who(dev.client) == "Dev, developer"
    assert dev.client.cookies[COOKIE] != before
    person = await sessions.find(dev.client.cookies[COOKIE])
    assert (person.user_id, person.workspace) == (dev.user_id, "default")
    assert await sessions.person(dev.session_id) is None
    assert await roles_of(store) == {"Chief": "admin", "Dev": "developer"}
    assert await roles_of(store, "sales") == {"Dev": "admin"}
    assert (await recorded(audit, store))[-3:] == [
        ("sign_out", "done", "Dev", "", {"reason": "switched"}),
        ("invitation", "done", "Dev", "New", {"reason": "used", "role": "developer"}),
        ("sign_in", "done", "Dev", "", {"by": "invitation"}),
    ]


async def test_whoever_is_a_member_already_is_told_so_and_the_invitation_stays_good(store, audit, ada, app, new):
    dev = await signed_in(app, store, "Dev", Role.DEVELOPER)
    token = await invite(ada, "member")
    for member in (ada, dev):
        answer = await as_me(member, token)
        assert code(answer) == (409, "already_member")
        assert "the invitation is still good" in answer.json()["error"]["message"]
    assert await who(dev.client) == "Dev, developer"
    assert (await accept(new, token)).status_code == 200
    assert await roles_of(store) == {"Chief": "admin", "Dev": "developer", "Nina": "member"}
    assert ("invitation", "refused", "Dev", "", {"reason": "already_member"}) in await recorded(audit, store)


async def test_one_is_used_once_whoever_comes(store, app, ada, dev):
    token = await invite(ada)
    others = [await signed_in(app, store, f"Dev {n}", Role.MEMBER, "sales") for n in range(4)]
    answers = await asyncio.gather(*(as_me(each, token) for each in (dev, *others)))
    assert sorted(answer.status_code for answer in answers) == [200] + [403] * 4
    assert len(await roles_of(store)) == 2
    assert sum(one.ended_at is None for one in await rows(store, Session)) == 1 + 5, "nobody is signed out for nothing"


async def test_nobody_who_is_not_signed_in_or_comes_from_another_site_joins_as_somebody(app, ada, dev, new):
    token = await invite(ada)
    assert code(await new.post("/join/as-me", json={"token": token})) == (401, "unauthenticated")
    evil = {"origin": "https://evil.example"}
    assert code(await dev.client.post("/join/as-me", json={"token": token}, headers=evil)) == (403, "cross_site")
    assert code(await dev.post("/join/as-me", {"name": "x"})) == (400, "bad_request")
    assert (await as_me(dev, token)).status_code == 200


async def test_who_comes_by_a_provider_whose_claims_decide_there_has_to_join_with_it(store, app_with, own):
    app = app_with(admins="bosses", unmapped="refuse")
    chief = await signed_in(app, store, "Chief")
    eve = await signed_in(app, store, "Eve", workspace=await make_workspace(store, "sales"))
    async with browser(app).client as client:
        await join(client, own, await invite(eve))
        token = await invite(chief, "admin")
        answer = await client.post("/join/as-me", json={"token": token})
        assert code(answer) == (409, "by_provider")
        assert "Join with Company instead" in answer.json()["error"]["message"]
        assert await roles_of(store) == {"Chief": "admin"}
        assert (await join(client, own, token)).status_code == 303
    assert await roles_of(store) == {"Chief": "admin", "Ada": "admin"}


async def test_who_comes_by_a_provider_joins_elsewhere_as_themselves(store, app_with, own):
    app = app_with(developers="makers")
    own.claims |= {"groups": ["makers"]}
    eve = await signed_in(app, store, "Eve", workspace=await make_workspace(store, "sales"))
    here = browser(app)
    async with here.client as client:
        await here.sign_in(own)
        assert (await client.post("/join/as-me", json={"token": await invite(eve, "member")})).status_code == 200
        assert await who(client) == "Ada, member"
    assert await roles_of(store, "sales") == {"Eve": "admin", "Ada": "member"}
    assert await roles_of(store) == {"Ada": "developer"}


async def test_nobody_joins_whom_nobody_can_record_and_they_stay_where_they_are(
    store, audit, sessions, ada, dev, monkeypatch
):
    async def fails(*_: object) -> None:
        raise NotRecorded("for the test")

    token = await invite(ada)
    with monkeypatch.context() as patch:
        patch.setattr(audit, "add", fails)
        assert code(await as_me(dev, token)) == (503, "not_recorded")
    assert await roles_of(store) == {"Chief": "admin"}
    assert (await sessions.person(dev.session_id)).workspace == "sales"
    assert (await as_me(dev, token)).status_code == 200


async def test_who_was_removed_is_invited_by_the_same_name_and_is_the_same_person(store, audit, ada, new):
    await accept(new, await invite(ada, name="Nina Novak"), "Nina Novak")
    nina = await members.find_or_create(store, "Nina Novak")
    await ada.post(f"/members/{nina}/remove")
    assert code(await accept(new, await invite(ada, name="New"), "Nina Novak")) == (409, "name_taken")
    assert await who(new) is None
    answer = await accept(new, await invite(ada, "member", "nina novak"), "NINA NOVAK")
    assert answer.status_code == 200
    assert await who(new) == "Nina Novak, member"
    assert {user.id for user in await rows(store, User) if user.name != "Chief"} == {nina}
    came = [one for one in await recorded(audit, store) if one[0] == "sign_in"]
    assert [one[2] for one in came] == ["Nina Novak", "Nina Novak"]
