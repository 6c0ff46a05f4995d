"""Who brings an invitation may sign in with a provider: there and back, into the workspace that has invited them."""

import asyncio
from datetime import timedelta

import pytest
import structlog
from sqlmodel import update

from livemon.access import members
from livemon.access.guard import COOKIE
from livemon.access.links import make_link
from livemon.access.oidc.provider import Provider
from livemon.store.tables import Invitation, SignInAttempt
from tests.access.administering import make_workspace, roles_of
from tests.api.admins.people import accept, code, invite, join, recorded, rows, signed_in, who
from tests.api.sign_on import application, browser, problem

MAPPED = {"admins": "bosses", "developers": "makers"}


async def end_of_time(store):
    """Every invitation has expired."""
    async with store.session() as session:
        await session.exec(update(Invitation).values(expires_at=1))
        await session.commit()


async def test_with_a_provider_they_come_in_as_what_the_invitation_says(store, audit, ada, new, own):
    answer = await join(new, own, await invite(ada))
    assert (answer.status_code, answer.headers["location"]) == (303, "/live")
    assert await who(new) == "Ada, developer"
    assert (await ada.all())["invitations"] == []
    assert (await recorded(audit, store))[-2:] == [
        ("invitation", "done", "Ada", "New", {"reason": "used", "role": "developer", "by": "own"}),
        ("sign_in", "done", "Ada", "", {"by": "own"}),
    ]


async def test_the_way_there_is_bound_to_the_browser_and_to_the_invitation(store, ada, new):
    token = await invite(ada)
    answer = await new.post("/join/with/own", json={"token": token})
    assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert token not in answer.json()["next"]
    (attempt,) = await rows(store, SignInAttempt)
    assert attempt.invitation == (await ada.all())["invitations"][0]["id"]


async def test_it_leads_into_the_workspace_of_the_invitation(store, app, own, new):
    """Where the provider's claims, which are for its own workspace, make nobody anything."""
    eve = await signed_in(app, store, "Eve", workspace=await make_workspace(store, "sales"))
    await join(new, own, await invite(eve))
    assert await who(new) == "Ada, developer"
    assert await roles_of(store, "sales") == {"Eve": "admin", "Ada": "developer"}
    assert await roles_of(store) == {}


async def test_claims_that_make_somebody_an_admin_do_so_in_their_own_workspace_alone(store, app_with, own):
    app = app_with(**MAPPED)
    eve = await signed_in(app, store, "Eve", workspace=await make_workspace(store, "sales"))
    own.claims |= {"groups": ["bosses"]}
    async with browser(app).client as client:
        await join(client, own, await invite(eve, "member"))
        assert await who(client) == "Ada, member"
    assert await roles_of(store, "sales") == {"Eve": "admin", "Ada": "member"}


async def test_it_lets_in_whom_the_settings_would_turn_away_as_new_and_lets_them_come_back(store, app_with, own):
    app = app_with(unmapped="refuse")
    ada = await signed_in(app, store, "Chief")
    made = browser(app)
    async with made.client:
        assert problem(await made.sign_in(own)) == "not_admitted"
        assert problem(await join(made.client, own, await invite(ada))) is None
        assert await made.who() == "Ada, developer"
        await made.client.post("/sign-out")
        assert problem(await made.sign_in(own)) is None
        assert await made.who() == "Ada, developer"


@pytest.mark.parametrize("unmapped", ["refuse", "member"])
async def test_where_claims_decide_it_counts_for_whom_they_name_nothing(store, app_with, own, unmapped):
    app = app_with(**MAPPED, unmapped=unmapped)
    ada = await signed_in(app, store, "Chief")
    made = browser(app)
    async with made.client:
        own.claims |= {"groups": ["others"]}
        assert problem(await join(made.client, own, await invite(ada))) is None
        assert await made.who() == "Ada, developer"
        assert problem(await made.sign_in(own)) is None  # and again, without it
        assert await made.who() == "Ada, developer"
        own.claims |= {"groups": ["bosses"]}
        await made.sign_in(own)
        assert await made.who() == "Ada, admin"
        own.claims |= {"groups": []}
        await made.sign_in(own)
        assert await made.who() == "Ada, developer"


