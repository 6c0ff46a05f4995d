"""An invitation lets one person in, once, in time, as somebody new; it can be taken back until then."""

import asyncio
import json
import re
import secrets
from datetime import timedelta
from hashlib import sha256

import pytest
from sqlmodel import col, delete, select

from livemon.access import invitations, members
from livemon.access.errors import AlreadyUsed, BadName, InvitationUsed, NameTaken
from livemon.access.roles import Role
from livemon.access.sessions import Sessions
from livemon.store.instants import to_ms
from livemon.store.tables import Invitation, Session, User, Workspace
from tests.access.administering import admin_of, entries, make_workspace, roles_of


@pytest.fixture
async def ada(store, audit, clock):
    return await admin_of(store, audit, clock, "Ada")


async def invite(by, role=Role.DEVELOPER, name="New") -> str:
    _, token, _ = await invitations.invite(by, role, name)
    return token


async def join(store, clock, token, name="New"):
    """As the endpoint does it: the person and their session, or neither."""
    user_id = secrets.token_hex(8)
    invited = await invitations.look(store, token, now=clock)

    async def joining(session):
        await invitations.join(session, invited.id, name, user_id, now_ms=to_ms(clock()))

    sessions = Sessions(store, now=clock)
    return await sessions.find(await sessions.open(user_id, invited.workspace, device="", address="", opening=joining))


async def rows(store, table):
    async with store.session() as session:
        return (await session.exec(select(table))).all()


async def test_who_accepts_is_a_member_in_the_role_of_the_invitation(store, clock, ada):
    token = await invite(ada)
    invited = await invitations.look(store, token, now=clock)
    assert (invited.workspace, invited.role, invited.name) == ("default", Role.DEVELOPER, "New")
    person = await join(store, clock, token, "  Nina   Novak ")
    assert (person.name, person.role, person.workspace) == ("Nina Novak", Role.DEVELOPER, "default")
    assert await members.find_or_create(store, "nina novak") == person.user_id  # known by the name from then on
    (row,) = await rows(store, Invitation)
    assert (row.used_by, row.used_at) == (person.user_id, to_ms(clock()))


async def test_the_store_knows_no_token(store, ada):
    token = await invite(ada)
    (row,) = await rows(store, Invitation)
    assert row.id == sha256(token.encode()).hexdigest()
    assert re.fullmatch(r"[\w-]{43}", token)  # 256 bits
    assert token not in repr(row)


async def test_making_and_taking_back_are_recorded(store, clock, ada):
    token = await invite(ada, Role.ADMIN, "Bob")
    invited = await invitations.look(store, token, now=clock)
    await invitations.revoke(ada, invited.id)
    await invitations.revoke(ada, invited.id)
    assert [
        (entry.action, entry.person, entry.subject, json.loads(entry.detail)) for entry in await entries(store)
    ] == [
        ("invitation", "Ada", "Bob", {"reason": "made", "role": "admin"}),
        ("invitation", "Ada", "Bob", {"reason": "revoked", "role": "admin"}),
    ]
    assert all(token not in entry.detail for entry in await entries(store))


async def test_one_lasts_for_seven_days(store, clock, ada):
    in_time, late = await invite(ada), await invite(ada)
    clock.forward(days=6, hours=23)
    assert (await join(store, clock, in_time)).name == "New"
    clock.forward(hours=1)
    with pytest.raises(InvitationUsed):
        await join(store, clock, late)


@pytest.mark.parametrize("token", ["", "unknown", "x" * 300, "ä", "\x00", "\ud800"])
async def test_what_is_no_token_is_refused(store, clock, ada, token):
    await invite(ada)
    with pytest.raises(InvitationUsed):
        await invitations.look(store, token, now=clock)


async def test_of_many_who_accept_at_once_through_two_nodes_one_gets_in(store, other_store, clock, ada):
    for round_ in range(3):
        token = await invite(ada)
        tries = [join(each, clock, token, f"New {round_} {n}") for n, each in enumerate((store, other_store) * 5)]
        answers = await asyncio.gather(*tries, return_exceptions=True)
        assert [type(answer) for answer in answers].count(InvitationUsed) == 9, answers
    assert len(await roles_of(store)) == 1 + 3
    assert len(await rows(store, User)) == 1 + 3
    assert len(await rows(store, Session)) == 1 + 3


async def test_who_has_looked_before_it_was_used_is_too_late(store, clock, ada):
    token = await invite(ada)
    invited = await invitations.look(store, token, now=clock)
    await join(store, clock, token)
    async with store.session() as session:
        with pytest.raises(InvitationUsed):
            await invitations.join(session, invited.id, "Eve", "eve", now_ms=to_ms(clock()))
        await session.commit()
    assert "Eve" not in await roles_of(store)


async def test_one_that_was_taken_back_lets_nobody_in(store, clock, ada):
    token = await invite(ada)
    invited = await invitations.look(store, token, now=clock)
    await invitations.revoke(ada, invited.id)
    with pytest.raises(InvitationUsed):
        await join(store, clock, token)
    async with store.session() as session:
        with pytest.raises(InvitationUsed):
            await invitations.use(session, invited.id, now_ms=to_ms(clock()))


async def test_one_that_was_used_cannot_be_taken_back_and_the_admin_learns_who_has_used_it(store, clock, ada):
    token = await invite(ada)
    invited = await invitations.look(store, token, now=clock)
    await join(store, clock, token, "Nina")
    with pytest.raises(AlreadyUsed, match="Nina has used this invitation"):
        await invitations.revoke(ada, invited.id)


