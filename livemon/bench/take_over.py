"""`livemon bench take-over`: microphone granted → talking, mouth → runtime, caller → ear, in a real Chromium over loopback."""

import asyncio
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import redis.asyncio

from livemon.bench import process
from livemon.bench.bursts import EVERY_MS, FRAMES, Onsets, opus_burst, write_microphone
from livemon.bench.errors import BenchError
from livemon.bench.figures import percentile, table
from livemon.bench.process import Server
from livemon.bench.screen import screen
from livemon_runtime import Audio, Call, Runtime, Supervisor
from livemon_runtime.keys import Keys

PAGE = Path(__file__).with_name("talking_page.js")
BURSTS = 4
"""Of each voice in a round."""
WITHIN_S = 30.0
MICROPHONE_HZ, CALLER_HZ = 660, 880
SUPERVISOR_RATE = 16_000

PARTS = (
    ("granted", "offered", "the page makes its offer"),
    ("offered", "answered", "offer -> answer"),
    ("answered", "connected", "ICE and DTLS"),
    ("connected", "claimed", "first packet, claim in Redis"),
    ("claimed", "accepted", "claim -> accept in Redis"),
    ("accepted", "talking", "accept -> the page's socket"),
    ("talking", "shown", "socket -> screen"),
)

WHAT = """\
Each takes its times from this one machine's clock. What is in them:
- granted -> ...: from getUserMedia's answer in the page; «accepted» is the time of Redis's event; «shown» the page's next frame.
- mouth -> runtime: from when Chromium hands the 10 ms of sound with the onset to the page's track, until the bot's on_audio has
  the frame with it. In it: Chromium's Opus and sending, livemon's jitter buffer, Opus to L16, Redis. Not in it: what a real
  device, its driver and Chromium's echo canceller take before.
- caller -> ear: from caller_audio(packet), until the onset is pulled from Chromium's jitter buffer to be played. In it: Redis,
  livemon's fan-out, Chromium's jitter buffer and decoder, and the 6.5 ms by which Opus looks ahead. Not in it: the 20 ms that
  the packet's sound took to be spoken, and the output device."""


@dataclass
class Result:
    """Milliseconds: `moments` of each round by name, and the delays of each burst."""

    moments: list[dict[str, float]] = field(default_factory=list[dict[str, float]])
    mouth_ms: list[float] = field(default_factory=list[float])
    ear_ms: list[float] = field(default_factory=list[float])
    buffered_ms: list[float] = field(default_factory=list[float])
    """How long Chromium's jitter buffer kept the caller's voice in each round, on average, by its own statistics."""


class Caller:
    """The call's bot: its caller is silent until bursts are wanted, and it notes when it hears the supervisor's."""

    def __init__(self, runtime: Runtime, call_id: str) -> None:
        audio = Audio(caller="opus", agent="opus", supervisor=f"l16/{SUPERVISOR_RATE}")
        self.call: Call = runtime.call(call_type="web_call", call_id=call_id, agent_name="Ada", audio=audio)
        self.call.on_take_over(self._meet)
        self.call.on_end(lambda: None)
        self.heard: list[float] = []
        self.said: list[float] = []
        self.heard_enough = asyncio.Event()
        self.bursting = False
        self._onsets = Onsets(SUPERVISOR_RATE)

    def _meet(self, supervisor: Supervisor) -> None:
        supervisor.on_audio(self._hear)

    def _hear(self, frame: bytes) -> None:
        at = _now()
        if self._onsets.take(frame):
            self.heard.append(at)
        if len(self.heard) >= BURSTS:
            self.heard_enough.set()

    async def speak(self, burst: Sequence[bytes], silence: bytes) -> None:
        loop = asyncio.get_running_loop()
        began, n, at = loop.time(), 0, FRAMES
        while True:
            if at >= FRAMES and self.bursting:
                at = 0
                self.said.append(_now())
            self.call.caller_audio(burst[at] if at < FRAMES else silence)
            n, at = n + 1, at + 1
            await asyncio.sleep(max(0, began + n * 0.02 - loop.time()))


def _now() -> float:
    return time.time() * 1000


async def run(rounds: int, say: Callable[[str], None]) -> Result:
    """Take `rounds` calls over, one after the other, by the page's own buttons."""
    say(f"livemon: {rounds} take-overs …")
    result = Result()
    with process.scratch() as folder, process.valkey(folder) as url:
        write_microphone(folder / "microphone.wav", MICROPHONE_HZ)
        flags = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        flags.append(f"--use-file-for-fake-audio-capture={folder / 'microphone.wav'}")
        client = redis.asyncio.Redis.from_url(url)
        try:
            async with process.livemon(url, folder) as server, Runtime(url, name="bench") as runtime:
                await runtime.alive.wait()
                async with screen(server, "/live", flags=flags, before=PAGE.read_text("utf-8")) as page:
                    for n in range(rounds):
                        await _round(result, Caller(runtime, f"call_bench_{n}"), server, page, client)
        finally:
            await client.aclose()
    return result


