"""A site of the test's own, on the shared Valkey; for tests of signing in a database, and a provider that all share."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from livemon.access.sessions import Sessions
from livemon.store.audit.log import AuditLog
from livemon.store.store import Store
from tests.api.site import Site, site
from tests.open_id import OpenId, open_id, reset


@pytest.fixture
async def livemon_site(valkey_url: str, valkey: Redis, tmp_path: Path, made_database: Path) -> AsyncIterator[Site]:
    shutil.copy(made_database, tmp_path)
    async with site(valkey_url, tmp_path, valkey) as running:
        yield running


@pytest.fixture
async def two_workspaces(valkey_url: str, valkey: Redis, tmp_path: Path) -> AsyncIterator[Site]:
    """The same with a second workspace, `site.other`, on the same node."""
    async with site(valkey_url, tmp_path, valkey, two=True) as running:
        yield running


@pytest.fixture
async def store(tmp_path: Path, made_database: Path) -> AsyncIterator[Store]:
    shutil.copy(made_database, tmp_path)
    store = Store(f"sqlite:///{tmp_path}/livemon.db")
    await store.open()
    yield store
    await store.close()


@pytest.fixture
def sessions(store: Store) -> Sessions:
    return Sessions(store)


@pytest.fixture(scope="session")
def own_server() -> Iterator[OpenId]:
    with open_id() as provider:
        yield provider


@pytest.fixture
def own(own_server: OpenId) -> OpenId:
    """A provider of the tests' own, as good as new."""
    return reset(own_server)


@pytest.fixture
async def audit(store: Store, tmp_path: Path) -> AuditLog:
    """The store's log, open."""
    log = AuditLog(store, tmp_path / "audit.key")
    await log.open()
    return log
