"""`livemon bench listeners`: what a listener of both voices costs the server, and whether packets are late or lost, beside
Janus's streaming plugin and aiortc used plainly.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from livemon.bench import process
from livemon.bench.arrivals import shift_of, tally, unwrapped
from livemon.bench.ears import Ears, Heard, Wish, ears
from livemon.bench.errors import BenchError
from livemon.bench.figures import table
from livemon.bench.people import sign_in
from livemon.bench.process import Server
from livemon.bench.rivals.janus import MISSING, installed, janus
from livemon.bench.speakers import Say, Speakers, by_udp
from livemon.media.listening import MOST_OF_ONE_PERSON
from livemon_runtime import Audio, Runtime

STEPS = (10, 50, 100, 200, 300, 400, 600, 800)
IDLE_S = 5.0
SETTLE_S = 1.0
FEW = 0.01
"""The share of packets that may be late or lost where it still counts as listening."""
BROKEN = 0.1
"""With more of them late or lost no more listeners are added."""
PACKETS_A_LISTENER = 100
"""A second, both voices."""

WHAT = """\
- us a packet: CPU time of the server's process (all threads, kernel included) beyond what it takes with nobody listening, for
  each packet that arrived. A core: how many listeners that makes, at 100 packets a second each.
- late: by more than 20 ms, from when the voice was given to the SDK (livemon) or sent as RTP (rivals) until the kernel has it for
  the listener; p99 is of the same delays. No core: how long the server's threads, taken together, were ready and had none, since
  voices and listeners are on this machine too: where that is much, what is late says little.
- ICE, DTLS and SRTP are a browser's; each listener reports twice a second. livemon reads the voices from Valkey, whose own CPU is
  not counted, nor is the SDK's. The rivals get the same packets of Opus over UDP."""


@dataclass(frozen=True)
class Plan:
    most: int = 400
    calls: int = 4
    seconds: float = 10.0

    @property
    def steps(self) -> list[int]:
        return [step for step in STEPS if step < self.most] + [self.most]


@dataclass
class Step:
    """One server with so many listeners."""

    listeners: int
    cpu_s: float
    waiting_s: float
    seconds: float
    sent: int = 0
    lost: int = 0
    late: int = 0
    delays_ms: list[NDArray[np.float64]] = field(default_factory=list[NDArray[np.float64]])

    @property
    def us(self) -> float:
        return self.cpu_s * 1e6 / max(1, self.sent - self.lost)

    @property
    def a_core(self) -> float:
        return 1e6 / (self.us * PACKETS_A_LISTENER)

    @property
    def bad(self) -> float:
        """The share of packets that were late or lost."""
        return (self.late + self.lost) / max(1, self.sent)

    @property
    def p99_ms(self) -> float:
        delays = np.concatenate(self.delays_ms) if self.delays_ms else np.array([])
        return float(np.percentile(delays, 99)) if len(delays) else float("nan")


Results = dict[str, list[Step]]


