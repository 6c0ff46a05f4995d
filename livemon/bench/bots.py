"""The bots of `livemon bench sdk`, in a process of their own: a loop that speaks, and every word of it goes to the SDK.

As a module it is that process: an `Order` as JSON in, a `Report` as JSON out. Nothing else runs in it, so that what it costs
with livemon beyond what it costs without is livemon.
"""

import asyncio
import contextlib
import gc
import json
import logging
import resource
import sys
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from livemon.bench.figures import percentile
from livemon.bench.listen import tone_packets
from livemon_runtime import Audio, Runtime

RUNTIME_ID = "bench-bots"
TICK_S = 0.02
PARTIAL_TICKS, TURN_TICKS, TOOL_TICKS, LIFE_TICKS = 5, 150, 500, 500
"""A partial every 100 ms, a turn of 3 s, a tool every 10 s; a call that is replaced lives for 10 s."""
APART_S = 0.10371
"""Calls begin so long one after the other, so that no two have their packets at the same moment."""
WARM_UP_S = 2.0
SPEAKING = b"speaking"
"""The process's first line."""

_SENTENCE = "Yes, I can move that for you: we have something on Tuesday at ten past nine, would that be all right?"


@dataclass(frozen=True)
class Order:
    """`calls` of them speak for `seconds`; without `url`, without livemon. `times`: measure each call of the SDK."""

    url: str
    calls: int
    seconds: float
    times: bool = False
    name: str = ""
    """The lasting calls are named after it; no two orders have the same."""

    @property
    def lasting(self) -> int:
        """So many of the calls last; where times are taken the others end, and new ones begin in their places."""
        return (self.calls + 1) // 2 if self.times else self.calls

    def call_id(self, number: int) -> str | None:
        """What a lasting call is called; the others get names of the SDK's."""
        return f"{self.name}-{number}" if self.name and number < self.lasting else None


@dataclass
class Timing:
    """One method of the SDK: milliseconds of its calls, those left out in which something else had the core."""

    calls: int = 0
    p999_ms: float = 0.0
    longest_ms: float = 0.0
    waited: int = 0
    """Calls in which the thread let go of the core by itself: it waited for something."""
    left_out: int = 0
    """Calls in which the system gave the core away, or Python collected garbage."""


@dataclass
class Report:
    """`cpu`: seconds of CPU a second and call."""

    cpu: float
    timings: dict[str, Timing] = field(default_factory=dict[str, Timing])
    dropped: dict[str, int] = field(default_factory=dict[str, int])


class Sayer(Protocol):
    """A turn, as the SDK has it."""

    def partial(self, content: str) -> None: ...
    def final(self, content: str) -> None: ...


class Sdk(Protocol):
    """A call, as the SDK has it."""

    def agent_turn(self) -> Sayer: ...
    def user_turn(self) -> Sayer: ...
    def tool_call(self, tool_call_id: str, name: str, arguments: Any = None) -> None: ...
    def tool_result(self, tool_call_id: str, content: Any = "") -> None: ...
    def caller_audio(self, frame: bytes) -> None: ...
    def agent_audio(self, frame: bytes) -> None: ...
    def end(self) -> None: ...


class Nothing:
    """The loop without livemon: all of the SDK that it calls, and nothing behind it."""

    def agent_turn(self) -> "Nothing":
        return self

    def user_turn(self) -> "Nothing":
        return self

    def partial(self, content: str) -> None: ...
    def final(self, content: str) -> None: ...
    def tool_call(self, tool_call_id: str, name: str, arguments: Any = None) -> None: ...
    def tool_result(self, tool_call_id: str, content: Any = "") -> None: ...
    def caller_audio(self, frame: bytes) -> None: ...
    def agent_audio(self, frame: bytes) -> None: ...
    def end(self) -> None: ...


class Stopwatch:
    """Measures calls by method, and says of each whether it had the core all the time."""

    def __init__(self) -> None:
        self._ms: dict[str, array[float]] = {}
        self._waited: dict[str, int] = {}
        self._left_out: dict[str, int] = {}
        self._collections = 0
        gc.callbacks.append(self._note_collection)

    def _note_collection(self, phase: str, info: dict[str, int]) -> None:
        self._collections += 1

    def run(self, name: str, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        collections, before = self._collections, resource.getrusage(resource.RUSAGE_THREAD)
        began = time.perf_counter()
        answer = method(*args, **kwargs)
        took = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_THREAD)
        waited = after.ru_nvcsw > before.ru_nvcsw
        self._waited[name] = self._waited.get(name, 0) + waited
        if waited or (collections == self._collections and after.ru_nivcsw == before.ru_nivcsw):
            self._ms.setdefault(name, array("d")).append(took * 1000)
        else:
            self._left_out[name] = self._left_out.get(name, 0) + 1
        return answer

    def timings(self) -> dict[str, Timing]:
        return {
            name: Timing(len(ms), percentile(ms, 0.999), max(ms), self._waited[name], self._left_out.get(name, 0))
            for name, ms in self._ms.items()
        }


