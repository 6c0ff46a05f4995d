"""Joining as somebody who is there already: as oneself, or as whom the Admin has named and nobody can be any more."""

import asyncio
import json

import pytest
from sqlmodel import select

from livemon.access import invitations, members
from livemon.access.errors import AlreadyMember, InvitationUsed, JoinByProvider, LinkUsed, NameTaken, NoLinkFor
from livemon.access.links import make_link, use_link
from livemon.access.member_changes import make_member_link
from livemon.access.oidc.provenance import Provenance
from livemon.access.roles import Role
from livemon.access.sessions import Sessions
from livemon.store.instants import to_ms
from livemon.store.tables import Membership, SignInLink, User
from tests.access.administering import admin_of, by_link, entries, make_workspace, roles_of
from tests.access.test_invitations import invite


@pytest.fixture
async def ada(store, audit, clock):
    """Who invites, into `default`."""
    return await admin_of(store, audit, clock, "Ada")


@pytest.fixture
async def eve(store, audit, clock):
    """An Admin of another workspace."""
    return await admin_of(store, audit, clock, "Eve", workspace=await make_workspace(store, "sales"))


async def person_in(store, clock, name, workspace="sales", role=Role.MEMBER):
    """Somebody who is signed in there."""
    user_id = await members.find_or_create(store, name)
    await members.set_role(store, user_id, workspace, role)
    sessions = Sessions(store, now=clock)
    return await sessions.find(await sessions.open(user_id, workspace, device="", address=""))


async def join_as(store, audit, clock, token, person, known_by=by_link):
    """The ids of the sessions that end by it."""
    invited = await invitations.look(store, token, now=clock)
    who = (person.user_id, person.session_id)
    async with store.session() as session:
        _, ending = await invitations.join_as(session, invited.id, *who, known_by, audit, now_ms=to_ms(clock()))
        await session.commit()
    return ending


async def come_back(store, clock, token, name, user_id=None):
    """As the endpoint does it, or as somebody would who could say which person they want to be."""
    invited = await invitations.look(store, token, now=clock)
    user_id = user_id or await invitations.comes_back_as(store, invited, name) or "new"
    async with store.session() as session:
        _, called = await invitations.join(session, invited.id, name, user_id, now_ms=to_ms(clock()))
        await session.commit()
    return user_id, called


async def removed(store, name, workspace="sales"):
    user_id = await members.find_or_create(store, name)
    await members.set_role(store, user_id, workspace, Role.ADMIN)
    await members.remove(store, user_id, workspace)
    return user_id


# ---- as oneself


async def test_who_is_signed_in_elsewhere_joins_as_themselves_and_stays_what_they_are_there(
    store, audit, clock, ada, eve
):
    token = await invite(ada, Role.DEVELOPER, "Somebody")
    assert await join_as(store, audit, clock, token, eve.person) == []
    assert await roles_of(store) == {"Ada": "admin", "Eve": "developer"}
    assert await roles_of(store, "sales") == {"Eve": "admin"}
    with pytest.raises(InvitationUsed):
        await invitations.look(store, token, now=clock)


@pytest.mark.parametrize("role", Role)
async def test_who_belongs_there_already_stays_what_they_are_and_the_invitation_good(store, audit, clock, ada, role):
    dev = await person_in(store, clock, "Dev", "default", Role.DEVELOPER)
    token = await invite(ada, role)
    for person in (dev, ada.person):
        with pytest.raises(AlreadyMember, match="the invitation is still good"):
            await join_as(store, audit, clock, token, person)
    assert await roles_of(store) == {"Ada": "admin", "Dev": "developer"}
    assert (await invitations.look(store, token, now=clock)).role is role


async def test_whoever_is_in_elsewhere_by_the_same_name_does_not_get_in_with_them(store, audit, clock, ada, eve):
    """An Admin there may have opened that session, or hold a link that would open one."""
    bo = await person_in(store, clock, "Bo")
    other = await person_in(store, clock, "Bo")
    link, _ = await make_member_link(eve, bo.user_id, by_link)
    assert await join_as(store, audit, clock, await invite(ada), bo) == [other.session_id]
    sessions = Sessions(store, now=clock)
    assert await sessions.person(other.session_id) is None
    assert await sessions.person(bo.session_id) is not None  # until it moves
    with pytest.raises(LinkUsed):
        await use_link(store, link, now=clock)
    ended = [entry for entry in await entries(store) if entry.action == "session_end"]
    assert [(one.workspace, one.subject, json.loads(one.detail)) for one in ended] == [
        ("sales", "Bo", {"reason": "joined", "ended": 1})
    ]


async def test_who_comes_by_a_provider_stays_signed_in_elsewhere(store, audit, clock, ada, eve):
    bo, other = await person_in(store, clock, "Bo"), await person_in(store, clock, "Bo")
    known_by = {"name:bo": Provenance("Company")}.__getitem__
    assert await join_as(store, audit, clock, await invite(ada), bo, known_by) == []
    assert await Sessions(store, now=clock).person(other.session_id) is not None


async def test_where_claims_decide_the_invitation_is_for_the_provider_to_bring(store, audit, clock, ada, eve):
    token = await invite(ada, Role.ADMIN)
    with pytest.raises(JoinByProvider, match="Join with Company instead"):
        await join_as(store, audit, clock, token, eve.person, lambda _key: Provenance("Company", "Company"))
    assert await roles_of(store) == {"Ada": "admin"}
    assert await invitations.look(store, token, now=clock)


