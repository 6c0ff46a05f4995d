"""A bot that lets supervisors have its call and hears what they say; and browsers whose microphone brings a tone."""

import asyncio
import time
import wave
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import av
import numpy as np
from playwright.async_api import Page, expect

from livemon_runtime import Audio, Call, Codec, Refusal, Runtime, Supervisor
from tests.browser.live_page import LivePage, id_of, start_calls
from tests.browser.speaking import speak
from tests.media.call_source import loudest
from tests.media.call_source import running as beside

MICROPHONE_HZ = 660
WITHIN_HZ = 20
WITHIN_S = 60
"""How long anything may take on a busy machine before a test gives up on it."""

_DECODERS = {Codec.OPUS: "libopus", Codec.PCMU: "pcm_mulaw", Codec.PCMA: "pcm_alaw"}

CALLER_HZ = """async () => {
  const { heldCall } = await import("/assets/held_call.js");
  const stream = heldCall.talk?.voice.element.srcObject;
  if (!stream || heldCall.talk.voice.element.paused || heldCall.talk.voice.element.muted) return 0;
  window.callerEars ??= new WeakMap();
  if (!window.callerEars.has(stream)) {
    const context = new AudioContext();
    const ear = new AnalyserNode(context, { fftSize: 2048, smoothingTimeConstant: 0.3 });
    context.createMediaStreamSource(stream).connect(ear);
    window.callerEars.set(stream, ear);
  }
  const ear = window.callerEars.get(stream);
  const bins = new Float32Array(ear.frequencyBinCount);
  ear.getFloatFrequencyData(bins);
  const peak = bins.indexOf(Math.max(...bins));
  return bins[peak] > -60 ? (peak * ear.context.sampleRate) / ear.fftSize : 0;
}"""


