"""An open store, on a database of each kind."""

from collections.abc import AsyncIterator

import pytest

from livemon.store.store import Store


@pytest.fixture
def url(database_url: str) -> str:
    return database_url


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    store = Store(url)
    await store.open()
    yield store
    await store.close()
