"""An entry is read by the Admins of the workspace that it belongs to; in what belongs to none, nobody is named."""

from typing import Any

import pytest
from sqlmodel import update

from livemon.access import members
from livemon.access.links import make_link
from livemon.access.oidc.errors import ClaimsElsewhere
from livemon.access.sign_in_limits import MOST
from livemon.store.audit.search import Filter, find
from livemon.store.tables import Invitation, SignInLink, User
from tests.access.administering import make_workspace
from tests.api.admins.people import accept, invite, join, rows, signed_in
from tests.api.sign_on import Browser, browser, problem

LOGOUT = "/sign-in/own/back-channel-logout"


@pytest.fixture
async def eve(app, store, ada):
    """The Admin of `sales`, of whom `default`'s know nothing; Ada is the provider's name for whoever comes by it."""
    return await signed_in(app, store, "Eve", workspace=await make_workspace(store, "sales"))


@pytest.fixture
def read(store, audit):
    """What the Admins of a workspace read, the newest last: subject and reason, or what else is said."""

    async def read(workspace: str, action: str) -> list[tuple[str, str, str]]:
        await audit.close()
        found = await find(store, workspace, Filter(action=action), limit=1_000)
        return [(one.outcome, one.subject, one.detail) for one in reversed(found)]

    return read


async def every_word(store, audit, workspace: str) -> str:
    await audit.close()
    return repr(await find(store, workspace, Filter(), limit=1_000))


def refused(**detail: str) -> str:
    return "{" + ",".join(f'"{name}":"{value}"' for name, value in sorted(detail.items())) + "}"


async def use(client: Any, token: str) -> None:
    assert (await client.post("/sign-in/link", json={"token": token})).status_code == 403


@pytest.mark.parametrize("over", ["used", "expired"])
async def test_a_link_that_is_over_is_told_its_own_workspace_alone(store, audit, app, ada, eve, new, read, over):
    token = await make_link(store, name="Nora", workspace="sales")
    if over == "used":
        async with browser(app).client as nora:
            assert (await nora.post("/sign-in/link", json={"token": token})).status_code == 200
    else:
        async with store.session() as session:
            await session.exec(update(SignInLink).values(expires_at=1))
            await session.commit()
    await use(new, token)
    assert ("refused", "Nora", refused(reason="link_used")) in await read("sales", "sign_in")
    assert "Nora" not in await every_word(store, audit, "default")
    assert "refused" not in [outcome for outcome, _, _ in await read("default", "sign_in")]


@pytest.mark.parametrize("over", ["used", "revoked", "expired"])
async def test_an_invitation_that_is_over_is_told_its_own_workspace_alone(store, audit, app, ada, eve, new, read, over):
    token = await invite(eve, name="Nora")
    if over == "used":
        async with browser(app).client as nora:
            await accept(nora, token, "Nora")
    elif over == "revoked":
        await eve.post(f"/invitations/{(await eve.all())['invitations'][0]['id']}/revoke")
    else:
        async with store.session() as session:
            await session.exec(update(Invitation).values(expires_at=1))
            await session.commit()
    assert (await new.post("/join/look", json={"token": token})).status_code == 403
    assert (await read("sales", "invitation"))[-1] == ("refused", "Nora", refused(reason="invitation_used"))
    assert "Nora" not in await every_word(store, audit, "default")
    assert await read("default", "invitation") == []


async def test_what_never_was_one_is_told_everybody_and_names_nobody(ada, eve, new, read):
    for _ in range(MOST - 1):
        await use(new, "made up")
    assert (await new.post("/join/look", json={"token": "made up"})).status_code == 403
    for workspace in ("default", "sales"):
        links = [one for one in await read(workspace, "sign_in") if one[0] == "refused"]
        assert links[0] == ("refused", "", refused(reason="link_used"))
        assert ("refused", "", refused(reason="limited")) in links
        assert (await read(workspace, "invitation")) == [("refused", "", refused(reason="invitation_used"))]


