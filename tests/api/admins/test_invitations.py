"""An invitation is made by an Admin, looked at, accepted by a name, once, or taken back."""

import asyncio

import pytest

from livemon.access import invitations
from livemon.access.roles import Role
from livemon.access.sign_in_limits import MOST
from livemon.store.audit.errors import NotRecorded
from livemon.store.tables import Invitation, Session, User
from tests.access.administering import roles_of
from tests.api.admins.people import accept, code, invite, recorded, rows, signed_in, who
from tests.api.sign_on import application, browser

# ---- made, looked at, taken back


async def test_an_admin_gets_a_link_whose_token_stands_behind_the_hash(ada):
    answer = await ada.post("/invitations", {"role": "developer", "name": "New"})
    assert answer.json()["url"].startswith("http://livemon.test/join#token=")
    assert answer.headers["cache-control"] == "no-store"
    (open_,) = (await ada.all())["invitations"]
    assert (open_["id"], open_["expires_at"]) == (answer.json()["id"], answer.json()["expires_at"])
    assert (open_["name"], open_["role"], open_["created_by"]) == ("New", "developer", "Chief")
    assert set(open_) == {"id", "name", "role", "created_by", "created_at", "expires_at"}


async def test_the_public_address_is_the_links(store, sessions, audit):
    app = application(store, sessions, audit, {}, "https://calls.example.com/livemon")
    ada = await signed_in(app, store, "Chief")
    answer = await ada.post("/invitations", {"role": "member", "name": ""})
    assert answer.json()["url"].startswith("https://calls.example.com/livemon/join#token=")


@pytest.mark.parametrize(
    "body", [None, {}, {"name": "x"}, {"role": "owner", "name": "x"}, {"role": "admin", "name": "x" * 101}, []]
)
async def test_what_is_no_invitation_is_refused_with_words(store, ada, body):
    assert code(await ada.post("/invitations", body)) == (400, "bad_request")
    assert await rows(store, Invitation) == []


async def test_whoever_has_the_link_sees_what_it_is_for(ada, new):
    answer = await new.post("/join/look", json={"token": await invite(ada)})
    assert answer.json() == {
        "workspace": "Default",
        "role": "developer",
        "name": "New",
        "providers": [{"slug": "own", "label": "Company"}],
        "you": None,
    }
    assert answer.headers["cache-control"] == "no-store"


async def test_one_that_was_taken_back_is_as_if_it_had_never_been(ada, new):
    token = await invite(ada)
    (open_,) = (await ada.all())["invitations"]
    for _ in range(2):
        assert (await ada.post(f"/invitations/{open_['id']}/revoke")).status_code == 204
    assert (await ada.all())["invitations"] == []
    unknown = await new.post("/join/look", json={"token": "unknown"})
    assert code(unknown) == (403, "invitation_used")
    for answer in (
        await new.post("/join/look", json={"token": token}),
        await accept(new, token),
        await new.post("/join/with/own", json={"token": token}),
    ):
        assert (answer.status_code, answer.json()) == (403, unknown.json())
        assert "set-cookie" not in answer.headers


async def test_one_that_was_used_is_not_taken_back_in_silence(ada, new):
    token = await invite(ada)
    (open_,) = (await ada.all())["invitations"]
    await accept(new, token)
    answer = await ada.post(f"/invitations/{open_['id']}/revoke")
    assert code(answer) == (409, "already_used")
    assert "Nina has used" in answer.json()["error"]["message"]


async def test_a_workspace_has_no_more_than_so_many_open_ones(store, audit, ada, new, monkeypatch):
    monkeypatch.setattr(invitations, "MOST", 2)
    token = await invite(ada)
    await invite(ada)
    answer = await ada.post("/invitations", {"role": "member", "name": "Third"})
    assert code(answer) == (409, "too_many_invitations")
    assert "2 open invitations" in answer.json()["error"]["message"]
    refused = ("invitation", "refused", "Chief", "", {"reason": "too_many_invitations"})
    assert refused in await recorded(audit, store)
    assert len(await rows(store, Invitation)) == 2
    await accept(new, token)
    await invite(ada, name="Third")


# ---- accepted by a name


