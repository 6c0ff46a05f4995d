"""A call whose caller is heard as 440 Hz and whose agent as 880 Hz, through the SDK; and a browser that tells tones apart."""

import asyncio
import re
import time
import urllib.request

import numpy as np
from playwright.async_api import Page

from livemon_runtime import Call, Codec
from tests.media.call_source import AGENT_HZ, CALLER_HZ, tone_packets

HZ = {"caller": CALLER_HZ, "agent": AGENT_HZ}

EARS = """
window.asked = 0;
for (const name of ["getUserMedia", "getDisplayMedia"]) {
  const original = MediaDevices.prototype[name];
  MediaDevices.prototype[name] = function (...args) { window.asked += 1; return original.apply(this, args); };
}
window.ears = [];
const Gain = window.GainNode;
window.GainNode = class extends Gain {
  constructor(context, options) {
    super(context, options);
    const ear = new AnalyserNode(context, { fftSize: 2048, smoothingTimeConstant: 0.3 });
    this.connect(ear);
    window.ears.push(ear);
  }
};
window.heard = (voice) => {
  const ear = window.ears.at({ caller: -3, agent: -2, supervisor: -1 }[voice]);
  if (!ear) return 0;
  const bins = new Float32Array(ear.frequencyBinCount);
  ear.getFloatFrequencyData(bins);
  const peak = bins.indexOf(Math.max(...bins));
  return bins[peak] > -60 ? (peak * ear.context.sampleRate) / ear.fftSize : 0;
};
"""
"""Runs before the page's own scripts: `heard(voice)` is the loudest frequency after volume and mute, 0 for silence."""


async def speak(call: Call, codec: Codec) -> None:
    """Both voices of the call, one packet each every 20 ms (10 ms for 48 kHz), until cancelled; the agent while it may speak."""
    tones = {voice: tone_packets(codec, hz) for voice, hz in HZ.items()}
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        for voice, say in (("caller", call.caller_audio), ("agent", call.agent_audio)):
            if voice == "agent" and call.agent_silent:
                continue
            payload = next(tones[voice]).payload
            say(np.frombuffer(payload, ">i2").astype("<i2").tobytes() if codec.startswith("l16/") else payload)
        due += codec.form.packet_ms / 1000
        await asyncio.sleep(max(0.0, due - loop.time()))


async def hears(page: Page, voice: str, hz: float | None = None) -> None:
    """Wait until that voice is heard in the browser as its tone, within the spectrum's resolution; 0 for silence."""
    hz = HZ[voice] if hz is None else hz
    await page.wait_for_function(f"Math.abs(window.heard('{voice}') - {hz}) < 24", timeout=60_000)


async def listeners(url: str, count: int) -> float:
    """Wait until the server says that so many listen; the seconds that it took."""
    started = time.monotonic()
    while (now := await asyncio.to_thread(_count, url)) != count:
        assert time.monotonic() - started < 60, f"{now} listen, not {count}"
        await asyncio.sleep(0.02)
    return time.monotonic() - started


def _count(url: str) -> float:
    with urllib.request.urlopen(f"{url}/metrics", timeout=60) as answer:
        found = re.search(r"^livemon_listeners (\S+)$", answer.read().decode(), re.MULTILINE)
    return float(found[1]) if found else 0.0
