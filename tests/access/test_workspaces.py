"""Workspaces are made once, by a name that Redis's keys can have; and whoever belongs to several has one session in each."""

import pytest
from sqlmodel import col, select

from livemon.access import members, workspaces
from livemon.access.errors import BadWorkspaceName, SessionOver, TooManyWorkspaces, UnknownWorkspace, WorkspaceThere
from livemon.access.roles import Role
from livemon.access.sessions import ABSOLUTE, SignedInBy, session_id_of
from livemon.access.switching import switch
from livemon.access.workspaces import Belonging, Named, add_workspace, all_workspaces, workspaces_of
from livemon.store.tables import AuditEntry, Session
from livemon_runtime.errors import InvalidName


async def entries(store, workspace: str) -> list[AuditEntry]:
    async with store.session() as session:
        of_it = select(AuditEntry).where(col(AuditEntry.workspace) == workspace).order_by(col(AuditEntry.seq))
        return list((await session.exec(of_it)).all())


async def row(store, session_id: str) -> Session:
    async with store.session() as session:
        return (await session.exec(select(Session).where(col(Session.id) == session_id))).one()


async def nothing_recorded(*_) -> None:
    pass


async def go(store, clock, session_id: str, workspace: str, recording=nothing_recorded):
    who = {"name": "Ada", "device": "Safari", "address": "192.0.2.9"}
    return await switch(store, session_id, workspace, **who, recording=recording, now=clock)


# --- making them


async def test_a_workspace_that_was_made_is_there_with_its_name_and_in_the_audit_log(store, audit):
    await add_workspace(store, "night-shift", name=" Night  shift ", audit=audit)
    await add_workspace(store, "2", audit=audit)
    assert await all_workspaces(store) == [
        Named("2", "2", 0),
        Named("default", "Default", 0),
        Named("night-shift", "Night shift", 0),
    ]
    (entry,) = await entries(store, "night-shift")
    assert (entry.action, entry.outcome, entry.subject) == ("setting", "done", "night-shift")


@pytest.mark.parametrize("slug", ["", "Night", "night shift", "night_shift", "a" * 65, "näht", "a:b", "{a}", "a\n"])
async def test_what_cannot_stand_in_a_key_is_no_slug(store, slug):
    for name in ("", "Night shift"):
        with pytest.raises(InvalidName):
            await add_workspace(store, slug, name=name)
    assert await store.workspaces() == ["default"]


@pytest.mark.parametrize("name", [" ", "x" * 101, "a\x00b", "\u202e"])
async def test_a_name_that_cannot_be_shown_is_refused(store, name):
    with pytest.raises(BadWorkspaceName):
        await add_workspace(store, "other", name=name)
    assert await store.workspaces() == ["default"]


async def test_one_that_is_there_is_left_as_it_is_and_nothing_is_recorded(store, audit):
    await add_workspace(store, "other", name="First")
    with pytest.raises(WorkspaceThere):
        await add_workspace(store, "other", name="Second", audit=audit)
    assert Named("other", "First", 0) in await all_workspaces(store)
    assert await entries(store, "other") == []


async def test_there_are_no_more_than_the_node_looks_after(store, monkeypatch):
    monkeypatch.setattr(workspaces, "MOST", 2)
    await add_workspace(store, "second")
    with pytest.raises(TooManyWorkspaces):
        await add_workspace(store, "third")
    assert await store.workspaces() == ["default", "second"]


async def test_somebodys_are_those_that_they_belong_to_and_the_members_are_counted(store, sign_in):
    await sign_in("Ada", Role.DEVELOPER)
    await sign_in("Bob")
    for slug, name in (("c", "Alpha"), ("b", "beta"), ("d", "Delta")):
        await add_workspace(store, slug, name=name)
    ada = await members.find_or_create(store, "Ada")
    await members.set_role(store, ada, "b", Role.ADMIN)
    await members.set_role(store, ada, "c", Role.MEMBER)
    assert await workspaces_of(store, ada) == [
        Belonging("c", "Alpha", Role.MEMBER),
        Belonging("b", "beta", Role.ADMIN),
        Belonging("default", "Default", Role.DEVELOPER),
    ]
    assert await workspaces_of(store, "nobody") == []
    assert {one.slug: one.members for one in await all_workspaces(store)} == {"b": 1, "c": 1, "d": 0, "default": 2}


# --- going from one to another


