"""Rival: aiortc used plainly, as its documentation shows it: a track a voice, relayed to an RTCPeerConnection a listener.

The voices come as RTP over UDP, on the ports that RIVAL_FEEDS names: caller's and agent's of the first call, and so on.
"""

import asyncio
import os
from fractions import Fraction
from typing import Any

import av
import uvicorn
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaRelay
from fastapi import FastAPI

from livemon.bench.rivals.source import port
from livemon_runtime.rtp import RtpPacket

RATE, FRAME = 48_000, 960
WAITING = 5
"""Packets of a voice that may wait to be decoded: sound of a time when nobody listened is worth nothing."""

app = FastAPI()
relay = MediaRelay()
voices: list["Voice"] = []
connections: set[RTCPeerConnection] = set()


class Voice(MediaStreamTrack):
    """One voice, decoded, since that is what aiortc's senders take."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._packets: asyncio.Queue[bytes] = asyncio.Queue(WAITING)
        self._decoder: Any = av.CodecContext.create("libopus", "r")
        self._decoder.sample_rate, self._decoder.layout = RATE, "stereo"
        self._at = 0

    def take(self, datagram: bytes) -> None:
        if self._packets.full():
            self._packets.get_nowait()
        self._packets.put_nowait(RtpPacket.parse(datagram).payload)

    async def recv(self) -> av.AudioFrame:
        while True:
            for frame in self._decoder.decode(av.Packet(await self._packets.get())):
                frame.pts, frame.time_base = self._at, Fraction(1, RATE)
                self._at += FRAME
                return frame


class Feed(asyncio.DatagramProtocol):
    def __init__(self, voice: Voice) -> None:
        self._voice = voice

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self._voice.take(data)


@app.get("/")
async def ready() -> str:
    return "ready"


@app.post("/offer/{call}")
async def offer(call: int, body: dict[str, str]) -> dict[str, str]:
    connection = RTCPeerConnection()
    connections.add(connection)
    for voice in voices[2 * call : 2 * call + 2]:
        connection.addTrack(relay.subscribe(voice))
    await connection.setRemoteDescription(RTCSessionDescription(body["sdp"], "offer"))
    await connection.setLocalDescription(await connection.createAnswer())
    return {"sdp": connection.localDescription.sdp}


async def main() -> None:
    loop = asyncio.get_running_loop()
    for feed in os.environ["RIVAL_FEEDS"].split(","):
        voice = Voice()
        voices.append(voice)
        await loop.create_datagram_endpoint(lambda voice=voice: Feed(voice), local_addr=("127.0.0.1", int(feed)))
    await uvicorn.Server(uvicorn.Config(app, port=port(), log_level="warning")).serve()


if __name__ == "__main__":
    asyncio.run(main())
