"""`livemon bench listen`: click on Live Listen → first sound, in a real Chromium over loopback."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np

from livemon.bench import process
from livemon.bench.errors import BenchError
from livemon.bench.figures import percentile, table
from livemon.bench.screen import screen
from livemon_runtime import Audio, Runtime

RATE = 48_000
FRAME = RATE // 50

FIRST_SOUND = """
async (timeout) => {
  const button = document.querySelector('[data-testid="live-listen"]');
  const began = performance.now();
  button.click();
  while (performance.now() - began < timeout) {
    const level = document.querySelector('[data-testid="level-caller"] i')?.style.transform;
    if (Number(/scaleX\\((.*)\\)/.exec(level)?.[1]) > 0) return performance.now() - began;
    await new Promise(requestAnimationFrame);
  }
  return -1;
}
"""
"""Click, then look once a frame until the caller's level meter moves."""


@dataclass(frozen=True)
class Result:
    first_sound_ms: list[float]


def tone_packets(hertz: float, seconds: float = 2.0) -> list[bytes]:
    """A tone as Opus packets of 20 ms."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = RATE, "mono", "s16"  # type: ignore[attr-defined]
    encoder.time_base = Fraction(1, RATE)
    packets: list[bytes] = []
    for n in range(int(seconds * 50)):
        at = np.arange(n * FRAME, (n + 1) * FRAME) / RATE
        samples = (0.4 * 32767 * np.sin(2 * math.pi * hertz * at)).astype("<i2")
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, n * FRAME, Fraction(1, RATE)
        packets += [bytes(packet) for packet in encoder.encode(frame)]  # type: ignore[attr-defined]
    return packets


async def run(clicks: int, say: Callable[[str], None]) -> Result:
    """Listen to a call with two steady tones `clicks` times, leaving it in between."""
    say(f"livemon: {clicks} clicks on Live Listen …")
    found: list[float] = []
    with process.scratch() as folder, process.valkey(folder) as url:
        async with process.livemon(url, folder) as server, Runtime(url, name="bench") as runtime:
            audio = Audio(caller="opus", agent="opus")
            async with (
                runtime.call(call_type="web_call", call_id="call_bench", agent_name="Ada", audio=audio) as call,
                asyncio.TaskGroup() as group,
            ):
                speaking = group.create_task(_speak(call.caller_audio, call.agent_audio))
                async with screen(server, "/live/call_bench") as page:
                    for _ in range(clicks):
                        await page.wait_for_selector('[data-testid="live-listen"]:enabled', timeout=30_000)
                        took = float(await page.evaluate(FIRST_SOUND, 10_000))
                        if took < 0:
                            raise BenchError("no sound within 10 s of the click")
                        found.append(took)
                        await page.click('[data-testid="exit-live-listen"]')
                speaking.cancel()
    return Result(found)


async def _speak(caller: Callable[[bytes], None], agent: Callable[[bytes], None]) -> None:
    low, high = tone_packets(440), tone_packets(880)
    loop = asyncio.get_running_loop()
    began, n = loop.time(), 0
    while True:
        caller(low[n % len(low)])
        agent(high[n % len(high)])
        n += 1
        await asyncio.sleep(max(0, began + n * 0.02 - loop.time()))


def report(result: Result) -> str:
    times = result.first_sound_ms
    rows = [["livemon", f"{percentile(times, 0.5):.0f}", f"{percentile(times, 0.95):.0f}", str(len(times))]]
    return table(["click -> first sound", "p50 ms", "p95 ms", "clicks"], rows)