async def _round(result: Result, caller: Caller, server: Server, page: Any, client: redis.asyncio.Redis) -> None:
    async with caller.call, asyncio.TaskGroup() as group:
        speaking = group.create_task(caller.speak(*opus_burst(CALLER_HZ)))
        await page.goto(f"{server.url}/live/{caller.call.call_id}", timeout=120_000)
        await _press(page, '[data-testid="take-over"]:enabled')
        await _press(page, '[data-testid="take-over-confirm"]')
        await _until(page, "bench.moments.shown !== undefined", "the page did not say that it has the call")
        await _heard(caller)
        before: tuple[float, int] = await page.evaluate("benchBuffered()")
        caller.bursting = True
        await _until(page, f"bench.ear.length >= {BURSTS}", "the page did not hear the caller")
        after: tuple[float, int] = await page.evaluate("benchBuffered()")
        seen = await page.evaluate("window.bench")
        caller.call.end("user_hangup")
        await _until(
            page, "benchEnded()", "the page did not say that the call is over"
        )  # else the next page resumes it
        speaking.cancel()
    if seen["fault"]:
        raise BenchError(f"this Chromium cannot be measured: {seen['fault']}")
    result.moments.append({**seen["moments"], **await _in_redis(client, caller.call.call_id)})
    result.mouth_ms += delays(seen["mouth"], caller.heard)
    result.ear_ms += delays(caller.said, seen["ear"])
    if played := after[1] - before[1]:
        result.buffered_ms.append((after[0] - before[0]) * 1000 / played)


async def _press(page: Any, button: str) -> None:
    from playwright.async_api import Error

    try:
        await page.click(button, timeout=WITHIN_S * 1000)
    except Error as error:
        raise BenchError(f"the page has no button {button}") from error


async def _until(page: Any, met: str, otherwise: str) -> None:
    from playwright.async_api import Error

    try:
        await page.wait_for_function(met, timeout=WITHIN_S * 1000)
    except Error as error:
        raise BenchError(otherwise) from error


async def _heard(caller: Caller) -> None:
    try:
        async with asyncio.timeout(WITHIN_S):
            await caller.heard_enough.wait()
    except TimeoutError as error:
        raise BenchError("the runtime did not hear the supervisor") from error


async def _in_redis(client: redis.asyncio.Redis, call_id: str) -> dict[str, float]:
    """When the claim and the accept came into `events`, by Redis's clock, which is this machine's."""
    found: dict[str, float] = {}
    entries: list[tuple[bytes, dict[bytes, bytes]]] = await client.xrange(Keys().events)  # type: ignore[assignment]
    for entry_id, fields in entries:
        if fields[b"call_id"].decode() == call_id and fields[b"type"] == b"call_updated":
            data = orjson.loads(fields[b"data"])
            for name, what in (("claimed", "claim"), ("accepted", "controller")):
                if data[what]:
                    found.setdefault(name, float(entry_id.partition(b"-")[0]))
    return found


def delays(began: Sequence[float], arrived: Sequence[float]) -> list[float]:
    """From each arrival's beginning, the last before it, to the arrival; those without one are left out."""
    pairs = ((at, bisect_right(began, at)) for at in arrived)
    found = [at - began[n - 1] for at, n in pairs if n]
    return [delay for delay in found if delay < EVERY_MS]


def report(result: Result) -> str:
    def row(what: str, times: list[float]) -> list[str]:
        return [what, f"{percentile(times, 0.5):.0f}", f"{percentile(times, 0.95):.0f}", str(len(times))]

    def between(first: str, last: str) -> list[float]:
        return [each[last] - each[first] for each in result.moments if first in each and last in each]

    rows = [row("granted -> the runtime accepts", between("granted", "accepted"))]
    rows += [row("granted -> the page shows talking", between("granted", "shown"))]
    rows += [row(f"  {what}", between(first, last)) for first, last, what in PARTS]
    rows += [row("mouth -> runtime", result.mouth_ms), row("caller -> ear", result.ear_ms)]
    rows += [row("  of it in Chromium's jitter buffer", result.buffered_ms)]
    return table(["take-over", "p50 ms", "p95 ms", "n"], rows) + f"\n\n{WHAT}"
