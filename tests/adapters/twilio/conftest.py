"""What these tests share with those of the runtime."""

import pytest

from tests.runtime.conftest import livemon, runtime

__all__ = ["livemon", "runtime"]


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livemon_runtime.heartbeat.HEARTBEAT_S", 0.3)