@pytest.fixture
async def both(store, sign_in):
    """Ada is a Developer here and an Admin there; her session's cookie here."""
    cookie = await sign_in("Ada", Role.DEVELOPER)
    await add_workspace(store, "other")
    await members.set_role(store, await members.find_or_create(store, "Ada"), "other", Role.ADMIN)
    return cookie


async def test_the_new_session_is_there_and_the_one_that_was_is_over(store, sessions, clock, both):
    before = session_id_of(both)
    cookie, role = await go(store, clock, before, "other")
    assert await sessions.person(before) is None
    person = await sessions.find(cookie)
    assert (person.name, person.workspace, person.role, role) == ("Ada", "other", Role.ADMIN, Role.ADMIN)
    made = await row(store, person.session_id)
    assert (made.device, made.address) == ("Safari", "192.0.2.9")
    assert cookie not in (before, made.id)


async def test_the_former_cookie_leads_to_the_new_session_for_a_moment_and_to_none_after_that(
    store, sessions, clock, both
):
    """Pages that load anew at once may come before the answer has brought the browser its new cookie."""
    cookie, _ = await go(store, clock, session_id_of(both), "other")
    assert await sessions.find(both) == await sessions.find(cookie)
    clock.forward(seconds=11)
    assert await sessions.find(both) is None
    assert (await sessions.find(cookie)).workspace == "other"


async def test_it_lasts_no_longer_than_the_first_would_have(store, sessions, clock, both):
    cookie = both
    for hours in range(0, int(ABSOLUTE.total_seconds() / 3600), 8):
        person = await sessions.find(cookie)
        assert person, hours
        cookie, _ = await go(store, clock, person.session_id, "other" if person.workspace == "default" else "default")
        clock.forward(hours=8)
    assert await sessions.find(cookie) is None


async def test_the_provider_that_vouched_goes_along_and_the_token_stays_in_one_place(store, sessions, clock, both):
    ada = (await sessions.find(both)).user_id
    by = SignedInBy("corp", "sub-1", "sid-1", "an ID token")
    first = await sessions.open(ada, "default", device="", address="", by=by)
    cookie, _ = await go(store, clock, session_id_of(first), "other")
    assert await sessions.signed_in_by(session_id_of(cookie)) == by
    assert (await row(store, session_id_of(first))).id_token is None


@pytest.mark.parametrize("slug", ["elsewhere", "nowhere", "", "x" * 10_000])
async def test_where_somebody_does_not_belong_they_do_not_get_and_they_stay_where_they_are(
    store, sessions, clock, both, slug
):
    await add_workspace(store, "elsewhere")
    await members.set_role(store, await members.find_or_create(store, "Bob"), "elsewhere", Role.ADMIN)
    with pytest.raises(UnknownWorkspace):
        await go(store, clock, session_id_of(both), slug)
    assert (await sessions.find(both)).workspace == "default"


async def test_a_role_that_only_a_newer_version_knows_lets_nobody_in(store, sessions, clock, both):
    await members.set_role(store, await members.find_or_create(store, "Ada"), "other", Role.ADMIN)
    async with store.session() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("UPDATE membership SET role = 'owner' WHERE workspace_id <> 'default'")
        await session.commit()
    with pytest.raises(UnknownWorkspace):
        await go(store, clock, session_id_of(both), "other")
    assert [one.slug for one in await workspaces_of(store, (await sessions.find(both)).user_id)] == ["default"]


async def test_a_session_that_is_over_gets_no_other(store, sessions, clock, both):
    await sessions.end(session_id_of(both))
    with pytest.raises(SessionOver):
        await go(store, clock, session_id_of(both), "other")
    with pytest.raises(SessionOver):
        await go(store, clock, "no such session", "other")


async def test_a_session_past_its_time_gets_no_other(store, clock, both):
    clock.forward(days=8)
    with pytest.raises(SessionOver):
        await go(store, clock, session_id_of(both), "other")


async def test_what_cannot_be_recorded_is_not_done(store, sessions, clock, both):
    async def refuse(*_) -> None:
        raise LookupError("no log")

    with pytest.raises(LookupError):
        await go(store, clock, session_id_of(both), "other", refuse)
    assert (await sessions.find(both)).workspace == "default"
    async with store.session() as session:
        assert len((await session.exec(select(Session))).all()) == 1


async def test_who_relies_on_a_session_that_ended_elsewhere_is_not_recollected(sessions, both):
    """Also where the store says nothing: what `let_go` was told of is known to be over."""
    person = await sessions.find(both)
    assert sessions.recollect(both) == person
    sessions.let_go(person.session_id)
    assert sessions.recollect(both) is None
