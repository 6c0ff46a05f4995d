"""The audio codecs that a voice may have (docs/protocol.md, «Call» and «Audio»)."""

from dataclasses import dataclass
from enum import StrEnum


class Codec(StrEnum):
    OPUS = "opus"
    PCMU = "pcmu"
    PCMA = "pcma"
    L16_8000 = "l16/8000"
    L16_16000 = "l16/16000"
    L16_24000 = "l16/24000"
    L16_48000 = "l16/48000"

    @property
    def form(self) -> "CodecForm":
        return _FORMS[self]


@dataclass(frozen=True, slots=True)
class CodecForm:
    """How a codec stands in RTP: payload type, clock in Hz, and the usual packet in milliseconds."""

    payload_type: int
    clock: int
    packet_ms: int = 20

    @property
    def packet_ticks(self) -> int:
        """RTP clock ticks of one usual packet."""
        return self.clock * self.packet_ms // 1000


_FORMS = {
    Codec.OPUS: CodecForm(111, 48_000),
    Codec.PCMU: CodecForm(0, 8_000),
    Codec.PCMA: CodecForm(8, 8_000),
    Codec.L16_8000: CodecForm(97, 8_000),
    Codec.L16_16000: CodecForm(97, 16_000),
    Codec.L16_24000: CodecForm(97, 24_000),
    Codec.L16_48000: CodecForm(97, 48_000, packet_ms=10),
}
