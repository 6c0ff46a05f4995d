"""A call at the Twilio gateway through a whole take-over: the browser's microphone, livemon, Valkey, the command, and back.

The carrier stands in for Twilio; the bot is one of Pipecat's that knows nothing of livemon.
"""

import audioop
import base64
from pathlib import Path

import numpy as np
import pytest
from pipecat.frames.frames import TTSSpeakFrame
from playwright.async_api import expect

from tests.adapters.twilio.bots import pipecat
from tests.adapters.twilio.carrier import Carrier, calling, sid
from tests.adapters.twilio.serving import soon
from tests.adapters.twilio.test_dying import GatewayProcess
from tests.adapters.twilio.test_take_over import of_the_bot, sent_after_clear
from tests.adapters.twilio.tones import BOT, CALLER
from tests.browser.speaking import hears
from tests.browser.supervised import MICROPHONE_HZ, WITHIN_HZ, Desk
from tests.browser.test_take_over import Sit, sit, speaking_chromium  # noqa: F401
from tests.conftest import ValkeyProcess, free_port
from tests.media.call_source import loudest

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_call_at_the_twilio_gateway_is_heard_taken_over_rescued_and_ended(
    tmp_path: Path,
    valkey_of_livemon: ValkeyProcess,
    sit: Sit,  # noqa: F811
):
    maya, leo = await sit("Maya"), await sit("Leo")
    async with pipecat() as server:
        gateway = GatewayProcess(server.url, valkey_of_livemon.url, tmp_path, free_port())
        await gateway.start()
        try:
            async with calling(gateway.port, address=gateway.address) as carrier:
                bot = await server.bot()
                await bot.worker.queue_frame(TTSSpeakFrame("word " * 600))  # two minutes
                await leo.open_call(sid())
                await _listens(leo)
                await carrier.press("5")
                await expect(leo.page.get_by_text("Caller pressed")).to_be_visible()

                await maya.open_call(sid())
                await maya.takes_over()
                before = len(bot.hearing.pitches)
                await _hears_the_microphone(carrier)
                await maya.hears_the_caller(CALLER)
                await hears(leo.page, "agent", 0)
                await hears(leo.page, "supervisor", MICROPHONE_HZ)

                await maya.page.close()
                await expect(leo.take_over).to_have_text("Rescue")
                await leo.takes_over()
                await _hears_the_microphone(carrier)
                await leo.hears_the_caller(CALLER)
                await _ends(leo, carrier)
                assert of_the_bot(sent_after_clear(carrier)) == (0, 0)
                assert CALLER not in bot.hearing.pitches[before + 25 :]
        finally:
            gateway.kill()
            await gateway.gone()


async def _listens(desk: Desk) -> None:
    await expect(desk.page.get_by_text("started without speech-to-text")).to_be_visible()
    await desk.page.get_by_test_id("live-listen").click()
    await hears(desk.page, "caller", CALLER)
    await hears(desk.page, "agent", BOT)


async def _hears_the_microphone(carrier: Carrier) -> None:
    """From now on: what Twilio is sent has the tone."""
    seen = len(carrier.events("media"))

    def heard() -> bool:
        sounds = [base64.b64decode(message["media"]["payload"]) for message in carrier.events("media")[seen:]][-50:]
        samples = np.frombuffer(audioop.ulaw2lin(b"".join(sounds), 2), "<i2").astype(float)
        return len(sounds) == 50 and np.abs(samples).max() > 1_000 and _is_the_tone(loudest(samples, 8_000))

    await soon(heard)


def _is_the_tone(hz: float) -> bool:
    return abs(hz - MICROPHONE_HZ) < WITHIN_HZ


async def _ends(desk: Desk, carrier: Carrier) -> None:
    """The gateway has no credentials for Twilio's REST API, and says so."""
    await desk.page.get_by_test_id("end-call").click()
    await desk.page.get_by_test_id("end-call-confirm").click()
    await soon(carrier.closed.is_set)
    assert carrier.socket.close_code == 1000
    await expect(desk.page.get_by_test_id("call-ended")).to_be_visible()
    await expect(desk.page.get_by_text("Ended by closing Twilio's stream")).to_be_visible()
    await expect(desk.page.get_by_text("and the call goes on")).to_have_count(0)
    await desk.microphone_is_off()
