"""Listening end to end: a call's packets in Redis, an aiortc client's ears at the other end."""

import pytest

from livemon_runtime.codecs import Codec
from tests.media.call_source import AGENT_HZ, CALLER_HZ


@pytest.mark.parametrize(
    "codec", [Codec.OPUS, Codec.PCMU, Codec.PCMA, Codec.L16_8000, Codec.L16_24000, Codec.L16_48000]
)
async def test_each_voice_is_heard_on_its_own_track(stage, ear, codec) -> None:
    """The caller's tone arrives on the first track and the agent's on the second, whatever the codec."""
    async with stage(codec) as at:
        listener = ear()
        answer = await at.listening.open("call-1", "u1", "Ada", await listener.offer())
        await listener.accept(answer)
        assert answer.voices == ("caller", "agent")
        assert await listener.tone("caller") == pytest.approx(CALLER_HZ, abs=6)
        assert await listener.tone("agent") == pytest.approx(AGENT_HZ, abs=6)
