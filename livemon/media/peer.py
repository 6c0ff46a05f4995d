"""One listening browser's connection: ICE, DTLS and SDP by aiortc; voices go out through `fan_out`, nothing comes in.

It knows neither calls nor Redis. RTP that a browser sends in spite of the answer is counted and discarded before
anything could read it.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pylibsrtp
import structlog
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpCodecCapability,
    RTCRtpSender,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.rtcrtpparameters import RTCRtpSendParameters
from aiortc.rtp import HeaderExtensionsMap

from livemon_runtime.codecs import Codec

from . import ice
from .errors import BadOffer, PeerFailed
from .fan_out import MAX_UNSENT, Outlet
from .metrics import PACKETS_REFUSED
from .offer import Offer, codec_name
from .voices import HeardVoice

ANSWER_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 3.0
MAX_UNREAD = 256
"""Datagrams from the network that may wait to be read: checks and reports, a few a second."""

_log = structlog.get_logger(__name__)

ice.configure()


class Peer:
    """A connection that sends the given voices.

    `on_connected` is called when packets can be sent; `over` is set when it is lost, closed or has failed.
    """

    def __init__(self, codecs: Mapping[HeardVoice, Codec], on_connected: Callable[[], None]) -> None:
        configuration = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        self._connection = RTCPeerConnection(configuration)
        self._transceivers: dict[HeardVoice, RTCRtpTransceiver] = {
            voice: self._add_voice(voice, codec) for voice, codec in codecs.items()
        }
        self._way: Any = next(iter(self._transceivers.values())).sender.transport
        self._ice: Any = self._way.transport._connection
        self._ice._queue = _Inbox(MAX_UNREAD)
        self._way._handle_rtp_data = self._discard
        self._handle_rtcp: Any = self._way._handle_rtcp_data
        self._way._handle_rtcp_data = self._hear
        self.heard_at = time.monotonic()
        self.sent_unheard = 0  # packets since the browser's last report
        self.discarded = 0
        self.connected, self.over = asyncio.Event(), asyncio.Event()
        self._on_connected = on_connected
        self._connection.on("connectionstatechange", self._note_state)

    async def answer(self, offer: Offer) -> str:
        """The SDP answer, complete with candidates. Raises `BadOffer` or `PeerFailed`."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await self._connection.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
                await self._connection.setLocalDescription(await self._connection.createAnswer())
        except TimeoutError as error:
            raise PeerFailed("the server's network addresses could not be read in time") from error
        except OSError as error:
            raise PeerFailed("the server has no free network port") from error
        except Exception as error:
            # aiortc has no error of its own for what a hostile offer makes it run into
            raise BadOffer("it cannot be answered") from error
        return self._connection.localDescription.sdp

    def outlets(self) -> dict[HeardVoice, Outlet]:
        """Where each voice's packets go in, once it is connected."""
        return {voice: self._outlet(transceiver) for voice, transceiver in self._transceivers.items()}

    async def close(self) -> None:
        """Say goodbye and let go of the sockets, also where aiortc cannot end in order."""
        self.over.set()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._connection.close()
        except TimeoutError:
            _log.warning("a connection could not be closed in order; its sockets are closed now")
            await self._ice.close()

    def send(self, packet: bytes) -> bool:
        """Protect an RTP packet and send it, if the socket takes it."""
        pair = self._ice._nominated.get(1)
        if pair is None or self.over.is_set():
            return False
        socket = pair.protocol.transport
        if socket.is_closing() or socket.get_write_buffer_size() > MAX_UNSENT:
            return False
        try:
            socket.sendto(self._way._tx_srtp.protect(packet), pair.remote_addr)
        except (OSError, pylibsrtp.Error):
            self.over.set()
            return False
        except ValueError:  # longer than SRTP takes
            return False
        self.sent_unheard += 1
        return True

    def _add_voice(self, voice: HeardVoice, codec: Codec) -> RTCRtpTransceiver:
        return self._add_transceiver(voice, "sendonly", [codec])

    def _add_transceiver(self, voice: HeardVoice, direction: str, codecs: Sequence[Codec]) -> RTCRtpTransceiver:
        transceiver = self._connection.addTransceiver(_Parked(), direction=direction)
        transceiver.setCodecPreferences([_capability(codec) for codec in codecs])
        # named so in the answer's a=msid, by which the page tells the voices apart
        transceiver.sender._stream_id = transceiver.sender._track_id = voice  # pyright: ignore[reportPrivateUsage]
        return transceiver

    def _outlet(self, transceiver: RTCRtpTransceiver) -> Outlet:
        codecs, headers = transceiver._codecs, transceiver._headerExtensions  # pyright: ignore[reportPrivateUsage]
        extensions = HeaderExtensionsMap()
        extensions.configure(RTCRtpSendParameters(codecs=codecs, headerExtensions=headers))
        return Outlet(transceiver.sender, self, codecs[0].payloadType or 0, transceiver.mid or "", extensions)

    def _note_state(self) -> None:
        if self._connection.connectionState == "connected":
            self.heard_at = time.monotonic()
            self.connected.set()
            self._on_connected()
        elif self._connection.connectionState in ("failed", "closed"):
            self.over.set()

    async def _discard(self, data: bytes, arrival_time_ms: int) -> None:
        self.discarded += 1
        PACKETS_REFUSED.inc()

    async def _hear(self, data: bytes) -> None:
        self.heard_at, self.sent_unheard = time.monotonic(), 0
        await self._handle_rtcp(data)


class _Inbox(asyncio.Queue[Any]):
    """What has come in and is not read yet: a flood pushes the oldest out, and never grows in memory."""

    def put_nowait(self, item: Any) -> None:
        if self.full():
            self.get_nowait()
        super().put_nowait(item)


class _Parked(MediaStreamTrack):
    """A track that never has a frame: aiortc's own sender waits for it, and leaves sending to the outlet."""

    kind = "audio"

    async def recv(self) -> Any:
        await asyncio.Event().wait()


def _capability(codec: Codec) -> RTCRtpCodecCapability:
    name = codec_name(codec)
    for capability in RTCRtpSender.getCapabilities("audio").codecs:
        if f"{capability.mimeType.split('/')[1].lower()}/{capability.clockRate}" == name:
            return capability
    raise AssertionError(f"aiortc does not offer {name}")
