"""A site of the test's own, on the shared Valkey."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from tests.api.site import Site, site


@pytest.fixture
async def livemon_site(valkey_url: str, valkey: Redis, tmp_path: Path) -> AsyncIterator[Site]:
    async with site(valkey_url, tmp_path, valkey) as running:
        yield running
