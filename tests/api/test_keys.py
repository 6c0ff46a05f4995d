"""API keys over HTTP: made, shown and revoked by Admins alone, of their own workspace, on the record."""

import asyncio
import json
from typing import Any

import pytest
from sqlmodel import col, select, update

from livemon.access import api_keys, members
from livemon.access.roles import Role
from livemon.store.audit import log as log_module
from livemon.store.audit.errors import NotRecorded
from livemon.store.store import Store
from livemon.store.tables import ApiKey, Workspace
from livemon_runtime import Runtime
from tests.api.site import Browser, Site
from tests.api.test_listen import refused

DAY_MS = 86_400_000
REFUSED = ("api_key", "refused")
WANTED = {"name": "Wallboard", "rights": ["watch", "read"], "days": 90}


@pytest.fixture
async def ada(livemon_site: Site) -> Browser:
    return await livemon_site.sign_in()


async def make(browser: Browser, **changes: Any) -> dict[str, Any]:
    answer = await browser.post("/keys", json=WANTED | changes)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def every(browser: Browser) -> list[dict[str, Any]]:
    answer = await browser.get("/keys/all")
    assert answer.status_code == 200, answer.text
    return answer.json()["keys"]


async def stored(store: Store) -> list[ApiKey]:
    async with store.session() as session:
        return list((await session.exec(select(ApiKey))).all())


async def test_a_key_is_told_once_and_shown_without_its_secret(livemon_site: Site, ada: Browser):
    answer = await ada.post("/keys", json=WANTED)
    made = answer.json()
    assert answer.headers["cache-control"] == "no-store"
    assert made["key"].startswith(f"lmk_{made['id']}_")
    assert len(made["key"].rpartition(f"{made['id']}_")[2]) == 43  # 256 bits
    listing = (await ada.get("/keys/all")).json()
    assert listing["rights"] == ["watch", "read", "unmasked", "listen", "take_over", "end", "inject", "connect"]
    (key,) = listing["keys"]
    assert key == {
        **{"id": made["id"], "name": "Wallboard", "rights": ["watch", "read"], "created_by": "Ada"},
        **{"created_at": key["created_at"], "expires_at": key["created_at"] + 90 * DAY_MS},
        **{"revoked_at": None, "last_used_at": None},
    }
    assert 0 <= listing["now"] - key["created_at"] < DAY_MS
    (row,) = await stored(livemon_site.store)
    assert row.hash == api_keys.hash_of(made["key"])
    assert made["key"].rpartition("_")[2] not in json.dumps(row.model_dump())


async def test_making_and_revoking_are_recorded_without_the_key(livemon_site: Site, ada: Browser):
    made = await make(ada)
    assert (await ada.post(f"/keys/{made['id']}/revoke")).status_code == 204
    began, ended = await livemon_site.recorded()
    until = began.detail.partition('"until":"')[2][:10]
    for entry, change in ((began, "made"), (ended, "revoked")):
        assert (entry.action, entry.outcome, entry.subject) == ("api_key", "done", "Wallboard")
        assert (entry.workspace, entry.person_id, entry.address) == ("default", ada.user_id, "127.0.0.1")
        said = {"change": change, "key": made["id"], "rights": "watch read", "until": until}
        assert json.loads(entry.detail) == said
        assert made["key"].rpartition("_")[2] not in repr(entry)
    assert (await every(ada))[0]["revoked_at"] == pytest.approx(ended.at, abs=DAY_MS)


async def test_revoking_again_changes_nothing(livemon_site: Site, ada: Browser):
    key_id = (await make(ada))["id"]
    await ada.post(f"/keys/{key_id}/revoke")
    (before,) = await every(ada)
    assert (await ada.post(f"/keys/{key_id}/revoke")).status_code == 204
    assert await every(ada) == [before]
    assert len(await livemon_site.recorded()) == 2


@pytest.mark.parametrize("role", [Role.DEVELOPER, Role.MEMBER])
async def test_nobody_but_an_admin_may(livemon_site: Site, ada: Browser, role: Role):
    key_id = (await make(ada))["id"]
    dev = await livemon_site.sign_in("Dev", role)
    answers = [await dev.get("/keys/all"), await dev.post("/keys", json=WANTED)]
    for answer in [*answers, await dev.post(f"/keys/{key_id}/revoke")]:
        assert refused(answer) == (403, "forbidden")
        assert "for Admins" in answer.json()["error"]["message"]
    assert [key["revoked_at"] for key in await every(ada)] == [None]
    entries = (await livemon_site.recorded())[1:]
    assert [(entry.action, entry.outcome, entry.person, entry.subject) for entry in entries] == [
        ("access", "refused", "Dev", "/keys/all"),
        ("api_key", "refused", "Dev", ""),
        ("api_key", "refused", "Dev", key_id),
    ]