async def test_whom_the_provider_of_a_workspace_sends_in_vain_is_told_that_one(store, app_with, eve, own, read):
    made = browser(app_with(domains="example.com"))
    async with made.client:
        assert problem(await made.sign_in(own)) == "not_admitted"
        await made.client.get("/sign-in/own/callback", params={"state": "made up", "code": "c"})
    assert [one for one in await read("default", "sign_in") if one[0] == "refused"] == [
        ("refused", f"oidc:{own.issuer} ada", refused(by="own", reason="not_admitted")),
        ("refused", "", refused(by="own", reason="gone")),
    ]
    assert "refused" not in [one[0] for one in await read("sales", "sign_in")]


async def test_who_brings_an_invitation_in_vain_is_told_the_workspace_that_has_invited_them(
    store, audit, app_with, eve, own, read
):
    made = browser(app_with(domains="example.com"))
    async with made.client:
        assert problem(await join(made.client, own, await invite(eve))) == "not_admitted"
    subject = f"oidc:{own.issuer} ada"
    assert (await read("sales", "sign_in"))[-1] == ("refused", subject, refused(by="own", reason="not_admitted"))
    assert subject not in await every_word(store, audit, "default")


@pytest.mark.parametrize("where", [["sales"], ["sales", "support"], ["sales", "default"]])
async def test_who_belongs_elsewhere_is_not_named_where_they_do_not(
    store, audit, app, ada, eve, own, read, monkeypatch, where
):
    """They come back by the provider of `default`, which this time leaves their groups out."""
    made = Browser(browser(app).client)
    await make_workspace(store, "support")
    async with made.client:
        await join(made.client, own, await invite(eve))
        (user,) = [user for user in await rows(store, User) if user.name == "Ada"]
        for slug in where[1:]:
            await members.set_role(store, user.id, slug, members.Role.MEMBER)
        await made.client.post("/sign-out")

        async def elsewhere(*_: object, **__: object) -> None:
            raise ClaimsElsewhere("groups")

        with monkeypatch.context() as patch:
            patch.setattr("livemon.access.oidc.people.let_in", elsewhere)
            assert problem(await made.sign_in(own)) == "groups"
    subject, said = f"oidc:{own.issuer} ada", refused(by="own", reason="groups")
    told = {
        slug for slug in ("default", "sales", "support") if ("refused", subject, said) in await read(slug, "sign_in")
    }
    assert told == {("default",): set(), ("sales",): {"sales"}, ("sales", "default"): {"default"}}.get(
        tuple(where), set()
    )
    if len(where) == 2 and "default" not in where:
        assert ("refused", "", said) in await read("default", "sign_in")
    if "default" not in where:
        assert subject not in await every_word(store, audit, "default")
        assert user.id not in await every_word(store, audit, "default")


async def test_whom_the_provider_signs_out_is_told_each_workspace_for_itself(store, audit, app, ada, eve, own, read):
    here, there = browser(app), browser(app)
    async with here.client, there.client:
        await join(there.client, own, await invite(eve))
        own.claims |= {"sub": "bob", "name": "Bob"}
        await here.sign_in(own)
        async with browser(app).client as provider:
            for sub in ("ada", "bob", "nobody"):
                answer = await provider.post(LOGOUT, data={"logout_token": own.logout_token(sub=sub, sid=None)})
                assert answer.status_code == 200, answer.text
    ended, none = '{"by":"own","ended":1}', '{"by":"own","ended":0}'
    assert await read("sales", "session_end") == [("done", "Ada", ended)]
    assert await read("default", "session_end") == [("done", "Bob", ended), ("done", "", none)]
    assert "Ada" not in await every_word(store, audit, "default")


async def test_a_forged_word_is_told_the_providers_workspace(ada, eve, new, read):
    assert (await new.post(LOGOUT, data={"logout_token": "forged"})).status_code == 400
    assert [one[0] for one in await read("default", "session_end")] == ["refused"]
    assert await read("sales", "session_end") == []