async def test_what_claims_say_counts_for_more_than_an_invitation(store, app_with, own):
    app = app_with(**MAPPED, unmapped="refuse")
    ada = await signed_in(app, store, "Chief")
    own.claims |= {"groups": ["makers"]}
    async with browser(app).client as client:
        await join(client, own, await invite(ada, "admin"))
        assert await who(client) == "Ada, developer"


async def test_whoever_was_removed_is_invited_no_more(store, app_with, own):
    app = app_with(**MAPPED, unmapped="refuse")
    ada = await signed_in(app, store, "Chief")
    made = browser(app)
    async with made.client:
        await join(made.client, own, await invite(ada))
        found = next(one for one in (await ada.all())["members"] if one["name"] == "Ada")
        await ada.post(f"/members/{found['user_id']}/remove")
        assert problem(await made.sign_in(own)) == "not_admitted"
    assert await roles_of(store) == {"Chief": "admin"}


async def test_whoever_was_removed_and_is_invited_again_is_what_the_new_invitation_says(store, app_with, own):
    app = app_with(**MAPPED, unmapped="refuse")
    ada = await signed_in(app, store, "Chief")
    made = browser(app)
    async with made.client:
        await join(made.client, own, await invite(ada, "admin"))
        assert await made.who() == "Ada, admin"
        found = next(one for one in (await ada.all())["members"] if one["name"] == "Ada")
        await ada.post(f"/members/{found['user_id']}/remove")
        await join(made.client, own, await invite(ada, "member"))
        assert await made.who() == "Ada, member"
        await made.sign_in(own)
        assert await made.who() == "Ada, member"


async def test_who_was_invited_elsewhere_comes_back_there(store, app_with, own):
    app = app_with(unmapped="refuse")
    eve = await signed_in(app, store, "Eve", workspace=await make_workspace(store, "sales"))
    made = browser(app)
    async with made.client:
        await join(made.client, own, await invite(eve))
        await made.client.post("/sign-out")
        assert problem(await made.sign_in(own)) is None
        assert await made.who() == "Ada, developer"
        assert [one["name"] for one in (await eve.all())["members"] if one["sessions"]] == ["Ada", "Eve"]
        await members.remove(store, (await eve.all())["members"][0]["user_id"], "sales")
        assert problem(await made.sign_in(own)) == "not_admitted"


async def test_whoever_the_provider_may_not_send_is_not_let_in_and_the_invitation_stays_good(store, app_with, own):
    app = app_with(domains="example.com")
    ada = await signed_in(app, store, "Chief")
    token = await invite(ada)
    async with browser(app).client as client:
        assert problem(await join(client, own, token)) == "not_admitted"
        assert await who(client) is None
        assert (await client.post("/join/look", json={"token": token})).status_code == 200
    assert await roles_of(store) == {"Chief": "admin"}


@pytest.mark.parametrize("meanwhile", ["used", "revoked", "expired"])
async def test_one_that_is_over_when_they_come_back_is_said(store, app, ada, new, own, meanwhile):
    token = await invite(ada)
    left = await new.post("/join/with/own", json={"token": token})
    if meanwhile == "used":
        async with browser(app).client as other:
            await accept(other, token)
    elif meanwhile == "revoked":
        await ada.post(f"/invitations/{(await ada.all())['invitations'][0]['id']}/revoke")
    else:
        await end_of_time(store)
    assert problem(await new.get(own.authorize(left.json()["next"]))) == "invitation"
    assert await who(new) is None
    assert "Ada" not in await roles_of(store)


