"""A sign-in link lets one browser in, once, in time; what it lets in is decided in the store."""

import asyncio
import json
import re
from datetime import timedelta
from hashlib import sha256

import pytest
from sqlmodel import select

from livemon.access import invitations, members
from livemon.access.errors import BadName, LinkUsed, UnknownWorkspace
from livemon.access.links import admin_has_signed_in, make_link, sign_in_url, use_link
from livemon.access.roles import Role
from livemon.access.sessions import Sessions
from livemon.store.tables import SignInLink
from tests.access.administering import admin_of, entries, make_workspace


async def enter(store, clock, token):
    """The person whom the link lets in."""
    sessions = Sessions(store, now=clock)
    user_id, workspace = await use_link(store, token, now=clock)
    return await sessions.find(await sessions.open(user_id, workspace, device="", address=""))


async def test_the_first_link_is_the_admins(store, clock):
    person = await enter(store, clock, await make_link(store, now=clock))
    assert (person.name, person.role, person.workspace) == ("Admin", Role.ADMIN, "default")


async def test_a_link_is_for_the_one_whom_it_names(store, clock):
    first = await enter(store, clock, await make_link(store, name="Bob", role=Role.MEMBER, now=clock))
    second = await enter(store, clock, await make_link(store, name="bob", role=Role.DEVELOPER, now=clock))
    assert (first.name, first.role) == ("Bob", Role.MEMBER)
    assert (second.user_id, second.name, second.role) == (first.user_id, "Bob", Role.DEVELOPER)


async def test_a_link_works_once(store, clock):
    token = await make_link(store, now=clock)
    await use_link(store, token, now=clock)
    with pytest.raises(LinkUsed):
        await use_link(store, token, now=clock)


async def test_of_fifty_at_once_through_two_nodes_one_gets_in(store, other_store, clock):
    for _ in range(5):
        token = await make_link(store, now=clock)
        tries = [use_link(each, token, now=clock) for each in (store, other_store) * 25]
        answers = await asyncio.gather(*tries, return_exceptions=True)
        assert [type(answer) for answer in answers].count(tuple) == 1
        assert [type(answer) for answer in answers].count(LinkUsed) == 49


async def test_a_link_works_until_its_time_is_up_and_not_after(store, clock):
    in_time, late = [await make_link(store, now=clock) for _ in range(2)]
    clock.forward(minutes=14, seconds=59)
    await use_link(store, in_time, now=clock)
    clock.forward(seconds=1)
    with pytest.raises(LinkUsed):
        await use_link(store, late, now=clock)


async def test_a_link_may_have_another_time(store, clock):
    token = await make_link(store, ttl=timedelta(days=2), now=clock)
    clock.forward(days=1, hours=23)
    assert await use_link(store, token, now=clock)


@pytest.mark.parametrize("token", ["", "no-such-link", "x" * 100_000, "\ud800", "ä", "' OR 1=1 --"])
async def test_what_is_no_link_lets_nobody_in(store, clock, token):
    await make_link(store, now=clock)
    with pytest.raises(LinkUsed):
        await use_link(store, token, now=clock)


async def test_used_expired_and_unknown_are_refused_with_the_same_words(store, clock):
    used, expired = [await make_link(store, now=clock) for _ in range(2)]
    await use_link(store, used, now=clock)
    clock.forward(hours=1)
    words = set()
    for token in (used, expired, "unknown"):
        with pytest.raises(LinkUsed) as refused:
            await use_link(store, token, now=clock)
        words.add(str(refused.value))
    assert len(words) == 1


async def test_the_store_knows_no_token(store, clock):
    token = await make_link(store, now=clock)
    async with store.session() as session:
        (link,) = (await session.exec(select(SignInLink))).all()
    assert link.id == sha256(token.encode()).hexdigest()
    assert token not in repr(link)
    with pytest.raises(LinkUsed):
        await use_link(store, link.id, now=clock)


async def test_tokens_are_long_random_and_fit_for_an_address(store, clock):
    tokens = {await make_link(store, now=clock) for _ in range(20)}
    assert len(tokens) == 20
    assert all(re.fullmatch(r"[\w-]{43,}", token, re.ASCII) for token in tokens)


