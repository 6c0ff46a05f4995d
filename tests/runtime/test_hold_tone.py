"""The hold tone: what it sounds like in every codec, its pace, and when a bot gets it."""

import asyncio

import av
import numpy as np
import pytest

from livemon_runtime import Audio, Codec, Runtime, Supervisor
from livemon_runtime.hold_tone import EVERY_MS, HERTZ, TONE_MS, HoldTone, frame
from tests.runtime.conftest import Livemon, eventually
from tests.runtime.test_supervision import Bot, packet, speak, take_over, true

DECODERS = {Codec.OPUS: "libopus", Codec.PCMU: "pcm_mulaw", Codec.PCMA: "pcm_alaw"}


def decoded(codec: Codec, frames: list[bytes]) -> np.ndarray:
    """Samples from -1 to 1."""
    if codec not in DECODERS:
        return np.frombuffer(b"".join(frames), "<i2") / 32_768
    decoder = av.AudioCodecContext.create(DECODERS[codec], "r")
    decoder.sample_rate, decoder.layout = codec.form.clock, "mono"
    out = [each.to_ndarray()[0] for data in frames for each in decoder.decode(av.Packet(data))]
    samples = np.concatenate(out)
    return samples / 32_768 if samples.dtype == np.int16 else samples


def period(codec: Codec, times: int = 1) -> list[bytes]:
    count = EVERY_MS // codec.form.packet_ms
    return [frame(codec, n) for _ in range(times) for n in range(count)]


def loudest_hz(samples: np.ndarray, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate / len(samples))


# --- the sound