@pytest.mark.parametrize(("role", "leads_to"), [("admin", "/live"), ("developer", "/live"), ("member", "/")])
async def test_who_accepts_is_signed_in_and_a_member_and_it_is_recorded(store, audit, ada, new, role, leads_to):
    answer = await accept(new, await invite(ada, role), " Nina  Novak ")
    assert (answer.status_code, answer.json()) == (200, {"next": leads_to})
    assert await who(new) == f"Nina Novak, {role}"
    assert await roles_of(store) == {"Chief": "admin", "Nina Novak": role}
    assert await recorded(audit, store) == [
        ("invitation", "done", "Chief", "New", {"reason": "made", "role": role}),
        ("invitation", "done", "Nina Novak", "New", {"reason": "used", "role": role}),
        ("sign_in", "done", "Nina Novak", "", {"by": "invitation"}),
    ]


async def test_the_second_use_is_refused_and_recorded(store, app, audit, ada, new):
    token = await invite(ada)
    await accept(new, token)
    async with browser(app).client as other:
        answer = await accept(other, token, "Eve")
        assert code(answer) == (403, "invitation_used")
        assert "set-cookie" not in answer.headers
        assert await who(other) is None
    assert await who(new) == "Nina, developer"
    assert ("invitation", "refused", "", "New", {"reason": "invitation_used"}) in await recorded(audit, store)


async def test_whoever_guesses_waits_and_the_invitation_stays_good(ada, new):
    token = await invite(ada)
    for _ in range(MOST):
        assert code(await new.post("/join/look", json={"token": "guessed"})) == (403, "invitation_used")
    for answer in (
        await new.post("/join/look", json={"token": token}),
        await accept(new, token),
        await new.post("/join/with/own", json={"token": token}),
    ):
        assert code(answer) == (429, "sign_in_limited")
        assert int(answer.headers["retry-after"]) > 0
    assert [each["name"] for each in (await ada.all())["invitations"]] == ["New"]


async def test_of_many_who_accept_at_once_one_gets_in(store, app, ada):
    token = await invite(ada)
    clients = [browser(app).client for _ in range(8)]
    answers = await asyncio.gather(*(accept(client, token, f"Nina {n}") for n, client in enumerate(clients)))
    assert sorted(answer.status_code for answer in answers) == [200] + [403] * 7
    assert len(await rows(store, User)) == 2


async def test_nobody_comes_in_as_somebody_who_is_there(store, ada, new):
    token = await invite(ada)
    answer = await accept(new, token, "CHIEF")
    assert code(answer) == (409, "name_taken")
    assert "the invitation is still good" in answer.json()["error"]["message"]
    assert await who(new) is None
    assert (await accept(new, token)).status_code == 200
    assert await roles_of(store) == {"Chief": "admin", "Nina": "developer"}


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "Ni\u0000na", "Ni\u202ena"])
async def test_a_name_that_nobody_can_have_is_refused_with_words(ada, new, name):
    token = await invite(ada)
    answer = await accept(new, token, name)
    assert code(answer) == (400, "bad_request")
    assert "choose another name" in answer.json()["error"]["message"]
    assert (await accept(new, token)).status_code == 200


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"name": "x"}', b'{"token": 7, "name": "x"}', b"\xff", b"x" * 9_000]
)
async def test_a_body_that_is_something_else_is_refused_with_words(app, new, body):
    for path in ("/join/look", "/join/accept", "/join/with/own"):
        answer = await new.post(path, content=body)
        assert code(answer) == (400, "bad_request"), path
        assert "You have not joined" in answer.json()["error"]["message"]


async def test_another_site_lets_nobody_in(ada, app):
    token = await invite(ada)
    async with browser(app, origin="https://evil.example").client as client:
        for path in ("/join/look", "/join/accept", "/join/with/own"):
            assert code(await client.post(path, json={"token": token, "name": "Eve"})) == (403, "cross_site")
    async with browser(app).client as client:
        assert (await accept(client, token)).status_code == 200


async def test_whoever_was_signed_in_in_that_browser_is_out(store, app, sessions, ada):
    dev = await signed_in(app, store, "Dev", Role.DEVELOPER)
    assert (await accept(dev.client, await invite(ada))).status_code == 200
    assert await who(dev.client) == "Nina, developer"
    assert await sessions.person(dev.session_id) is None


async def test_nobody_joins_whom_nobody_can_record(store, audit, ada, new, monkeypatch):
    async def fails(*_: object) -> None:
        raise NotRecorded("for the test")

    token = await invite(ada)
    with monkeypatch.context() as patch:
        patch.setattr(audit, "add", fails)
        assert code(await accept(new, token)) == (503, "not_recorded")
    assert await roles_of(store) == {"Chief": "admin"}
    assert len(await rows(store, Session)) == len(await rows(store, User)) == 1
    assert (await accept(new, token)).status_code == 200