async def test_of_two_who_bring_one_invitation_from_the_provider_at_once_one_gets_in(store, app, ada, own):
    token = await invite(ada)
    first, second = browser(app), browser(app)
    ways = []
    for made, sub in ((first, "ada"), (second, "eve")):
        left = await made.client.post("/join/with/own", json={"token": token})
        own.claims |= {"sub": sub, "name": sub.title()}
        ways.append((made.client, own.authorize(left.json()["next"])))
    answers = await asyncio.gather(*(client.get(url) for client, url in ways))
    assert sorted(str(problem(answer)) for answer in answers) == ["None", "invitation"]
    assert len(await roles_of(store)) == 2


async def test_an_invitation_takes_nothing_away(store, ada, new, own):
    await join(new, own, await invite(ada, "admin"))
    await join(new, own, await invite(ada, "member"))
    assert await who(new) == "Ada, admin"


async def test_a_provider_that_there_is_not_is_said(ada, new):
    answer = await new.post("/join/with/nobody", json={"token": await invite(ada)})
    assert code(answer) == (404, "not_found")


async def test_a_provider_that_is_away_is_said_and_the_invitation_stays_good(store, sessions, audit, new, ada, own):
    gone = Provider("own", own.settings(issuer="http://127.0.0.1:9", name="Company"))
    token = await invite(ada)
    async with browser(application(store, sessions, audit, {"own": gone})).client as client:
        answer = await client.post("/join/with/own", json={"token": token})
    assert code(answer) == (502, "failed")
    assert "Company cannot be reached" in answer.json()["error"]["message"]
    assert await rows(store, SignInAttempt) == []
    assert (await accept(new, token)).status_code == 200


# ---- what a provider makes of people


async def test_a_provider_may_take_the_last_admins_role_and_the_log_says_what_helps(store, app_with, own, audit):
    made = browser(app_with(**MAPPED))
    await make_link(store, ttl=timedelta(0))  # the first start's, which nobody has used
    async with made.client:
        own.claims |= {"groups": ["bosses"]}
        await made.sign_in(own)
        own.claims |= {"groups": ["makers"]}
        with structlog.testing.capture_logs() as logs:
            await made.sign_in(own)
        assert await made.who() == "Ada, developer"
    (warning,) = [line for line in logs if "no Admin any more" in line["event"]]
    assert "`livemon sign-in-link`" in warning["event"]
    assert (warning["workspace"], warning["log_level"]) == ("default", "warning")
    facts = {"from": "admin", "to": "developer", "by": "own"}
    assert ("role", "done", "Ada", "Ada", facts) in await recorded(audit, store)


async def test_while_another_admin_is_there_nobody_is_warned(store, app_with, own):
    app = app_with(**MAPPED)
    await signed_in(app, store, "Chief")
    made = browser(app)
    async with made.client:
        own.claims |= {"groups": ["bosses"]}
        await made.sign_in(own)
        own.claims |= {"groups": []}
        with structlog.testing.capture_logs() as logs:
            await made.sign_in(own)
    assert not [line for line in logs if "no Admin any more" in line["event"]]


async def test_who_has_lost_the_groups_is_recorded_as_removed(store, app_with, own, audit):
    made = browser(app_with(**MAPPED, unmapped="refuse"))
    async with made.client:
        own.claims |= {"groups": ["bosses"]}
        await made.sign_in(own)
        await made.client.post("/invitations", json={"role": "member", "name": "Left behind"})
        own.claims |= {"groups": []}
        assert problem(await made.sign_in(own)) == "not_admitted"
    facts = {"from": "admin", "to": "none", "by": "own"}
    written = await recorded(audit, store)
    assert ("role", "done", "Ada", "Ada", facts) in written
    facts = {"reason": "revoked", "role": "member", "by": "own"}
    assert ("invitation", "done", "Ada", "Left behind", facts) in written


async def test_a_new_role_at_the_provider_changes_the_cookie_of_the_persons_other_browser(app_with, own):
    app = app_with(**MAPPED)
    first, second = browser(app), browser(app)
    async with first.client, second.client:
        await first.sign_in(own)
        before = first.client.cookies[COOKIE]
        own.claims |= {"groups": ["bosses"]}
        await second.sign_in(own)
        assert await first.who() == "Ada, admin"
        assert first.client.cookies[COOKIE] != before