@pytest.mark.parametrize("codec", Codec)
def test_a_period_is_a_quiet_tone_of_440_hz_and_then_nothing(codec: Codec):
    rate = codec.form.clock
    samples = decoded(codec, period(codec, 2))
    assert abs(len(samples) / rate - 2 * EVERY_MS / 1000) < 0.03
    for start in (0, EVERY_MS):
        tone, rest = (
            samples[(start + a) * rate // 1000 : (start + b) * rate // 1000] for a, b in ((0, 400), (500, 2_950))
        )
        assert abs(loudest_hz(tone, rate) - HERTZ) < 5
        middle = tone[len(tone) // 4 : -len(tone) // 4]
        dbfs = 20 * np.log10(np.sqrt(2 * np.mean(middle**2)))
        assert -27.5 < dbfs < -25
        assert np.max(np.abs(rest)) < 0.001


@pytest.mark.parametrize("codec", [codec for codec in Codec if codec is not Codec.OPUS])
def test_it_swells_and_fades_without_a_click(codec: Codec):
    samples = decoded(codec, period(codec))[: codec.form.clock * TONE_MS // 1000]
    edge = codec.form.clock // 200
    assert np.max(np.abs(samples[:edge])) < 0.003
    assert np.max(np.abs(samples[-edge:])) < 0.003


@pytest.mark.parametrize("codec", Codec)
def test_each_frame_fills_its_packets_time(codec: Codec):
    lengths = {len(each) for each in period(codec)}
    if codec is Codec.OPUS:
        assert max(lengths) < 256
    else:
        width = 2 if codec.startswith("l16") else 1
        assert lengths == {codec.form.packet_ticks * width}


# --- the pace


def test_a_frame_is_due_every_20_ms_from_its_beginning_on():
    tone = HoldTone(Codec.PCMU, 10.0)
    assert tone.take(10.0) == frame(Codec.PCMU, 0)
    assert tone.take(10.01) is None
    assert tone.due_in(10.01) == pytest.approx(0.01)
    assert tone.take(10.025) == frame(Codec.PCMU, 1)
    assert tone.due_in(10.025) == pytest.approx(0.015), "a little late is made good"


def test_pcm_at_48_khz_is_due_every_10_ms():
    tone = HoldTone(Codec.L16_48000, 0.0)
    tone.take(0.0)
    assert tone.due_in(0.0) == pytest.approx(0.01)


def test_after_a_loop_was_held_up_it_goes_on_and_hurries_after_nothing():
    tone = HoldTone(Codec.PCMU, 0.0)
    tone.take(0.0)
    assert tone.take(5.0) == frame(Codec.PCMU, 1)
    assert tone.take(5.0) is None


def test_the_period_begins_again():
    tone = HoldTone(Codec.PCMA, 0.0)
    heard = [tone.take(n * 0.02 + 0.001) for n in range(300)]
    assert heard[:150] == heard[150:] == period(Codec.PCMA)


# --- when a bot gets it


class HoldingBot(Bot):
    """Remembers losses and frames in the order in which it was told."""

    def meet(self, supervisor: Supervisor) -> None:
        super().meet(supervisor)
        self.told: list[bool | bytes] = []
        supervisor.on_audio(self.told.append)
        supervisor.on_lost(self.told.append)
        supervisor.hold_tone = True


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livemon_runtime.watch.LOST_AFTER_S", 0.3)


async def holding(livemon: Livemon, runtime: Runtime, codec: Codec = Codec.PCMU) -> HoldingBot:
    audio = Audio(caller="pcmu", agent="pcmu", supervisor=codec)
    bot = HoldingBot(runtime.call(call_id="c-1", audio=audio))
    await eventually(lambda: livemon.call("c-1"))
    return bot


async def told(bot: HoldingBot, many: int) -> None:
    await eventually(lambda: true(lambda: len(bot.told) >= many))


@pytest.mark.parametrize("codec", [Codec.OPUS, Codec.PCMA, Codec.L16_48000])
async def test_who_is_lost_is_replaced_by_the_tone_in_his_codec_from_its_beginning(
    livemon: Livemon, runtime: Runtime, codec: Codec
):
    bot = await holding(livemon, runtime, codec)
    await take_over(livemon, runtime, bot)
    await told(bot, 30)
    lost, *frames = bot.told[:30]
    assert lost is True
    assert frames == [frame(codec, n) for n in range(29)]


async def test_nobody_hears_a_tone_while_he_speaks_and_it_stops_at_his_first_packet(livemon: Livemon, runtime: Runtime):
    bot = await holding(livemon, runtime)
    await take_over(livemon, runtime, bot)
    await speak(livemon, packet(1))
    await told(bot, 5)
    await speak(livemon, packet(2), packet(3))
    await eventually(lambda: true(lambda: b"3" in bot.told))
    assert bot.told[:2] == [b"1", True]
    after = bot.told.index(False)
    assert bot.told[2:after] == [frame(Codec.PCMU, n) for n in range(after - 2)]
    assert bot.told[after:][:3] == [False, b"2", b"3"]
    await told(bot, after + 6)
    assert bot.told[after + 3 : after + 6] == [True, frame(Codec.PCMU, 0), frame(Codec.PCMU, 1)]


async def test_the_tone_ends_with_another_claim_and_with_the_call(livemon: Livemon, runtime: Runtime):
    bot = await holding(livemon, runtime)
    await take_over(livemon, runtime, bot)
    await told(bot, 4)
    before = bot.told
    await take_over(livemon, runtime, bot, "k-2", 2)
    had = len(before)
    await told(bot, 4)
    assert bot.told is not before
    assert bot.told[:2] == [True, frame(Codec.PCMU, 0)]
    assert len(before) == had, "nothing more to the hooks of him whom somebody follows"
    bot.call.end("user_hangup")
    had = len(bot.told)
    await asyncio.sleep(0.1)
    assert len(bot.told) == had


async def test_the_grace_time_ends_the_call_in_spite_of_the_tone(livemon: Livemon, runtime: Runtime):
    bot = await holding(livemon, runtime)
    await take_over(livemon, runtime, bot, grace_ms=800)
    await eventually(lambda: true(lambda: bot.call.ended))
    assert bot.call.record.call.disconnection_reason == "supervisor_lost"
    assert bot.told[:2] == [True, frame(Codec.PCMU, 0)]


async def test_who_has_not_asked_for_the_tone_gets_none(livemon: Livemon, runtime: Runtime):
    bot = Bot(runtime.call(call_id="c-1", audio=Audio(caller="pcmu", agent="pcmu")))
    await eventually(lambda: livemon.call("c-1"))
    await take_over(livemon, runtime, bot)
    await eventually(lambda: true(lambda: bot.lost))
    await asyncio.sleep(0.1)
    assert bot.heard == []
