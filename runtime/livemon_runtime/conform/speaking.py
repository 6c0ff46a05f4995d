"""A supervisor's voice, as livemon would publish it: silence, in whatever codec the runtime wants."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncGenerator

from redis.asyncio import Redis

from ..codecs import Codec
from ..rtp import RtpPacket
from .beside import beside

_OPUS_SILENCE = bytes.fromhex("f8fffe")
_G711_SILENCE = {Codec.PCMU: b"\xff", Codec.PCMA: b"\xd5"}


def silence(codec: Codec) -> bytes:
    """The payload of one usual packet."""
    if codec is Codec.OPUS:
        return _OPUS_SILENCE
    return _G711_SILENCE.get(codec, b"\0\0") * codec.form.packet_ticks


@contextlib.asynccontextmanager
async def speaking(redis: Redis, channel: str, codec: Codec) -> AsyncGenerator[None]:
    """Speaks on that channel as long as the block lasts."""
    async with beside(lambda over: _speak(redis, channel, codec, over)):
        yield


async def _speak(redis: Redis, channel: str, codec: Codec, over: asyncio.Event) -> None:
    form, payload, ssrc, n = codec.form, silence(codec), secrets.randbits(32), 0
    loop = asyncio.get_running_loop()
    due = loop.time()
    while not over.is_set():
        packet = RtpPacket(
            form.payload_type, n & 0xFFFF, n * form.packet_ticks & 0xFFFFFFFF, ssrc, payload, marker=n == 0
        )
        await redis.spublish(channel, packet.pack())
        n += 1
        due = max(due + form.packet_ms / 1000, loop.time() - 0.5)
        await asyncio.sleep(max(0.0, due - loop.time()))
