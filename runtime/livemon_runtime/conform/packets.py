"""What is wrong with one voice's packets, as they came (docs/protocol.md, «Audio»). Pure."""

from itertools import pairwise
from statistics import median

from ..codecs import Codec
from ..errors import RtpError
from ..opus import duration
from ..rtp import RtpPacket

_TOO_LARGE = 1_300
_UNSTEADY_S = 1.0
"""How far the voice's time may be from the clock's: what a busy machine and its network do, and not more."""

Came = list[tuple[float, bytes]]


def faults(codec: Codec, came: Came) -> dict[str, str]:
    """By the rule that is broken, what was seen."""
    packets: list[tuple[float, RtpPacket]] = []
    for at, message in came:
        try:
            packets.append((at, RtpPacket.parse(message)))
        except RtpError as error:
            return {"rtp.packet": f"{error.reason}: {message[:16].hex()} … ({len(message)} bytes)"}
    largest = max(len(packet.payload) for _, packet in packets)
    if not codec.startswith("l16") and largest > _TOO_LARGE:
        return {"rtp.packet": f"a payload of {largest} bytes"}
    types = {packet.payload_type for _, packet in packets}
    if types != {codec.form.payload_type}:
        return {"rtp.payload_type": f"{codec} came as payload type {', '.join(map(str, sorted(types)))}"}
    ssrcs = {packet.ssrc for _, packet in packets}
    if len(ssrcs) > 1:
        return {"rtp.ssrc": f"{len(ssrcs)} of them in {len(packets)} packets of one voice"}
    return _order(codec, packets) or _time(codec, packets)


def _order(codec: Codec, packets: list[tuple[float, RtpPacket]]) -> dict[str, str]:
    for (_, one), (_, two) in pairwise(packets):
        if two.sequence != (one.sequence + 1) & 0xFFFF:
            return {"rtp.sequence": f"{two.sequence} came after {one.sequence}"}
        gone, lasted = (two.timestamp - one.timestamp) & 0xFFFFFFFF, ticks(codec, one.payload)
        jumps = lasted < gone < 0x80000000
        if gone != lasted and not (jumps and two.marker):
            how = f"{gone} after a packet of {lasted}, without marker bit"
            return {"rtp.timestamp": f"the timestamp went up by {how}"}
    return {}


def _time(codec: Codec, packets: list[tuple[float, RtpPacket]]) -> dict[str, str]:
    broken: dict[str, str] = {}
    usual, found = codec.form.packet_ticks, median(ticks(codec, packet.payload) for _, packet in packets)
    if found != usual:
        broken["rtp.duration"] = f"packets of {found * 1000 / codec.form.clock:g} ms"
    (began, first), (ended, last) = packets[0], packets[-1]
    voice_s = ((last.timestamp - first.timestamp) & 0xFFFFFFFF) / codec.form.clock
    if abs(voice_s - (ended - began)) > _UNSTEADY_S:
        broken["rtp.pace"] = f"{voice_s:.1f} s of the voice came within {ended - began:.1f} s"
    return broken


def ticks(codec: Codec, payload: bytes) -> int:
    """How long it lasts, in ticks of the codec's clock; 0 for Opus that cannot be read."""
    if codec is Codec.OPUS:
        try:
            return duration(payload)
        except RtpError:
            return 0
    return len(payload) // 2 if codec.startswith("l16") else len(payload)