@dataclass(frozen=True)
class Stage:
    """A server with speaking calls, ready for listeners: `calls` as the server names them."""

    kind: str
    server: Server
    speakers: Speakers
    calls: Sequence[str]
    cookies: Sequence[str] = ()

    def wish(self, ear: int) -> Wish:
        cookie = self.cookies[ear // MOST_OF_ONE_PERSON] if self.cookies else ""
        return Wish(ear, self.calls[ear % len(self.calls)], cookie)


async def run(plan: Plan, rivals: bool, say: Callable[[str], None]) -> Results:
    """Each server in turn, with more and more listeners until too many packets are late or lost."""
    stages = {"livemon": _livemon}
    if rivals:
        stages |= {"Janus": _janus} if installed() else {}
        stages |= {"aiortc, plainly": _aiortc}
        if not installed():
            say(MISSING)
    results: Results = {}
    for name, stage in stages.items():
        results[name] = []
        with process.scratch() as folder:
            async with stage(plan, folder) as at, ears(at.kind, at.server.url, folder) as listening:
                await _climb(plan, at, listening, results[name], lambda line, name=name: say(f"{name}: {line}"))
    return results


async def _climb(plan: Plan, at: Stage, listening: Ears, steps: list[Step], say: Callable[[str], None]) -> None:
    idle = await _idle_share(at.server, min(IDLE_S, plan.seconds))
    shifts: dict[tuple[int, int], int] = {}
    here = 0
    for listeners in plan.steps:
        await listening.connect([at.wish(ear) for ear in range(here, listeners)])
        here = listeners
        await asyncio.sleep(SETTLE_S)
        await listening.begin()
        began, cpu, waiting = time.time_ns(), at.server.cpu_s(), at.server.kept_waiting_s()
        await asyncio.sleep(plan.seconds)
        ended, cpu, waiting = time.time_ns(), at.server.cpu_s() - cpu, at.server.kept_waiting_s() - waiting
        await asyncio.sleep(SETTLE_S)  # what was sent last may still be on its way
        seconds = (ended - began) / 1e9
        step = Step(listeners, cpu - idle * seconds, waiting, seconds)
        _count(at, await listening.collect(), (began, ended), shifts, step)
        steps.append(step)
        say(f"{listeners} listeners, {step.us:.1f} us a packet, {step.late} late and {step.lost} lost of {step.sent}")
        if step.bad > BROKEN:
            break


def _count(at: Stage, heard: Heard, window: tuple[int, int], shifts: dict[tuple[int, int], int], step: Step) -> None:
    sent = [at.speakers.sent_ns(voice) for voice in range(2 * len(at.calls))]
    nothing = np.array([], np.int64)
    for ear in range(step.listeners):
        for section in range(2):
            spoken = sent[ear % len(at.calls) * 2 + section]
            sequences, arrived = heard.get((ear, section), (nothing, nothing))
            numbers = unwrapped(sequences)
            shift = 0
            if len(numbers):
                shift = shift_of(spoken, numbers, arrived, shifts.get((ear, section)))
                shifts[ear, section] = shift
            found = tally(spoken, numbers, arrived, shift, window)
            step.sent, step.lost, step.late = step.sent + found.sent, step.lost + found.lost, step.late + found.late
            step.delays_ms.append(found.delays_ms)


async def _idle_share(server: Server, seconds: float) -> float:
    await asyncio.sleep(SETTLE_S)
    began, cpu = time.monotonic(), server.cpu_s()
    await asyncio.sleep(seconds)
    return (server.cpu_s() - cpu) / (time.monotonic() - began)


@asynccontextmanager
async def _speaking(voices: Sequence[Say]) -> AsyncGenerator[Speakers]:
    speakers = Speakers(voices)
    task = asyncio.create_task(speakers.run())
    try:
        yield speakers
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def _livemon(plan: Plan, folder: Path) -> AsyncGenerator[Stage]:
    with process.valkey(folder) as url:
        async with process.livemon(url, folder) as server, Runtime(url, name="bench") as runtime:
            names = [f"call_{n}" for n in range(plan.calls)]
            audio = Audio(caller="opus", agent="opus")
            calls = [runtime.call(call_type="web_call", call_id=name, agent_name="Ada", audio=audio) for name in names]
            voices = [say for call in calls for say in (call.caller_audio, call.agent_audio)]
            cookies = await sign_in(server, folder, -(-plan.most // MOST_OF_ONE_PERSON))
            await runtime.sender.drained()
            async with _speaking(voices) as speakers:
                yield Stage("livemon", server, speakers, names, cookies)


@asynccontextmanager
async def _fed(plan: Plan) -> AsyncGenerator[tuple[list[int], list[Say]]]:
    """UDP ports for the rivals, and the voices that send there."""
    ports = [process.free_port() for _ in range(2 * plan.calls)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        yield ports, [by_udp(out, port) for port in ports]


@asynccontextmanager
async def _janus(plan: Plan, folder: Path) -> AsyncGenerator[Stage]:
    async with _fed(plan) as (ports, voices), janus(ports, folder) as server, _speaking(voices) as speakers:
        yield Stage("janus", server, speakers, [str(n) for n in range(1, plan.calls + 1)])


@asynccontextmanager
async def _aiortc(plan: Plan, folder: Path) -> AsyncGenerator[Stage]:
    async with (
        _fed(plan) as (ports, voices),
        process.rival("aiortc_relay", "", folder, ports) as server,
        _speaking(voices) as speakers,
    ):
        yield Stage("aiortc", server, speakers, [str(n) for n in range(plan.calls)])


def report(results: Results) -> str:
    own = _best(results["livemon"])
    rows: list[list[str]] = []
    for name, steps in results.items():
        for step in steps:
            shares = [
                f"{step.cpu_s / step.seconds:.0%}",
                f"{step.waiting_s / step.seconds:.0%}",
                f"{step.us:.1f}",
                f"{step.a_core:.0f}",
            ]
            bad = [f"{step.late / max(1, step.sent):.2%}", f"{step.lost / max(1, step.sent):.2%}", f"{step.p99_ms:.1f}"]
            rows.append([name, str(step.listeners), *shares, *bad])
    most: list[list[str]] = []
    for name, steps in results.items():
        best = _best(steps)
        most.append([name, str(best.listeners), f"{best.us:.1f}", f"{best.a_core:.0f}", f"{own.us / best.us:.2f}"])
    head = ["", "listeners", "of a core", "no core", "us a packet", "a core", "late", "lost", "p99 ms"]
    ratios = ["most listeners with at most 1 % late or lost", "", "us a packet", "a core", "livemon / this"]
    return "\n\n".join([table(head, rows), table(ratios, most), WHAT])


def _best(steps: Sequence[Step]) -> Step:
    """With the most listeners of whose packets few are late or lost. Raises `BenchError` for none at all."""
    if not steps:
        raise BenchError("nothing was measured")
    return max((step for step in steps if step.bad <= FEW), key=lambda step: step.listeners, default=steps[0])