async def test_a_role_taken_away_before_the_link_is_used_stays_taken_away(store, clock):
    token = await make_link(store, name="Bob", role=Role.ADMIN, now=clock)
    bob = await members.find_or_create(store, "Bob")
    await members.set_role(store, bob, "default", Role.MEMBER)
    assert (await enter(store, clock, token)).role is Role.MEMBER


async def test_who_was_removed_is_not_let_in_by_an_older_link(store, clock):
    token = await make_link(store, name="Bob", now=clock)
    bob = await members.find_or_create(store, "Bob")
    await members.remove(store, bob, "default")
    await members.set_role(store, bob, "default", Role.MEMBER)  # and came back
    with pytest.raises(LinkUsed):
        await use_link(store, token, now=clock)


async def test_whoever_took_the_name_before_does_not_become_what_the_link_makes_of_it(store, audit, clock):
    """Somebody has joined by that name, and holds a session and a link; it is the link's person who becomes more."""
    sales = await make_workspace(store, "sales")
    sessions, bob = Sessions(store, now=clock), await members.find_or_create(store, "Bob")
    await members.set_role(store, bob, "default", Role.MEMBER)
    squatted = await sessions.open(bob, "default", device="", address="")
    older = await make_link(store, name="Bob", role=Role.MEMBER, now=clock)
    assert await sessions.find(squatted), "a link that makes nobody more ends nothing"
    person = await enter(store, clock, await make_link(store, name="bob", workspace=sales, audit=audit, now=clock))
    assert (person.user_id, person.role, person.workspace) == (bob, Role.ADMIN, sales)
    assert await sessions.find(squatted) is None
    with pytest.raises(LinkUsed):
        await use_link(store, older, now=clock)
    said = [(one.action, one.workspace, one.subject) for one in await entries(store)]
    assert said == [("session_end", "default", "Bob"), ("sign_in_link", "sales", "bob")]


@pytest.mark.parametrize(("role", "ended"), [(Role.ADMIN, True), (Role.DEVELOPER, False), (Role.MEMBER, False)])
async def test_a_link_that_gives_a_higher_role_signs_out_whoever_is_in_by_that_name(store, clock, role, ended):
    bob = await enter(store, clock, await make_link(store, name="Bob", role=Role.DEVELOPER, now=clock))
    await make_link(store, name="Bob", role=role, now=clock)
    assert (await Sessions(store, now=clock).person(bob.session_id) is None) is ended


async def test_a_link_that_makes_an_admin_less_revokes_their_invitations_on_the_record(store, audit, clock):
    bob = await admin_of(store, audit, clock, "Bob")
    await invitations.invite(bob, Role.ADMIN, "Mine")
    await make_link(store, name="Bob", role=Role.MEMBER, audit=audit, now=clock)
    assert await invitations.open_invitations(store, "default", now=clock) == []
    last = (await entries(store))[-1]
    assert (last.action, last.person, last.subject, json.loads(last.detail)) == (
        "invitation",
        "",
        "Mine",
        {"reason": "revoked", "role": "admin"},
    )


async def test_links_long_over_are_forgotten(store, clock):
    await make_link(store, now=clock)
    clock.forward(days=31)
    await make_link(store, now=clock)
    async with store.session() as session:
        assert len((await session.exec(select(SignInLink))).all()) == 1


async def test_no_link_is_made_for_a_name_or_a_workspace_that_cannot_be(store, clock):
    with pytest.raises(BadName):
        await make_link(store, name="", now=clock)
    with pytest.raises(UnknownWorkspace):
        await make_link(store, workspace="sales", now=clock)


async def test_an_admin_has_signed_in_once_there_was_a_session_of_one(store, clock):
    token = await make_link(store, now=clock)
    await enter(store, clock, await make_link(store, name="Bob", role=Role.DEVELOPER, now=clock))
    assert not await admin_has_signed_in(store)
    admin = await enter(store, clock, token)
    await Sessions(store, now=clock).end(admin.session_id)
    assert await admin_has_signed_in(store)


def test_the_token_stands_where_no_server_sees_it():
    assert sign_in_url("https://calls.example.com/base/", "abc") == "https://calls.example.com/base/sign-in#token=abc"