class Bot:
    """One call after the other, or one that lasts; `open_call` announces the next."""

    def __init__(self, open_call: Callable[[], Sdk], stopwatch: Stopwatch | None, *, lasts: bool) -> None:
        self._open_call, self._lasts = open_call, lasts
        self._run: Callable[..., Any] = stopwatch.run if stopwatch else _run

    async def talk(self, packets: Sequence[bytes], phase: float) -> None:
        """Until cancelled; it begins after `phase` seconds."""
        loop = asyncio.get_running_loop()
        due, n = loop.time() + phase, 0
        call: Sdk = self._run("Runtime.call", self._open_call)
        turn: Sayer = self._run("user_turn", call.user_turn)
        while True:
            await asyncio.sleep(max(0.0, due - loop.time()))
            packet = packets[n % len(packets)]
            self._run("caller_audio", call.caller_audio, packet)
            self._run("agent_audio", call.agent_audio, packet)
            n, due = n + 1, due + TICK_S
            said = _SENTENCE[: n % TURN_TICKS * len(_SENTENCE) // TURN_TICKS + 1]
            if n % PARTIAL_TICKS == 0 and n % TURN_TICKS:
                self._run("Turn.partial", turn.partial, said)
            if n % TURN_TICKS == 0:
                self._run("Turn.final", turn.final, _SENTENCE)
                turn = self._run("agent_turn", call.agent_turn) if n // TURN_TICKS % 2 else call.user_turn()
            if n % TOOL_TICKS == 0:
                self._run("tool_call", call.tool_call, f"tool-{n}", "book", {"day": "Tuesday", "time": "09:10"})
                self._run("tool_result", call.tool_result, f"tool-{n}", {"booked": True})
            if n % LIFE_TICKS == 0 and not self._lasts:
                self._run("end", call.end)
                call = self._run("Runtime.call", self._open_call)
                turn = call.user_turn()


def _run(_: str, method: Callable[..., Any], *args: Any) -> Any:
    return method(*args)


def _opener(runtime: Runtime | None, lasting_id: str | None) -> Callable[[], Sdk]:
    if runtime is None:
        return Nothing
    audio = Audio(caller="opus", agent="opus")

    def open_call() -> Sdk:
        call = runtime.call(call_id=lasting_id, call_type="web_call", agent_name="Ada", audio=audio)
        call.on_end(lambda: None)
        return call

    return open_call


def _tell(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


async def work(order: Order) -> Report:
    """Let the bots speak, and measure them."""
    async with contextlib.AsyncExitStack() as stack:
        runtime = None
        if order.url:
            runtime = await stack.enter_async_context(Runtime(order.url, name="bench", runtime_id=RUNTIME_ID))
            await runtime.alive.wait()
        stopwatch = Stopwatch() if order.times else None
        packets = tone_packets(440)
        numbers = range(order.calls)
        bots = [Bot(_opener(runtime, order.call_id(n)), stopwatch, lasts=n < order.lasting) for n in numbers]
        talking = [asyncio.create_task(bot.talk(packets, n * APART_S % 1)) for n, bot in enumerate(bots)]
        await asyncio.sleep(WARM_UP_S)
        _tell(SPEAKING)
        cpu, began = time.process_time(), time.monotonic()
        await asyncio.sleep(order.seconds)
        report = Report((time.process_time() - cpu) / (time.monotonic() - began) / order.calls)
        for task in talking:
            task.cancel()
        for result in await asyncio.gather(*talking, return_exceptions=True):
            if isinstance(result, Exception):
                raise result
        if runtime is not None:
            await runtime.sender.drained()
            report.dropped = dict(runtime.counters)
        report.timings = stopwatch.timings() if stopwatch else {}
        return report


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    _tell(json.dumps(asdict(asyncio.run(work(Order(**json.loads(sys.argv[1])))))).encode())
