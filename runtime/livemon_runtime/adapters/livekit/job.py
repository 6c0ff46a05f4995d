"""A `Runtime` that lives as long as LiveKit's job: an entrypoint returns while its session goes on."""

import asyncio
from typing import Any
from weakref import WeakKeyDictionary

from livekit.agents import JobContext, get_job_context

from ...errors import LivemonError
from ...runtime import Runtime

_RUNTIMES: WeakKeyDictionary[JobContext, Runtime] = WeakKeyDictionary()


class NotInJob(LivemonError, RuntimeError):
    """`job_runtime` was called outside of a job's entrypoint."""

    def __init__(self) -> None:
        super().__init__(
            "job_runtime() is for a job's entrypoint, and this is none: use «async with Runtime(…) as runtime:» around the "
            "session instead, and give that to watch()"
        )


def job_runtime(url: str = "redis://127.0.0.1:6379/0", *, name: str, **options: Any) -> Runtime:
    """The job's `Runtime` (same arguments), started now and stopped when the job shuts down; asked again, the same one.

    Raises `NotInJob`, and what `Runtime` raises.
    """
    context = get_job_context(required=False)
    if context is None:
        raise NotInJob
    if (known := _RUNTIMES.get(context)) is not None:
        return known
    runtime = _RUNTIMES[context] = Runtime(url, name=name, **options)
    stopping = asyncio.Event()
    running = asyncio.create_task(_run(runtime, stopping), name="livemon")

    async def stop() -> None:
        stopping.set()
        await running

    context.add_shutdown_callback(stop)
    return runtime


async def _run(runtime: Runtime, stopping: asyncio.Event) -> None:
    async with runtime:
        await stopping.wait()
