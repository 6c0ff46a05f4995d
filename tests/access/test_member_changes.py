"""What an Admin does with the people of a workspace is done whole, by an Admin of that moment, there alone, and recorded."""

import asyncio
import json

import pytest
from sqlmodel import select

from livemon.access import invitations, members
from livemon.access.errors import InvitationUsed, LastAdmin, NoLinkFor, NotAdmin, NotHere, RoleByProvider
from livemon.access.links import make_link, use_link
from livemon.access.member_changes import change_role, end_session, make_member_link, remove_member
from livemon.access.member_list import members_of
from livemon.access.oidc.provenance import Provenance
from livemon.access.roles import Role
from livemon.access.sessions import Sessions, session_id_of
from livemon.store.audit.errors import NotRecorded
from livemon.store.audit.log import AuditLog
from livemon.store.tables import Invitation, Session, SignInLink
from tests.access.administering import admin_of, by_link, entries, make_workspace, roles_of


@pytest.fixture
async def ada(store, audit, clock):
    return await admin_of(store, audit, clock, "Ada")


@pytest.fixture
async def bob(store, audit, clock):
    """Another Admin."""
    return await admin_of(store, audit, clock, "Bob")


@pytest.fixture
async def dev(store, audit, clock):
    return await admin_of(store, audit, clock, "Dev", role=Role.DEVELOPER)


async def rows(store, table):
    async with store.session() as session:
        return (await session.exec(select(table))).all()


# ---- roles


async def test_a_role_is_changed_and_recorded_with_what_it_was(store, ada, dev):
    concerned = await change_role(ada, dev.person.user_id, Role.MEMBER, by_link)
    assert concerned == [dev.person.session_id]
    assert await roles_of(store) == {"Ada": "admin", "Dev": "member"}
    (entry,) = await entries(store)
    assert (entry.action, entry.outcome, entry.person, entry.subject) == ("role", "done", "Ada", "Dev")
    assert json.loads(entry.detail) == {"from": "developer", "to": "member"}
    assert (entry.workspace, entry.person_id, entry.address) == ("default", ada.person.user_id, "192.0.2.7")


async def test_a_role_that_somebody_has_already_is_no_change(store, ada, dev):
    assert await change_role(ada, dev.person.user_id, Role.DEVELOPER, by_link) == []
    assert await entries(store) == []


async def test_a_role_that_a_providers_claims_give_is_not_changed_here(store, ada, dev):
    def by_company(_key):
        return Provenance("Company", "Company")

    with pytest.raises(RoleByProvider, match="Company decides what Dev is"):
        await change_role(ada, dev.person.user_id, Role.ADMIN, by_company)
    assert (await roles_of(store))["Dev"] == "developer"


async def test_what_cannot_be_recorded_is_not_done(store, ada, dev, tmp_path):
    closed = AuditLog(store, tmp_path / "no.key")
    unrecorded = type(ada)(store, closed, ada.person, ada.address, ada.now)
    for change in (
        change_role(unrecorded, dev.person.user_id, Role.ADMIN, by_link),
        remove_member(unrecorded, dev.person.user_id),
        end_session(unrecorded, dev.person.session_id),
        make_member_link(unrecorded, dev.person.user_id, by_link),
        invitations.invite(unrecorded, Role.ADMIN, "Eve"),
    ):
        with pytest.raises(NotRecorded):
            await change
    assert await roles_of(store) == {"Ada": "admin", "Dev": "developer"}
    assert await rows(store, SignInLink) == await rows(store, Invitation) == []
    assert all(session.ended_at is None for session in await rows(store, Session))


# ---- who may


