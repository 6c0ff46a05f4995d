"""Keys in either database: who may make one is asked where it is made, and the limit holds whoever is at it at once."""

import asyncio

import pytest
from sqlmodel import col, select

from livemon.access import api_keys, members
from livemon.access.administration import Administration
from livemon.access.api_keys import WantedKey, keys_of, make_key, revoke_key
from livemon.access.errors import NotAdmin, TooManyKeys, UnknownKey
from livemon.access.roles import Role
from livemon.access.sessions import session_id_of
from livemon.store.tables import ApiKey, AuditEntry, Workspace

WANTED = WantedKey("Wallboard", ["watch"], 30)


@pytest.fixture
async def ada(sessions, sign_in):
    return await sessions.find(await sign_in())


async def recorded(store) -> list[str]:
    async with store.session() as session:
        keys = select(AuditEntry.subject).where(AuditEntry.action == "api_key").order_by(col(AuditEntry.seq))
        return list((await session.exec(keys)).all())


async def stored(store) -> list[ApiKey]:
    async with store.session() as session:
        return list((await session.exec(select(ApiKey))).all())


async def demoted(store, sessions, sign_in, ada) -> None:
    await members.set_role(store, ada.user_id, "default", Role.DEVELOPER)


async def removed(store, sessions, sign_in, ada) -> None:
    await members.remove(store, ada.user_id, "default")


async def ended(store, sessions, sign_in, ada) -> None:
    await sessions.end(ada.session_id)


@pytest.mark.parametrize("what", [demoted, removed, ended])
async def test_who_was_an_admin_a_moment_ago_makes_and_revokes_nothing(
    store, sessions, sign_in, audit, clock, ada, what
):
    made = await make_key(Administration(store, audit, ada, "", clock), WANTED)
    await what(store, sessions, sign_in, ada)
    with pytest.raises(NotAdmin):
        await make_key(Administration(store, audit, ada, "", clock), WANTED)
    with pytest.raises(NotAdmin):
        await revoke_key(Administration(store, audit, ada, "", clock), made.id)
    assert [key.revoked_at for key in await stored(store)] == [None]
    assert await recorded(store) == ["Wallboard"]


async def test_a_session_that_has_expired_makes_nothing(store, audit, clock, ada):
    clock.forward(days=8)
    with pytest.raises(NotAdmin):
        await make_key(Administration(store, audit, ada, "", clock), WANTED)
    assert await stored(store) == []


async def test_an_admin_of_one_workspace_is_none_of_another(store, sessions, sign_in, audit, clock, ada):
    made = await make_key(Administration(store, audit, ada, "", clock), WANTED)
    async with store.session() as session:
        session.add(Workspace(id="w2", slug="other", name="Other", created_at=0))
        await session.commit()
    user_id = await members.find_or_create(store, "Bob")
    await members.set_role(store, user_id, "other", Role.ADMIN)
    cookie = await sessions.open(user_id, "other", device="", address="")
    bob = await sessions.person(session_id_of(cookie))
    with pytest.raises(UnknownKey):
        await revoke_key(Administration(store, audit, bob, "", clock), made.id)
    other = await make_key(Administration(store, audit, bob, "", clock), WantedKey("Bob's", ["watch"], 1))
    assert [(key.id, maker) for key, maker in await keys_of(store, "default", now=clock)] == [(made.id, "Ada")]
    assert [(key.id, maker) for key, maker in await keys_of(store, "other", now=clock)] == [(other.id, "Bob")]


async def test_of_many_made_at_once_at_several_nodes_no_more_than_the_limit_are(
    store, other_store, audit, clock, ada, monkeypatch
):
    monkeypatch.setattr(api_keys, "MOST", 5)
    makes = [
        make_key(Administration(each, audit, ada, "", clock), WANTED) for each in (store, other_store) for _ in "12345"
    ]
    made = await asyncio.gather(*makes, return_exceptions=True)
    assert [type(each) for each in made if isinstance(each, BaseException)] == [TooManyKeys] * 5
    assert len(await stored(store)) == len(await recorded(store)) == 5


async def test_a_key_revoked_by_many_at_once_is_recorded_once(store, other_store, audit, clock, ada):
    made = await make_key(Administration(store, audit, ada, "", clock), WANTED)
    revokes = [
        revoke_key(Administration(each, audit, ada, "", clock), made.id) for each in (store, other_store) for _ in "123"
    ]
    await asyncio.gather(*revokes)
    assert await recorded(store) == ["Wallboard"] * 2
