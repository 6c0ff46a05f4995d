"""Live Listen in a real Chromium: the real page script, the real endpoints, a call's packets in a real Valkey."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from playwright.async_api import Page, async_playwright
from prometheus_client import REGISTRY

from livemon_runtime.codecs import Codec
from tests.chromium import CHROMIUM, FLAGS, close
from tests.media.call_source import AGENT_HZ, CALLER_HZ, running, tone_packets
from tests.media.listen_page import Session, serve

SUPERVISOR_HZ = 1_500


@dataclass
class Tab:
    """The page in a browser of its own; `profile` is the folder by which the browser's process is found."""

    page: Page
    profile: Path
    session: Session

    async def listen(self) -> None:
        await self.page.click("#go")
        await self.page.wait_for_function("window.audio.state === 'listening'", timeout=60_000)

    async def hears(self, voice: str, hz: float) -> None:
        """Wait until the voice's loudest frequency is `hz`, within the spectrum's resolution (48 kHz / 2,048)."""
        condition = f"Math.abs(window.loudest('{voice}') - {hz}) < 24"
        await self.page.wait_for_function(condition, timeout=60_000)

    def kill(self) -> None:
        """End the browser as a crash would: nothing of it gets to say goodbye."""
        for process in psutil.process_iter(["cmdline"]):
            if f"--user-data-dir={self.profile}" in (process.info["cmdline"] or ()):
                os.kill(process.pid, signal.SIGKILL)


@pytest.fixture
def tab(tmp_path: Path):
    """Opens the page on a stage: `async with tab(at) as browser`."""

    @contextlib.asynccontextmanager
    async def open_tab(at) -> AsyncIterator[Tab]:
        session, profile = Session(), tmp_path / f"profile-{len(list(tmp_path.iterdir()))}"
        async with serve(at.listening, session) as url, async_playwright() as playwright:
            browser = await playwright.chromium.launch_persistent_context(
                profile, executable_path=os.environ.get("CHROMIUM", CHROMIUM), args=[*FLAGS]
            )
            try:
                page = browser.pages[0]
                await page.goto(f"{url}?call=call-1")
                await page.wait_for_function("window.ready")
                yield Tab(page, profile, session)
            finally:
                with contextlib.suppress(Exception):
                    await close(browser)

    return open_tab


def inbound_packets() -> float:
    """RTP packets that browsers have sent to this process so far."""
    return REGISTRY.get_sample_value("livemon_listen_inbound_packets_total") or 0


def stopped(reason: str) -> float:
    """Listeners that have stopped for that reason so far."""
    return REGISTRY.get_sample_value("livemon_listeners_stopped_total", {"reason": reason}) or 0


async def gone(at, why: str) -> None:
    """Wait until nobody listens and the call is no longer asked for its audio; print how long it took."""
    took = await at.until(lambda: not at.presence.of("call-1"))
    print(f"stopped on the server {took:.2f} s after {why}")
    async with asyncio.timeout(60):
        while await at.call.is_tapped():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("codec", [Codec.OPUS, Codec.PCMU, Codec.PCMA, Codec.L16_16000])
async def test_a_browser_hears_each_side_and_is_never_asked_for_a_microphone(stage, tab, codec) -> None:
    """Caller 440 Hz and agent 880 Hz arrive apart; getUserMedia is never called; the browser sends no RTP at all."""
    before = inbound_packets()
    async with stage(codec) as at, tab(at) as browser:
        await browser.listen()
        await browser.hears("caller", CALLER_HZ)
        await browser.hears("agent", AGENT_HZ)
        for voice in ("caller", "agent"):
            await browser.page.wait_for_function(f"window.audio.levels().{voice} > 0.5")
        assert await browser.page.evaluate("window.asked") == 0
        assert inbound_packets() == before


async def test_exit_stops_it_on_the_server(stage, tab) -> None:
    async with stage() as at, tab(at) as browser:
        await browser.listen()
        assert at.presence.of("call-1")
        await browser.page.evaluate("window.audio.stop()")
        await gone(at, "stop()")
        assert await browser.page.evaluate("window.audio.state") == "idle"
        assert await browser.page.evaluate("window.audio.stream('caller')") is None


async def test_a_closed_tab_stops_it_on_the_server(stage, tab) -> None:
    """The page says goodbye by a beacon as it is closed."""
    async with stage() as at, tab(at) as browser:
        await browser.listen()
        await browser.page.close(run_before_unload=True)
        await gone(at, "the tab's end")
        assert stopped("asked") > 0


async def test_a_browser_that_dies_without_a_word_is_noticed(stage, tab) -> None:
    """No beacon, no DTLS goodbye: its consent to be sent to runs out (RFC 7675)."""
    async with stage() as at, tab(at) as browser:
        before = stopped("connection_lost")
        await browser.listen()
        browser.kill()
        await gone(at, "kill -9")
        assert stopped("connection_lost") == before + 1


async def test_the_calls_end_stops_it(stage, tab) -> None:
    async with stage() as at, tab(at) as browser:
        await browser.listen()
        await at.call.end()
        await gone(at, "the call's end")
        await browser.page.wait_for_function("window.audio.state === 'failed'", timeout=60_000)
        assert await browser.page.evaluate("window.audio.error.code") in ("already_ended", "not_found")


async def test_the_sessions_end_stops_it(stage, tab) -> None:
    """A session that is revoked, or has lost the role, hears nothing more."""
    async with stage() as at, tab(at) as browser:
        await browser.listen()
        browser.session.end()
        await gone(at, "the session's end")
        await browser.page.wait_for_function("window.audio.state === 'failed'", timeout=60_000)


