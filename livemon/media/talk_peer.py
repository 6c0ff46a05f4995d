"""One supervisor's connection: the caller's voice goes down as to a listener, the microphone's packets come up.

They are taken as they come off the wire, still in Opus: aiortc's receiver, which would decode each and wait for four
first, never sees them.
"""

from collections.abc import Callable

from aiortc import RTCRtpTransceiver

from livemon_runtime.codecs import Codec
from livemon_runtime.errors import RtpError
from livemon_runtime.rtp import RtpPacket

from .fan_out import Outlet
from .metrics import MICROPHONE_BAD
from .offer import codec_name
from .peer import Peer
from .voices import HeardVoice


class TalkPeer(Peer):
    """`on_packet` is called for each packet of the microphone's, in the loop's thread; it must not raise."""

    def __init__(self, caller: Codec, on_connected: Callable[[], None], on_packet: Callable[[RtpPacket], None]) -> None:
        self._caller = caller
        self._on_packet = on_packet
        super().__init__({"caller": caller}, on_connected)

    def _add_voice(self, voice: HeardVoice, codec: Codec) -> RTCRtpTransceiver:
        """The microphone always sends Opus: the first of the codecs that the answer names is the browser's choice."""
        codecs = [Codec.OPUS] if codec_name(codec) == codec_name(Codec.OPUS) else [Codec.OPUS, codec]
        return self._add_transceiver(voice, "sendrecv", codecs)

    def _payload_type(self, name: str) -> int:
        (transceiver,) = self._transceivers.values()
        for codec in transceiver._codecs:  # pyright: ignore[reportPrivateUsage]
            if f"{codec.mimeType.split('/')[1].lower()}/{codec.clockRate}" == name:
                return codec.payloadType or 0
        return -1

    def _outlet(self, transceiver: RTCRtpTransceiver) -> Outlet:
        outlet = super()._outlet(transceiver)
        outlet.payload_type = self._payload_type(codec_name(self._caller))
        return outlet

    async def _discard(self, data: bytes, arrival_time_ms: int) -> None:
        """What comes in, unprotected by now, is the microphone: hand it on if it is Opus."""
        try:
            packet = RtpPacket.parse(data)
        except RtpError:
            MICROPHONE_BAD.inc()
            return
        if packet.payload_type == self._payload_type(codec_name(Codec.OPUS)):
            self._on_packet(packet)
