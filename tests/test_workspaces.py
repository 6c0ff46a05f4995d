"""A node's workspaces: each that the store names, from whenever it does, and none the worse for what happens to others."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from livemon.access.workspaces import add_workspace
from livemon.redis_client import connect
from livemon.store.errors import StoreAway
from livemon.store.store import Store
from livemon.store.tables import Workspace as Row
from livemon.workspace import Workspace
from livemon.workspaces import Workspaces
from tests.calls.live_part import running, until


@pytest.fixture
async def store(tmp_path) -> AsyncIterator[Store]:
    store = Store(f"sqlite:///{tmp_path}/livemon.db")
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def nodes(store: Store, valkey_url: str) -> AsyncIterator[Workspaces]:
    redis = connect(valkey_url)
    yield Workspaces(store, lambda slug: Workspace(slug, redis, "node-1"), look_s=0.02)
    await redis.aclose()


def is_live(workspaces: Workspaces, *slugs: str) -> bool:
    return all(slug in workspaces.live and workspaces.live[slug].calls.state.state == "live" for slug in slugs)


async def test_what_is_made_later_runs_beside_what_was_there(store: Store, nodes: Workspaces):
    await nodes.open()
    assert set(nodes.live) == {"default"}
    async with running(nodes.run()):
        await until(lambda: is_live(nodes, "default"))
        first = nodes.live["default"]
        await add_workspace(store, "other")
        await until(lambda: is_live(nodes, "default", "other"))
        assert nodes.live["default"] is first
    assert {one.calls.state.state for one in nodes.live.values()} == {"stale"}, "they end with it"


async def test_while_the_store_is_away_all_goes_on_and_afterwards_the_new_ones_come(
    store: Store, nodes: Workspaces, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    await nodes.open()
    looked, slugs = 0, store.workspaces

    async def away() -> list[str]:
        nonlocal looked
        looked += 1
        raise StoreAway("frozen", committing=False, look_at="the database")

    async with running(nodes.run()):
        await until(lambda: is_live(nodes, "default"))
        monkeypatch.setattr(store, "workspaces", away)
        await until(lambda: looked > 3)
        assert is_live(nodes, "default")
        monkeypatch.setattr(store, "workspaces", slugs)
        await add_workspace(store, "other")
        await until(lambda: is_live(nodes, "default", "other"))
    assert capfd.readouterr().out.count("before the store is back") == 1


async def test_a_row_that_nobody_can_use_ends_nothing(store: Store, nodes: Workspaces):
    await nodes.open()
    async with store.session() as session:
        session.add(Row(id="1", slug="By Hand", name="By hand", created_at=0))
        await session.commit()
    await add_workspace(store, "other")
    async with running(nodes.run()):
        await until(lambda: is_live(nodes, "default", "other"))
    assert set(nodes.live) == {"default", "other"}


async def test_one_whose_redis_is_away_keeps_none_from_coming(store: Store, valkey_url: str):
    away, there = connect("redis://127.0.0.1:1"), connect(valkey_url)
    nodes = Workspaces(store, lambda slug: Workspace(slug, there if slug == "other" else away, "node-1"), look_s=0.02)
    await nodes.open()
    async with running(nodes.run()):
        await asyncio.sleep(0)
        await add_workspace(store, "other")
        await until(lambda: is_live(nodes, "other"))
        assert not is_live(nodes, "default")
    for redis in (away, there):
        await redis.aclose()