def write_tone(path: Path) -> Path:
    """What a fake microphone plays round and round: half a second of a tone, half a second of silence.

    A tone without pauses would be taken for noise by the browser's suppression.
    """
    rate = 48_000
    tone = np.sin(2 * np.pi * MICROPHONE_HZ * np.arange(rate // 2) / rate) * 16_000
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.concatenate([tone, np.zeros(rate // 2)]).astype("<i2").tobytes())
    return path


class Bot:
    """One call whose caller is heard as 440 Hz and whose agent as 880 Hz, and whoever takes it over."""

    def __init__(self, runtime: Runtime, codec: Codec) -> None:
        (self.call,) = start_calls(runtime, 1, agent_name="Ada", audio=Audio(caller=codec, agent=codec))
        self.codec = codec
        self.frames = 0
        self.latest = 0.0
        """When the latest frame came (s since 1970)."""
        self.supervisors: list[Supervisor] = []
        self.silenced: list[bool] = []
        self.lost: list[bool] = []
        self.ended = asyncio.Event()
        self.refusal: str | None = None
        self._latest: deque[bytes] = deque(maxlen=100)
        self.call.on_end(self.ended.set)
        self.call.on_take_over(self._take_over)

    async def hears_the_microphone(self) -> None:
        """Wait until what comes from now on is the microphone's tone."""
        await self._until(lambda: abs(self._loudest() - MICROPHONE_HZ) < WITHIN_HZ)

    async def hears_silence(self) -> None:
        """Wait until a whole second of frames is there in which nothing is heard, more than a pause of the tone."""
        await self._until(lambda: self._peak() < 200)

    async def goes_on_hearing(self, frames: int = 50) -> None:
        """Wait until so many frames more are there."""
        wanted = self.frames + frames
        async with asyncio.timeout(WITHIN_S):
            while self.frames < wanted:
                await asyncio.sleep(0.02)

    async def waits(self, lost: bool) -> None:
        """Wait until the supervisor is lost, or heard again."""
        async with asyncio.timeout(WITHIN_S):
            while not self.lost or self.lost[-1] is not lost:
                await asyncio.sleep(0.02)

    async def _until(self, met: Callable[[], bool]) -> None:
        self._latest.clear()
        async with asyncio.timeout(WITHIN_S):
            while len(self._latest) < 1_000 // self.codec.form.packet_ms or not met():
                await asyncio.sleep(0.05)

    def _take_over(self, supervisor: Supervisor) -> bool:
        if self.refusal:
            raise Refusal(self.refusal)
        self.supervisors.append(supervisor)
        supervisor.on_audio(self._hear)
        supervisor.on_silence(self.silenced.append)
        supervisor.on_lost(self.lost.append)
        return True

    def _hear(self, frame: bytes) -> None:
        self.frames += 1
        self.latest = time.time()
        self._latest.append(frame)

    def _loudest(self) -> float:
        samples, rate = self._sound()
        return loudest(samples, rate) if np.abs(samples).max() > 1_000 else 0.0

    def _peak(self) -> float:
        samples, _ = self._sound()
        return float(np.abs(samples).max())

    def _sound(self) -> tuple[np.ndarray, int]:
        """The latest second as samples, and their rate."""
        frames = list(self._latest)[-1_000 // self.codec.form.packet_ms :]
        if self.codec not in _DECODERS:
            return np.frombuffer(b"".join(frames), "<i2").astype(float), self.codec.form.clock
        context = av.AudioCodecContext.create(_DECODERS[self.codec], "r")
        if self.codec is not Codec.OPUS:
            context.sample_rate, context.layout = 8_000, "mono"
        decoded = [part for frame in frames for part in context.decode(av.Packet(frame))]
        resampler = av.AudioResampler(format="s16", layout="mono", rate=decoded[0].sample_rate)
        parts: list[np.ndarray] = []
        for part in decoded:
            part.pts = None
            parts += [one.to_ndarray().reshape(-1) for one in resampler.resample(part)]
        return np.concatenate(parts[5:]).astype(float), decoded[0].sample_rate  # a decoder's first frames fade in


@asynccontextmanager
async def bot(runtime: Runtime, codec: Codec = Codec.OPUS) -> AsyncIterator[Bot]:
    """A bot whose call goes on, and is heard, as long as the block lasts."""
    made = Bot(runtime, codec)
    async with beside(speak(made.call, codec)):
        yield made
    made.call.end()


class Desk(LivePage):
    """A supervisor's page: what they press, and what they see."""

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        self.take_over = page.get_by_test_id("take-over")
        self.confirm = page.get_by_test_id("take-over-confirm")
        self.bar = page.get_by_test_id("call-bar")
        self.mute = page.get_by_test_id("mute")
        self.paused = page.get_by_test_id("transcript-paused")

    async def open_call(self, call: Call | str) -> None:
        await self.open(f"/live/{id_of(call)}")
        await self.has_open(call)

    async def takes_over(self) -> None:
        """By the page's own buttons, until the page says that the call is theirs."""
        await self.take_over.click()
        await self.confirm.click()
        await self.has_it()

    async def has_it(self) -> None:
        await expect(self.page.get_by_test_id("held-duration")).to_be_visible()
        await expect(self.mute.first).to_be_visible()

    async def hears_the_caller(self, hz: float) -> None:
        found = f"async () => Math.abs(await ({CALLER_HZ})() - {hz}) < 24"
        async with asyncio.timeout(WITHIN_S):
            while not await self.page.evaluate(found):
                await asyncio.sleep(0.05)

    async def microphone_is_off(self) -> None:
        """Every track of a microphone that the page was given has been stopped."""
        await self.page.wait_for_function("window.tracks.every((track) => track.readyState === 'ended')")


KEEP_TRACKS = """
window.tracks = [];
const given = MediaDevices.prototype.getUserMedia;
MediaDevices.prototype.getUserMedia = async function (...args) {
  const stream = await given.apply(this, args);
  window.tracks.push(...stream.getTracks());
  return stream;
};
"""
"""Runs before the page's own scripts."""
