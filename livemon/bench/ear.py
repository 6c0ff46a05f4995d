"""One listener without a browser: it connects as one does, and then only notes when which packet came.

Once connected it reads its socket itself. The headers of SRTP are in the clear, so nothing is decrypted, and the time of
arrival is the kernel's, so that it does not matter when the packet is read: a listener costs a fraction of what the server
spends on it. What is no RTP (connectivity checks, reports) goes on to aiortc, which answers as a browser's stack would.
"""

import asyncio
import os
import re
import socket
import struct
from array import array
from typing import Any

from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.sdp import SessionDescription

SO_TIMESTAMPNS = 35
"""Linux's number on all but a few old machines; Python 3.11 has no name for it."""
CONNECT_TIMEOUT_S = 60.0
REPORTED_PACKETS = 3
"""So many packets of each voice go to aiortc, so that its receiver reports on them."""

_HEADER = struct.Struct("!BBHII")
_TIME = struct.Struct("@qq")
_ROOM = memoryview(bytearray(2048))
_ANCILLARY = socket.CMSG_SPACE(_TIME.size)


class Ear:
    """`number` names it; `section` below is the place of a voice among the media sections, 0 or 1."""

    def __init__(self, number: int) -> None:
        self.number = number
        configuration = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        self.connection = RTCPeerConnection(configuration)
        self.heard: dict[int, tuple[array[int], array[int]]] = {}
        """By SSRC: sequence numbers and times of arrival (ns since the epoch)."""
        self._socket: socket.socket | None = None
        self._protocol: Any = None
        self._passed: dict[int, int] = {}

    async def offer(self) -> str:
        """An offer to hear two voices."""
        for _ in range(2):
            self.connection.addTransceiver("audio", direction="recvonly")
        await self.connection.setLocalDescription(await self.connection.createOffer())
        # aiortc names a track even where it only receives; browsers don't (RFC 9429, section 5.2.1)
        return re.sub(r"^a=(msid|ssrc):.*\r\n", "", self.connection.localDescription.sdp, flags=re.MULTILINE)

    async def take(self, answer: str) -> None:
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def answer(self, offer: str) -> str:
        await self.connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await self.connection.setLocalDescription(await self.connection.createAnswer())
        return self.connection.localDescription.sdp

    async def connected(self) -> None:
        """Wait until it is, then read the socket without aiortc. Raises `TimeoutError`."""
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            while self.connection.connectionState != "connected":
                if self.connection.connectionState in ("failed", "closed"):
                    raise TimeoutError
                await asyncio.sleep(0.02)
        transport: Any = self.connection.getTransceivers()[0].receiver.transport
        protocol = self._protocol = transport.transport._connection._nominated[1].protocol
        found = protocol.transport.get_extra_info("socket").fileno()
        loop: Any = asyncio.get_running_loop()
        loop._remove_reader(found)
        self._socket = socket.socket(fileno=os.dup(found))
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        for section in SessionDescription.parse(self.connection.remoteDescription.sdp).media[:2]:
            self.heard[section.ssrc[0].ssrc] = (array("q"), array("q"))

    def read(self) -> None:
        """Take in what the kernel has for it."""
        if self._socket is None:
            return
        receive = self._socket.recvmsg_into
        try:
            while True:
                length, told, _, sender = receive([_ROOM], _ANCILLARY)
                first, kind, sequence, _, ssrc = _HEADER.unpack_from(_ROOM)
                voice = self.heard.get(ssrc)
                if first >> 6 == 2 and voice is not None and not 64 <= kind & 0x7F < 96:
                    seconds, nanoseconds = _TIME.unpack(told[0][2])
                    voice[0].append(sequence)
                    voice[1].append(seconds * 1_000_000_000 + nanoseconds)
                    if self._reported(ssrc):
                        continue
                self._protocol.datagram_received(bytes(_ROOM[:length]), sender)
        except BlockingIOError:
            return

    def _reported(self, ssrc: int) -> bool:
        passed = self._passed[ssrc] = self._passed.get(ssrc, 0) + 1
        return passed > REPORTED_PACKETS

    def forget(self) -> None:
        """Begin anew: what has come so far does not count."""
        for sequences, times in self.heard.values():
            del sequences[:], times[:]

    async def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        await self.connection.close()