async def test_no_link_is_made_for_somebody_in_the_moment_in_which_they_join_elsewhere(
    store, other_store, audit, clock, ada, eve
):
    """It would lead into both workspaces; either there was none, or it is over."""
    late = type(eve)(other_store, eve.audit, eve.person, eve.address, eve.now)
    for round_ in range(5):
        bo = await person_in(store, clock, f"Bo {round_}")
        token = await invite(ada)
        made, joined = await asyncio.gather(
            make_member_link(late, bo.user_id, by_link),
            join_as(store, audit, clock, token, bo),
            return_exceptions=True,
        )
        assert isinstance(made, tuple | NoLinkFor), made
        assert joined == []
        async with store.session() as session:
            assert (await session.exec(select(SignInLink))).all() == []


# ---- as somebody whom the Admin has named


async def test_who_was_removed_comes_back_by_the_name_that_the_admin_has_typed(store, clock, ada, eve):
    bo = await removed(store, "Bo Li")
    for typed, given in (("Bo Li", "bo  li"), ("BO LI", "Bo Li")):
        token = await invite(ada, Role.DEVELOPER, typed)
        assert await come_back(store, clock, token, given) == (bo, "Bo Li")
        assert (await roles_of(store))["Bo Li"] == "developer"
        await members.remove(store, bo, "default")


@pytest.mark.parametrize("typed", ["", "New", "Bo L", "Bo Li\ufe0f", "\uff22o Li"])
async def test_nobody_becomes_somebody_by_choosing_their_name(store, clock, ada, eve, typed):
    """Not even one who could say which person they mean."""
    bo = await removed(store, "Bo Li")
    token = await invite(ada, name=typed)
    for user_id in (None, bo):
        with pytest.raises(NameTaken, match="made out to exactly this name"):
            await come_back(store, clock, token, "Bo Li", user_id)
    assert await roles_of(store) == {"Ada": "admin"}
    assert await come_back(store, clock, token, "Bo Li the second") == ("new", "Bo Li the second")


async def test_nobody_becomes_somebody_who_is_a_member_anywhere(store, clock, ada, eve):
    await removed(store, "Bo")
    await members.set_role(store, await members.find_or_create(store, "Bo"), "sales", Role.MEMBER)
    token = await invite(ada, name="Bo")
    with pytest.raises(NameTaken):
        await come_back(store, clock, token, "Bo")
    assert "Bo" not in await roles_of(store)


async def test_nobody_becomes_somebody_who_is_still_signed_in(store, clock, ada, eve):
    bo = await person_in(store, clock, "Bo")
    async with store.session() as session:  # as nothing does that ends no sessions
        await session.delete(await session.get(Membership, (bo.user_id, "id of sales")))
        await session.commit()
    token = await invite(ada, name="Bo")
    with pytest.raises(NameTaken):
        await come_back(store, clock, token, "Bo")
    await Sessions(store, now=clock).end(bo.session_id)
    assert (await come_back(store, clock, token, "Bo"))[0] == bo.user_id


async def test_nobody_becomes_somebody_whom_another_one_looks_like_or_a_provider_knows(store, clock, ada, eve):
    await removed(store, "Bo")
    async with store.session() as session:
        session.add(User(id="bo", key="oidc:https://id.example.com 7", name="BO", created_at=0))
        session.add(User(id="cy", key="oidc:https://id.example.com 8", name="Cy", created_at=0))
        await session.commit()
    for name, user_id in (("Bo", None), ("Cy", None), ("Cy", "cy")):
        with pytest.raises(NameTaken):
            await come_back(store, clock, await invite(ada, name=name), name, user_id)


async def test_a_link_that_was_left_lets_nobody_in_as_who_has_come_back(store, clock, ada, eve):
    bo = await members.find_or_create(store, "Bo")
    link = await make_link(store, name="Bo", workspace="sales", now=clock)
    async with store.session() as session:
        await session.delete(await session.get(Membership, (bo, "id of sales")))
        await session.commit()
    await come_back(store, clock, await invite(ada, name="Bo"), "Bo")
    await members.set_role(store, bo, "sales", Role.MEMBER)
    with pytest.raises(LinkUsed):
        await use_link(store, link, now=clock)


async def test_whoever_is_made_a_member_elsewhere_at_that_moment_is_nobody_who_comes_back(
    store, other_store, clock, ada, eve
):
    """Or their session is over with the link that is made: never are both in as one person."""
    for round_ in range(5):
        name = f"Bo {round_}"
        bo = await removed(store, name)
        token = await invite(ada, name=name)
        invited = await invitations.look(store, token, now=clock)

        async def joining(session, invited=invited, name=name, bo=bo):
            await invitations.join(session, invited.id, name, bo, now_ms=to_ms(clock()))

        sessions = Sessions(store, now=clock)
        link, cookie = await asyncio.gather(
            make_link(other_store, name=name, role=Role.ADMIN, workspace="sales", now=clock),
            sessions.open(bo, "default", device="", address="", opening=joining),
            return_exceptions=True,
        )
        assert isinstance(link, str), link
        assert isinstance(cookie, str | NameTaken), cookie
        if isinstance(cookie, str):
            assert await sessions.find(cookie) is None
