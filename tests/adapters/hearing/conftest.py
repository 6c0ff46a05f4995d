from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from livemon_runtime.adapters.hearing.pocketsphinx import PocketsphinxEngine

from .telephone import GENEROUS_S


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy with other tests is waited for; what happens without that has tests of its own."""
    monkeypatch.setattr("livemon_runtime.adapters.hearing.ear.CLOSE_S", GENEROUS_S)


@pytest_asyncio.fixture
async def engine() -> AsyncIterator[PocketsphinxEngine]:
    engine = PocketsphinxEngine(processes=2)
    yield engine
    await engine.close()