@pytest.mark.parametrize("key_id", ["0123456789abcdef", "x", "%00", "A" * 16, "a" * 500])
async def test_a_key_that_is_not_there_is_said(livemon_site: Site, ada: Browser, key_id: str):
    answer = await ada.post(f"/keys/{key_id}/revoke")
    assert refused(answer) == (404, "not_found")
    (entry,) = await livemon_site.recorded()
    assert (entry.action, entry.outcome, entry.person, entry.detail) == (*REFUSED, "Ada", '{"reason":"not_found"}')
    assert entry.subject == (key_id if len(key_id) <= 64 and key_id.isalnum() else "")


async def test_another_workspaces_keys_do_not_exist_here(livemon_site: Site, ada: Browser):
    key_id = (await make(ada))["id"]
    async with livemon_site.store.session() as session:
        session.add(Workspace(id="w2", slug="other", name="Other", created_at=0))
        await session.commit()
        await session.exec(update(ApiKey).values(workspace_id="w2"))
        await session.commit()
    assert await every(ada) == []
    assert refused(await ada.post(f"/keys/{key_id}/revoke")) == (404, "not_found")
    assert [row.revoked_at for row in await stored(livemon_site.store)] == [None]
    made, tried = await livemon_site.recorded()
    assert (made.outcome, tried.outcome, tried.workspace, tried.subject) == ("done", "refused", "default", key_id)


@pytest.mark.parametrize(
    "changes",
    [
        *({"name": name} for name in ("", "   ", "x" * 101, "a\nb\x00", "\u202e", 7, None)),
        *({"rights": rights} for rights in ([], ["read"], ["watch", "manage"], ["watch", "all"], "watch", [7], None)),
        {"rights": ["watch"] * 1_000},
        *({"days": days} for days in (0, -1, 367, 10**30, 1.5, "90", True, None)),
    ],
)
async def test_a_key_that_nobody_can_have_is_refused_with_words(livemon_site: Site, ada: Browser, changes):
    answer = await ada.post("/keys", json=WANTED | changes)
    assert refused(answer) == (400, "bad_request")
    assert "No key was made" in answer.json()["error"]["message"]
    assert await stored(livemon_site.store) == []
    assert await livemon_site.recorded() == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"{}", b"\xff", b"x" * 5_000])
async def test_a_body_that_is_something_else_is_refused(ada: Browser, body: bytes):
    assert refused(await ada.post("/keys", content=body)) == (400, "bad_request")


async def test_names_are_shown_with_single_spaces_and_the_extremes_are_good(ada: Browser):
    await make(ada, name="  Big \n board  ", days=1)
    await make(ada, name="ü" * 100, days=366, rights=["end", "watch", "watch"])
    keys = {key["name"]: key for key in await every(ada)}
    assert set(keys) == {"Big board", "ü" * 100}
    assert keys["ü" * 100]["rights"] == ["watch", "end"]