CHANGES = {
    "role": lambda by, whose: change_role(by, whose.user_id, Role.ADMIN, by_link),
    "remove": lambda by, whose: remove_member(by, whose.user_id),
    "link": lambda by, whose: make_member_link(by, whose.user_id, by_link),
    "end": lambda by, whose: end_session(by, whose.session_id),
    "invite": lambda by, _whose: invitations.invite(by, Role.ADMIN, "Eve"),
    "revoke": lambda by, _whose: invitations.revoke(by, "an-invitation"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_who_is_an_admin_no_more_changes_nothing(store, ada, bob, dev, change):
    """Also if that was done a moment ago, after the guard had looked."""
    await members.set_role(store, bob.person.user_id, "default", Role.DEVELOPER)
    for nobody in (bob, dev):
        with pytest.raises(NotAdmin):
            await change(nobody, dev.person)
    assert await roles_of(store) == {"Ada": "admin", "Bob": "developer", "Dev": "developer"}
    assert await rows(store, SignInLink) == await rows(store, Invitation) == await entries(store) == []
    assert all(session.ended_at is None for session in await rows(store, Session))


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_whose_session_has_ended_changes_nothing(store, ada, bob, dev, change, clock):
    await Sessions(store, now=clock).end(bob.person.session_id)
    with pytest.raises(NotAdmin):
        await change(bob, dev.person)
    assert await entries(store) == []


async def test_an_admin_of_another_workspace_changes_nothing_here(store, audit, clock, ada, dev):
    eve = await admin_of(store, audit, clock, "Eve", workspace=await make_workspace(store, "sales"))
    for change in (CHANGES["role"], CHANGES["remove"], CHANGES["link"], CHANGES["end"]):
        with pytest.raises(NotHere):
            await change(eve, dev.person)
    _, token, _ = await invitations.invite(ada, Role.DEVELOPER, "New")
    invited = await invitations.look(store, token, now=clock)
    with pytest.raises(NotHere):
        await invitations.revoke(eve, invited.id)
    assert await roles_of(store) == {"Ada": "admin", "Dev": "developer"}
    assert await invitations.look(store, token, now=clock)
    assert all(session.ended_at is None for session in await rows(store, Session))


async def test_what_is_elsewhere_and_what_is_nowhere_is_refused_in_the_same_words(store, audit, clock, ada):
    eve = await admin_of(store, audit, clock, "Eve", workspace=await make_workspace(store, "sales"))
    for change in (CHANGES["role"], CHANGES["remove"], CHANGES["link"], CHANGES["end"]):
        with pytest.raises(NotHere) as elsewhere:
            await change(ada, eve.person)
        with pytest.raises(NotHere) as nowhere:
            await change(ada, type(eve.person)(*["none"] * 7))
        assert str(elsewhere.value) == str(nowhere.value)


# ---- the last Admin


async def test_the_last_admin_is_neither_made_less_nor_removed(store, ada, dev):
    for change in (
        change_role(ada, ada.person.user_id, Role.MEMBER, by_link),
        remove_member(ada, ada.person.user_id),
    ):
        with pytest.raises(LastAdmin, match="Make somebody else an Admin first"):
            await change
    assert await roles_of(store) == {"Ada": "admin", "Dev": "developer"}
    await change_role(ada, dev.person.user_id, Role.ADMIN, by_link)
    await change_role(ada, ada.person.user_id, Role.MEMBER, by_link)
    assert await roles_of(store) == {"Ada": "member", "Dev": "admin"}


@pytest.mark.parametrize("act", ["demote", "remove"])
async def test_who_never_came_by_their_link_is_no_other_admin_once_it_is_over(store, clock, ada, act):
    """As the first start's, which nobody has used."""

    async def give_up():
        if act == "remove":
            return await remove_member(ada, ada.person.user_id)
        return await change_role(ada, ada.person.user_id, Role.MEMBER, by_link)

    await make_link(store, now=clock)
    clock.forward(minutes=16)
    with pytest.raises(LastAdmin):
        await give_up()
    await make_link(store, now=clock)
    await give_up()
    assert (await roles_of(store)).get("Ada") == ("member" if act == "demote" else None)


async def test_who_came_by_their_link_is_another_admin_also_when_signed_out(store, clock, ada):
    user_id, slug = await use_link(store, await make_link(store, now=clock), now=clock)
    sessions = Sessions(store, now=clock)
    await sessions.end(session_id_of(await sessions.open(user_id, slug, device="", address="")))
    clock.forward(minutes=16)
    await change_role(ada, ada.person.user_id, Role.MEMBER, by_link)
    assert await roles_of(store) == {"Admin": "admin", "Ada": "member"}


async def test_an_admin_elsewhere_is_none_for_this_workspace(store, audit, clock, ada):
    await admin_of(store, audit, clock, "Eve", workspace=await make_workspace(store, "sales"))
    with pytest.raises(LastAdmin):
        await remove_member(ada, ada.person.user_id)


@pytest.mark.parametrize("act", ["demote", "remove"])
async def test_of_two_admins_who_want_each_other_out_at_the_same_moment_one_stays(
    store, other_store, audit, clock, act
):
    """By two connections; whoever is second is no Admin any more."""
    for round_ in range(6):
        ada = await admin_of(store, audit, clock, f"Ada {round_}")
        bob = await admin_of(store, audit, clock, f"Bob {round_}")
        for each in [name for name in await roles_of(store) if not name.endswith(str(round_))]:
            await members.set_role(store, await members.find_or_create(store, each), "default", Role.MEMBER)
        bob = type(bob)(other_store, bob.audit, bob.person, bob.address, bob.now)

        def change(by, whom):
            if act == "remove":
                return remove_member(by, whom.person.user_id)
            return change_role(by, whom.person.user_id, Role.MEMBER, by_link)

        outcomes = await asyncio.gather(change(ada, bob), change(bob, ada), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes if isinstance(outcome, Exception)] == [NotAdmin]
        assert list((await roles_of(store)).values()).count("admin") == 1


@pytest.mark.parametrize("act", ["demote", "remove"])
async def test_of_two_admins_who_give_up_at_the_same_moment_one_stays(store, other_store, audit, clock, act):
    for round_ in range(6):
        ada = await admin_of(store, audit, clock, f"Ada {round_}")
        bob = await admin_of(store, audit, clock, f"Bob {round_}")
        for each in [name for name in await roles_of(store) if not name.endswith(str(round_))]:
            await members.set_role(store, await members.find_or_create(store, each), "default", Role.MEMBER)
        bob = type(bob)(other_store, bob.audit, bob.person, bob.address, bob.now)

        def give_up(by):
            if act == "remove":
                return remove_member(by, by.person.user_id)
            return change_role(by, by.person.user_id, Role.DEVELOPER, by_link)

        outcomes = await asyncio.gather(give_up(ada), give_up(bob), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes if isinstance(outcome, Exception)] == [LastAdmin]
        assert list((await roles_of(store)).values()).count("admin") == 1


async def test_whoever_is_being_demoted_waits_and_then_changes_nothing(store, other_store, ada, bob, dev):
    late = type(bob)(other_store, bob.audit, bob.person, bob.address, bob.now)
    async with ada.changing() as change:
        await members.put_role(
            change.session, bob.person.user_id, change.workspace_id, Role.MEMBER, now_ms=change.now_ms
        )
        waiting = asyncio.create_task(end_session(late, dev.person.session_id))
        async with other_store.session() as reading:  # it has had time to begin
            await reading.exec(select(Session))
    with pytest.raises(NotAdmin):
        await waiting
    assert all(session.ended_at is None for session in await rows(store, Session))


# ---- removal, sessions, links


async def test_who_is_removed_has_no_session_and_no_link_here_and_what_is_elsewhere_stays(
    store, audit, clock, ada, bob
):
    elsewhere = await admin_of(store, audit, clock, "Bob", workspace=await make_workspace(store, "sales"))
    here, there = [await make_link(store, name="Bob", workspace=slug, now=clock) for slug in ("default", "sales")]
    _, token, _ = await invitations.invite(bob, Role.MEMBER, "New")
    assert await remove_member(ada, bob.person.user_id) == [bob.person.session_id]
    sessions = Sessions(store, now=clock)
    assert await sessions.person(bob.person.session_id) is None
    assert (await sessions.person(elsewhere.person.session_id)).name == "Bob"
    with pytest.raises(Exception, match="has been used or has expired"):
        await use_link(store, here, now=clock)
    assert await use_link(store, there, now=clock) == (bob.person.user_id, "sales")
    with pytest.raises(InvitationUsed):
        await invitations.look(store, token, now=clock)
    assert [(entry.action, entry.subject, json.loads(entry.detail)) for entry in (await entries(store))[-3:]] == [
        ("role", "Bob", {"from": "admin", "to": "none"}),
        ("session_end", "Bob", {"reason": "removed", "ended": 1}),
        ("invitation", "New", {"reason": "revoked", "role": "member"}),
    ]


async def test_one_session_is_ended_and_others_of_the_person_go_on(store, ada, dev, clock, audit):
    second = await admin_of(store, audit, clock, "Dev", role=Role.DEVELOPER)
    await end_session(ada, dev.person.session_id)
    await end_session(ada, dev.person.session_id)
    sessions = Sessions(store, now=clock)
    assert await sessions.person(dev.person.session_id) is None
    assert (await sessions.person(second.person.session_id)).name == "Dev"
    (entry,) = await entries(store)
    assert (entry.action, entry.subject) == ("session_end", "Dev")
    assert json.loads(entry.detail)["session"] == dev.person.session_id


async def test_a_link_for_a_member_signs_in_that_member_as_what_they_are(store, ada, dev, clock):
    token, until = await make_member_link(ada, dev.person.user_id, by_link)
    assert (until - clock()).total_seconds() == 15 * 60
    assert await use_link(store, token, now=clock) == (dev.person.user_id, "default")
    assert (await roles_of(store))["Dev"] == "developer"
    (entry,) = await entries(store)
    assert (entry.action, entry.person, entry.subject) == ("sign_in_link", "Ada", "Dev")


async def test_a_link_is_over_after_fifteen_minutes(store, ada, dev, clock):
    token, _ = await make_member_link(ada, dev.person.user_id, by_link)
    clock.forward(minutes=15)
    with pytest.raises(Exception, match="has been used or has expired"):
        await use_link(store, token, now=clock)


async def test_there_is_no_link_for_who_comes_by_a_provider(store, ada, dev):
    with pytest.raises(NoLinkFor, match="Dev signs in with Company") as refused:
        await make_member_link(ada, dev.person.user_id, lambda _key: Provenance("Company"))
    assert refused.value.code == "by_provider"
    assert await rows(store, SignInLink) == []


async def test_no_admin_gets_a_link_that_would_open_another_workspace_too(store, ada, dev):
    await members.set_role(store, dev.person.user_id, await make_workspace(store, "sales"), Role.ADMIN)
    with pytest.raises(NoLinkFor, match="belongs to other workspaces too") as refused:
        await make_member_link(ada, dev.person.user_id, by_link)
    assert refused.value.code == "elsewhere"
    assert await rows(store, SignInLink) == []


# ---- who is here


async def test_the_list_has_everybody_with_the_sessions_that_run(store, audit, clock, ada, dev):
    clock.forward(hours=13)
    again = await admin_of(store, audit, clock, "Dev", role=Role.DEVELOPER)
    await admin_of(store, audit, clock, "Eve", workspace=await make_workspace(store, "sales"))
    never = await members.find_or_create(store, "Zoe")
    await members.set_role(store, never, "default", Role.MEMBER)
    found = await members_of(store, "default", now=clock)
    assert [(each.name, each.role, len(each.sessions)) for each in found] == [
        ("Ada", "admin", 0),
        ("Dev", "developer", 1),
        ("Zoe", "member", 0),
    ]
    assert [session.id for session in found[1].sessions] == [again.person.session_id]
    assert found[1].sessions[0].device == "Firefox"
    assert found[0].last_seen == found[1].last_seen - 13 * 3_600_000
    assert found[2].last_seen is None
