"""People are found again by their name, and have one role in a workspace until it is changed or taken."""

import asyncio

import pytest
from sqlmodel import select

from livemon.access import members
from livemon.access.errors import AccessError, BadName, UnknownUser, UnknownWorkspace
from livemon.access.roles import Role
from livemon.store.tables import Membership, User


async def roles(store) -> dict[str, str]:
    async with store.session() as session:
        return {each.user_id: each.role for each in (await session.exec(select(Membership))).all()}


async def test_a_new_name_is_a_new_person_and_the_same_name_the_same(store):
    ada = await members.find_or_create(store, "Ada Lovelace", email="ada@example.org")
    assert await members.find_or_create(store, "  ada \t LOVELACE ") == ada
    assert await members.find_or_create(store, "Ada") != ada
    async with store.session() as session:
        found = await session.get(User, ada)
    assert (found.name, found.email) == ("Ada Lovelace", "ada@example.org")


async def test_many_who_ask_for_a_new_name_at_once_get_one_person(store, other_store):
    asked = [members.find_or_create(each, "Ada") for each in (store, other_store) * 20]
    assert len(set(await asyncio.gather(*asked))) == 1


@pytest.mark.parametrize("name", ["", " \n ", "x" * 101, "Ada\0", "Ada\u202egnp", "\ud800"])
async def test_a_name_that_nobody_can_have_is_refused(store, name):
    with pytest.raises(BadName, match="choose another name") as refused:
        await members.find_or_create(store, name)
    assert isinstance(refused.value, AccessError)


async def test_a_name_may_be_in_any_script(store):
    assert await members.find_or_create(store, "李小龍") == await members.find_or_create(store, "李小龍")


async def test_a_member_has_the_role_that_was_set_last(store):
    ada = await members.find_or_create(store, "Ada")
    await members.set_role(store, ada, "default", Role.MEMBER)
    await members.set_role(store, ada, "default", Role.DEVELOPER)
    assert await roles(store) == {ada: "developer"}


async def test_who_is_removed_is_no_member_and_others_are(store):
    ada, bob = [await members.find_or_create(store, name) for name in ("Ada", "Bob")]
    for each in (ada, bob):
        await members.set_role(store, each, "default", Role.ADMIN)
    await members.remove(store, ada, "default")
    await members.remove(store, ada, "default")
    assert await roles(store) == {bob: "admin"}


async def test_a_workspace_that_is_not_there_is_refused_with_its_name(store):
    ada = await members.find_or_create(store, "Ada")
    for change in (members.set_role(store, ada, "sales", Role.ADMIN), members.remove(store, ada, "sales")):
        with pytest.raises(UnknownWorkspace, match="'sales'"):
            await change


async def test_a_person_who_is_not_there_gets_no_role(store):
    with pytest.raises(UnknownUser, match="'nobody'"):
        await members.set_role(store, "nobody", "default", Role.ADMIN)
    assert await roles(store) == {}