async def test_a_workspace_has_no_more_than_so_many_good_keys(livemon_site: Site, ada: Browser, monkeypatch):
    monkeypatch.setattr(api_keys, "MOST", 3)
    answers = await asyncio.gather(*(ada.post("/keys", json=WANTED) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [409] * 3
    (said, *_) = [answer for answer in answers if answer.status_code == 409]
    assert refused(said) == (409, "too_many_keys")
    assert "Revoke one" in said.json()["error"]["message"]
    entries = await livemon_site.recorded()
    assert sum(entry.outcome == "done" for entry in entries) == 3
    (told,) = [entry for entry in entries if entry.outcome == "refused"]  # the other two are counted
    assert (told.action, told.person_id, told.detail) == ("api_key", ada.user_id, '{"reason":"too_many_keys"}')
    await ada.post(f"/keys/{(await every(ada))[0]['id']}/revoke")
    await make(ada)
    async with livemon_site.store.session() as session:
        good = col(ApiKey.revoked_at).is_(None)
        await session.exec(update(ApiKey).where(good).values(expires_at=1))  # and so for those that have expired
        await session.commit()
    for _ in range(3):
        await make(ada)


async def test_an_admin_who_is_demoted_in_that_instant_makes_and_revokes_nothing(
    livemon_site: Site, ada: Browser, monkeypatch
):
    """The request has passed the endpoint's own look when the role goes."""
    key_id = (await make(ada))["id"]
    demoted = False

    def demoting(original):
        async def act(*args):
            nonlocal demoted
            await members.set_role(livemon_site.store, ada.user_id, "default", Role.DEVELOPER)
            demoted = True
            return await original(*args)

        return act

    monkeypatch.setattr("livemon.api.keys.make_key", demoting(api_keys.make_key))
    monkeypatch.setattr("livemon.api.keys.revoke_key", demoting(api_keys.revoke_key))
    for path, body in (("/keys", WANTED), (f"/keys/{key_id}/revoke", None)):
        await members.set_role(livemon_site.store, ada.user_id, "default", Role.ADMIN)
        assert refused(await ada.post(path, json=body)) == (403, "forbidden")
    assert demoted
    assert [row.revoked_at for row in await stored(livemon_site.store)] == [None]
    assert [
        (entry.outcome, entry.subject, json.loads(entry.detail).get("reason"))
        for entry in await livemon_site.recorded()
    ] == [
        ("done", "Wallboard", None),
        ("refused", "", "forbidden"),
        ("refused", key_id, "forbidden"),
    ], "what was not done is recorded as refused"


async def test_what_cannot_be_recorded_is_not_done(livemon_site: Site, ada: Browser, monkeypatch):
    key_id = (await make(ada))["id"]

    async def fail(*_args, **_options):
        raise NotRecorded("it is full")

    monkeypatch.setattr(log_module.ledger, "append", fail)
    for path, body in (("/keys", WANTED), (f"/keys/{key_id}/revoke", None)):
        assert refused(await ada.post(path, json=body)) == (503, "not_recorded")
    assert [row.revoked_at for row in await stored(livemon_site.store)] == [None]


async def test_keys_long_over_are_swept_and_others_shown(livemon_site: Site, ada: Browser):
    ages = {"over": 1, "long over": 31}
    for name in ages:
        await make(ada, name=name)
    async with livemon_site.store.session() as session:
        (key,) = [key for key in await every(ada) if key["name"] == "over"]
        for name, days in ages.items():
            ended = key["created_at"] - days * DAY_MS
            await session.exec(update(ApiKey).where(col(ApiKey.name) == name).values(expires_at=ended))
        await session.commit()
    assert {key["name"] for key in await every(ada)} == {"over", "long over"}
    await make(ada, name="new")
    assert {key["name"] for key in await every(ada)} == {"over", "new"}


async def test_a_database_that_does_not_answer_is_said(livemon_site: Site, ada: Browser):
    async with livemon_site.store.session() as session:
        await (await session.connection()).exec_driver_sql("ALTER TABLE api_key RENAME TO gone")
        await session.commit()
    for answer in (await ada.get("/keys/all"), await ada.post("/keys", json=WANTED)):
        assert refused(answer) == (503, "store_away")


# --- a machine


async def test_a_machine_watches_the_calls_until_its_key_is_revoked(livemon_site: Site, ada: Browser):
    key = await make(ada)
    async with livemon_site.machine_socket(key["key"], "/feed/calls") as socket:
        assert (await socket.read())["t"] == "snapshot"
        await ada.post(f"/keys/{key['id']}/revoke")
        assert await socket.closed() == (4401, "session_ended")
    async with livemon_site.machine_socket(key["key"], "/feed/calls") as socket:
        assert await socket.closed() == (4401, "unauthenticated")


async def test_a_machines_socket_ends_when_its_key_expires(livemon_site: Site, ada: Browser):
    key = await make(ada)
    async with livemon_site.machine_socket(key["key"], "/feed/calls") as socket:
        assert (await socket.read())["t"] == "snapshot"
        async with livemon_site.store.session() as session:
            await session.exec(update(ApiKey).values(expires_at=1))
            await session.commit()
        assert await socket.closed() == (4401, "session_ended")


async def test_a_machine_ends_a_call_on_the_record_under_its_keys_name(
    livemon_site: Site, ada: Browser, valkey_url: str
):
    key = await make(ada, rights=["watch", "end"])
    async with Runtime(valkey_url, name="front-desk") as runtime, livemon_site.machine(key["key"]) as machine:
        runtime.call(call_id="call-1").on_end(lambda: None)
        await livemon_site.call("call-1")
        answer = await machine.post("/calls/call-1/end")
        assert (answer.status_code, answer.json()) == (200, {"ok": True})
    entries = [entry for entry in await livemon_site.recorded() if entry.action == "end_call"]
    assert [entry.outcome for entry in entries] == ["asked", "done"]
    assert {(entry.person_id, entry.person) for entry in entries} == {(f"key:{key['id']}", "Wallboard")}
    assert (await every(ada))[0]["last_used_at"] is not None


async def test_a_machine_is_told_what_its_key_lacks_and_nothing_of_a_role(livemon_site: Site, ada: Browser):
    await livemon_site.runtime.announce("call-1")
    await livemon_site.call("call-1")
    key = await make(ada, rights=["watch"])
    async with livemon_site.machine(key["key"]) as machine:
        answers = [
            await machine.post(f"/calls/call-1/{act}", json={"sdp": "v=0"}) for act in ("end", "listen", "take-over")
        ]
    for answer in answers:
        assert refused(answer) == (403, "forbidden")
        said = answer.json()["error"]["message"]
        assert said.startswith("This API key does not include ")
        assert said.endswith("for a key that does.")
        assert "role" not in said


async def test_a_machine_makes_no_keys_and_sees_no_audit_log(livemon_site: Site, ada: Browser):
    key = await make(ada, rights=["watch", "read", "unmasked", "listen", "take_over", "end", "inject"])
    async with livemon_site.machine(key["key"]) as machine:
        answers = [await machine.get(path) for path in ("/keys/all", "/audit/entries", "/audit/export.csv")]
        answers += [await machine.post("/keys", json=WANTED), await machine.post(f"/keys/{key['id']}/revoke")]
        answers += [await machine.post("/sign-out")]
    assert {refused(answer) for answer in answers} == {(403, "forbidden")}
    assert [row.revoked_at for row in await stored(livemon_site.store)] == [None]