async def test_a_lost_connection_is_made_again_by_itself(stage, tab) -> None:
    async with stage() as at, tab(at) as browser:
        await browser.listen()
        (lost,) = at.presence.of("call-1")
        await at.listening.close(lost.listener_id)
        await browser.page.wait_for_function("window.states.includes('reconnecting')", timeout=60_000)
        await browser.page.wait_for_function("window.audio.state === 'listening'", timeout=60_000)
        await browser.hears("caller", CALLER_HZ)
        assert [one.listener_id for one in at.presence.of("call-1")] != [lost.listener_id]


async def test_a_voice_that_starts_anew_and_one_that_changes_its_codec_are_heard_on_by_themselves(stage, tab) -> None:
    """A new SSRC reaches the browser as the stream it knows; for a new codec the page asks again without a touch."""
    async with stage(Codec.OPUS) as at, tab(at) as browser:
        await browser.listen()
        await browser.hears("caller", CALLER_HZ)
        at.call._tones["caller"] = tone_packets(Codec.OPUS, AGENT_HZ)
        await browser.hears("caller", AGENT_HZ)
        assert await browser.page.evaluate("window.states.includes('reconnecting')") is False
        await at.call.change_codec(Codec.L16_24000)
        await browser.page.wait_for_function("window.states.includes('reconnecting')", timeout=60_000)
        await browser.page.wait_for_function("window.audio.state === 'listening'", timeout=60_000)
        await browser.hears("caller", CALLER_HZ)
        await browser.hears("agent", AGENT_HZ)


async def test_an_interruption_says_so_and_goes_on_at_a_touch(stage, tab) -> None:
    """The browser stops the sound (a phone call, a locked screen): «interrupted», and `resume` in a touch goes on."""
    async with stage() as at, tab(at) as browser:
        await browser.listen()
        await browser.page.evaluate("window.audio.analyser('caller').context.suspend()")
        await browser.page.wait_for_function("window.audio.state === 'interrupted'", timeout=60_000)
        await browser.page.evaluate("window.audio.resume()")
        await browser.page.wait_for_function("window.audio.state === 'listening'", timeout=60_000)
        await browser.hears("agent", AGENT_HZ)


async def test_a_refusal_reaches_the_page_with_its_reason(stage, tab) -> None:
    async with stage() as at, tab(at) as browser:
        await browser.page.evaluate("window.audio.start('no-such-call')")
        await browser.page.wait_for_function("window.audio.state === 'failed'", timeout=60_000)
        error = await browser.page.evaluate("window.audio.error")
        assert error["code"] == "not_found"
        assert "no-such-call" in error["message"]


async def test_a_page_that_offers_a_microphone_is_refused(stage, tab) -> None:
    """Whatever a page does, the server keeps microphones out: one section that could send is enough."""
    async with stage() as at, tab(at) as browser:
        status, error = await browser.page.evaluate(
            """async () => {
              const peer = new RTCPeerConnection();
              peer.addTransceiver("audio", { direction: "recvonly" });
              const context = new AudioContext();
              const sound = context.createMediaStreamDestination();
              peer.addTransceiver(sound.stream.getAudioTracks()[0], { direction: "sendrecv", streams: [sound.stream] });
              await peer.setLocalDescription();
              const body = JSON.stringify({ sdp: peer.localDescription.sdp });
              const response = await fetch("/calls/call-1/listen", { method: "POST", body });
              return [response.status, (await response.json()).error];
            }"""
        )
        assert (status, error["code"]) == (400, "microphone_refused")
        assert not at.presence.of("call-1")
        assert not await at.call.is_tapped()


async def test_a_supervisor_who_takes_over_is_heard_on_the_same_connection_and_muted_alone(stage, tab) -> None:
    """From the accept on, without a touch and without asking the server again."""
    async with stage() as at, running(at.call.speak_as("claim-1", Codec.OPUS, SUPERVISOR_HZ)), tab(at) as browser:
        await browser.listen()
        await browser.hears("caller", CALLER_HZ)
        await browser.page.evaluate("window.audio.setVolume('supervisor', 0.5)")
        await at.call.accept("claim-1")
        await browser.hears("supervisor", SUPERVISOR_HZ)
        await browser.page.wait_for_function("window.audio.levels().supervisor > 0.5")
        await browser.page.wait_for_function("Math.abs(window.audio.gain('supervisor') - 0.5) < 0.01")
        await browser.page.evaluate("window.audio.setMuted('supervisor', true)")
        await browser.page.wait_for_function("window.audio.gain('supervisor') < 0.01")
        assert await browser.page.evaluate("window.audio.gain('caller')") == 1
        await browser.hears("caller", CALLER_HZ)
        assert await browser.page.evaluate("window.states") == ["connecting", "listening"]


async def test_mute_and_volume_are_each_voices_own(stage, tab) -> None:
    """The level still shows who speaks; what one hears is the gain behind it."""
    async with stage() as at, tab(at) as browser:
        await browser.listen()
        await browser.hears("caller", CALLER_HZ)
        await browser.page.evaluate("window.audio.setMuted('caller', true)")
        await browser.page.evaluate("window.audio.setVolume('agent', 0.25)")
        await browser.page.wait_for_function(
            "window.audio.gain('caller') < 0.01 && Math.abs(window.audio.gain('agent') - 0.25) < 0.01"
        )
        await browser.hears("caller", CALLER_HZ)
