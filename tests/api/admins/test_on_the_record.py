"""Who comes in by a provider is written down in the same step: where that cannot be, nobody came and nothing is changed."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from livemon.store.audit.acts import Action
from livemon.store.audit.errors import NotRecorded
from livemon.store.tables import Membership, Session, User
from tests.access.administering import make_workspace, roles_of
from tests.api.admins.people import invite, join, recorded, rows, signed_in, who
from tests.api.sign_on import Browser, browser, problem

MAPPED = {"admins": "bosses", "developers": "makers"}


@pytest.fixture
def unwritable(audit, monkeypatch):
    """Within the block the log takes no entry, or none of this action."""

    @contextmanager
    def unwritable(action: Action | None = None) -> Iterator[None]:
        add = audit.add

        async def fails(session, act):
            if action in (None, act.action):
                raise NotRecorded("for the test")
            await add(session, act)

        with monkeypatch.context() as patch:
            patch.setattr(audit, "add", fails)
            yield

    return unwritable


async def test_of_somebody_new_nothing_stays_and_they_come_in_once_the_log_is_back(
    store, app, new, own, audit, unwritable
):
    with unwritable():
        assert problem(await Browser(new).sign_in(own)) == "store"
    assert await who(new) is None
    for table in (User, Membership, Session):
        assert await rows(store, table) == []
    assert problem(await Browser(new).sign_in(own)) is None
    assert await roles_of(store) == {"Ada": "member"}
    assert await recorded(audit, store) == [("sign_in", "done", "Ada", "", {"by": "own"})]


@pytest.mark.parametrize("action", [Action.ROLE, Action.SIGN_IN])
async def test_a_role_that_the_claims_change_stays_with_the_sign_in(store, app_with, own, audit, unwritable, action):
    app = app_with(**MAPPED)
    first, second = browser(app), browser(app)
    async with first.client, second.client:
        own.claims |= {"groups": ["makers"]}
        await first.sign_in(own)
        own.claims |= {"groups": ["bosses"], "name": "Ada the Great"}
        with unwritable(action):
            assert problem(await second.sign_in(own)) == "store"
        assert await first.who() == "Ada, developer"
        assert await second.who() is None
    assert await roles_of(store) == {"Ada": "developer"}
    assert len(await rows(store, Session)) == 1
    assert await recorded(audit, store) == [("sign_in", "done", "Ada", "", {"by": "own"})]


@pytest.mark.parametrize("action", [Action.INVITATION, Action.SIGN_IN])
async def test_an_invitation_stays_good(store, app, ada, new, own, unwritable, action):
    token = await invite(ada)
    with unwritable(action):
        assert problem(await join(new, own, token)) == "store"
    assert await who(new) is None
    assert await roles_of(store) == {"Chief": "admin"}
    assert [user.name for user in await rows(store, User)] == ["Chief"]
    assert problem(await join(new, own, token)) is None
    assert await who(new) == "Ada, developer"


async def test_who_would_be_shut_out_is_not_until_that_can_be_recorded(store, app_with, own, unwritable):
    made = browser(app_with(**MAPPED, unmapped="refuse"))
    async with made.client:
        own.claims |= {"groups": ["makers"]}
        await made.sign_in(own)
        own.claims |= {"groups": []}
        with unwritable():
            assert problem(await made.sign_in(own)) == "store"
        assert await roles_of(store) == {"Ada": "developer"}
        assert problem(await made.sign_in(own)) == "not_admitted"
        assert await roles_of(store) == {}


async def test_who_comes_back_to_where_they_were_invited_has_no_session_without_the_record(
    store, app_with, own, unwritable
):
    """The provider's claims give them no role; their workspace is another."""
    app = app_with(unmapped="refuse")
    eve = await signed_in(app, store, "Eve", workspace=await make_workspace(store, "sales"))
    made = browser(app)
    async with made.client:
        await join(made.client, own, await invite(eve))
        await made.client.post("/sign-out")
        before = len(await rows(store, Session))
        with unwritable():
            assert problem(await made.sign_in(own)) == "store"
        assert len(await rows(store, Session)) == before
        assert problem(await made.sign_in(own)) is None
        assert await made.who() == "Ada, developer"