async def test_it_is_either_taken_back_or_used_whatever_comes_at_the_same_moment(store, other_store, clock, ada):
    for round_ in range(5):
        token = await invite(ada)
        invited = await invitations.look(store, token, now=clock)
        used, revoked = await asyncio.gather(
            join(other_store, clock, token, f"New {round_}"),
            invitations.revoke(ada, invited.id),
            return_exceptions=True,
        )
        assert isinstance(used, InvitationUsed) != isinstance(revoked, AlreadyUsed)
        assert (f"New {round_}" in await roles_of(store)) == isinstance(revoked, AlreadyUsed)


async def test_one_is_gone_with_its_workspace(store, audit, clock):
    eve = await admin_of(store, audit, clock, "Eve", workspace=await make_workspace(store, "sales"))
    token = await invite(eve)
    assert (await invitations.look(store, token, now=clock)).workspace_name == "Sales"
    async with store.session() as session:
        await session.exec(delete(Workspace).where(col(Workspace.slug) == "sales"))
        await session.commit()
    with pytest.raises(InvitationUsed):
        await join(store, clock, token)


async def test_who_may_not_invite_any_more_leaves_no_way_in(store, audit, clock, ada):
    for leave in (
        lambda user_id: members.remove(store, user_id, "default"),
        lambda user_id: members.set_role(store, user_id, "default", Role.DEVELOPER),
    ):
        bob = await admin_of(store, audit, clock, "Bob")
        token, of_ada = await invite(bob), await invite(ada)
        await leave(bob.person.user_id)
        with pytest.raises(InvitationUsed):
            await join(store, clock, token)
        assert (await invitations.look(store, of_ada, now=clock)).name == "New", "others' stay"


@pytest.mark.parametrize("name", ["Ada", "ADA", " ada ", "Olga", "olga"])
async def test_nobody_comes_in_as_somebody_who_is_there_already(store, clock, ada, name):
    """Neither by the key nor, for the eye, by the name of one who comes by a provider."""
    async with store.session() as session:
        session.add(User(id="olga", key="oidc:https://id.example.com 7", name="Olga", created_at=0))
        await session.commit()
    token = await invite(ada)
    with pytest.raises(NameTaken, match="Choose another name"):
        await join(store, clock, token, name)
    assert await roles_of(store) == {"Ada": "admin"}
    assert (await join(store, clock, token, "Nina")).name == "Nina"


@pytest.mark.parametrize(
    "name",
    ["émile zoë", "ÉMILE ZOË", "E\u0301mile Zoe\u0308", "\uff25\u0301mile Zoë", "Émile\ufe0f Zoë", "Émile\u3164 Zoë"],
)
async def test_nobody_comes_in_by_a_name_that_looks_like_somebodys(store, clock, ada, name):
    """On any database: in another case, composed, wide, or with what nobody sees."""
    async with store.session() as session:
        session.add(User(id="emile", key="oidc:https://id.example.com 8", name="Émile Zoë", created_at=0))
        await session.commit()
    token = await invite(ada)
    with pytest.raises(NameTaken):
        await join(store, clock, token, name)
    assert (await join(store, clock, token, "Emil Zoë")).name == "Emil Zoë"


async def test_of_two_who_want_one_name_at_the_same_moment_one_gets_it(store, other_store, clock, ada):
    tokens = [await invite(ada), await invite(ada)]
    tries = [join(each, clock, token, "Nina") for each, token in zip((store, other_store), tokens, strict=True)]
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert [type(answer) for answer in answers].count(NameTaken) == 1, answers
    assert await roles_of(store) == {"Ada": "admin", "Nina": "developer"}


@pytest.mark.parametrize("name", ["", " \n ", "x" * 101, "Ada\0", "\ud800"])
async def test_a_name_that_nobody_can_have_leaves_the_invitation_good(store, clock, ada, name):
    token = await invite(ada)
    with pytest.raises(BadName):
        await join(store, clock, token, name)
    assert (await join(store, clock, token, "Nina")).name == "Nina"


async def test_nobody_is_invited_by_a_name_that_nobody_can_have(store, ada):
    with pytest.raises(BadName):
        await invite(ada, name="x" * 101)
    await invite(ada, name="")
    assert [one.name for one in await rows(store, Invitation)] == [""]


async def test_the_list_has_what_can_still_be_used_here(store, audit, clock, ada):
    eve = await admin_of(store, audit, clock, "Eve", workspace=await make_workspace(store, "sales"))
    await invite(eve, name="elsewhere")
    await invite(ada, name="expired")
    clock.forward(days=7)
    ada = await admin_of(store, audit, clock, "Ada")
    await join(store, clock, await invite(ada, name="used"))
    revoked = await invitations.look(store, await invite(ada, name="revoked"), now=clock)
    await invitations.revoke(ada, revoked.id)
    token = await invite(ada, Role.MEMBER, "open")
    (found,) = await invitations.open_invitations(store, "default", now=clock)
    assert (found.name, found.role, found.created_by) == ("open", "member", "Ada")
    assert found.expires_at - found.created_at == timedelta(days=7) / timedelta(milliseconds=1)
    assert token not in repr(found)


async def test_one_that_nobody_has_used_is_forgotten_and_one_that_was_used_is_kept(store, audit, clock, ada):
    await join(store, clock, await invite(ada, name="used"))
    await invite(ada, name="expired")
    clock.forward(days=38)
    await invite(await admin_of(store, audit, clock, "Ada"), name="new")
    assert sorted(one.name for one in await rows(store, Invitation)) == ["new", "used"]
