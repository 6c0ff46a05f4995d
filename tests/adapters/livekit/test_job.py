"""A runtime that lives as long as LiveKit's job. The job is a stand-in: a worker's needs a server."""

from collections.abc import Callable
from typing import Any

import pytest
from livekit.agents.job import _JobContextVar

from livemon_runtime.adapters.livekit import NotInJob, job_runtime
from tests.adapters.livekit.test_record import reason
from tests.runtime.conftest import Livemon, eventually


class Job:
    def __init__(self) -> None:
        self.callbacks: list[Callable[[], Any]] = []

    def is_fake_job(self) -> bool:
        return False

    def add_shutdown_callback(self, callback: Callable[[], Any]) -> None:
        self.callbacks.append(callback)


def test_outside_of_a_job_it_says_what_to_do_instead() -> None:
    with pytest.raises(NotInJob, match="async with Runtime"):
        job_runtime("redis://127.0.0.1:6379", name="front-desk")


async def test_it_runs_at_once_is_one_a_job_and_ends_its_calls_when_the_job_does(
    livemon: Livemon, valkey_url: str
) -> None:
    job = Job()
    _JobContextVar.set(job)  # type: ignore[arg-type]
    runtime = job_runtime(valkey_url, name="front-desk")
    assert job_runtime(valkey_url, name="front-desk") is runtime
    runtime.call(call_id="c-1")
    await eventually(lambda: livemon.call("c-1"))
    (shut_down,) = job.callbacks
    await shut_down()
    assert await reason(livemon, "agent_hangup")
    assert not await livemon.listed()
