"""Outlets and the fan-out: numbers, markers and header of what is sent, and what the sender's reports say of it."""

import itertools
import struct
from dataclasses import dataclass, field

from aiortc import RTCPeerConnection
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpSendParameters
from aiortc.rtp import HeaderExtensionsMap, RtpPacket
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from livemon.media.continuity import VoicePacket
from livemon.media.fan_out import FanOut, Outlet

MID = RTCRtpHeaderExtensionParameters(id=4, uri="urn:ietf:params:rtp-hdrext:sdes:mid")


@dataclass
class Wire:
    """The other end of a listener's path; `full` takes nothing."""

    packets: list[bytes] = field(default_factory=list)
    full: bool = False

    def send(self, packet: bytes) -> bool:
        if not self.full:
            self.packets.append(packet)
        return not self.full


def extensions(*known: RTCRtpHeaderExtensionParameters) -> HeaderExtensionsMap:
    made = HeaderExtensionsMap()
    made.configure(RTCRtpSendParameters(headerExtensions=list(known)))
    return made


def outlet(wire: Wire, known=(MID,)) -> tuple[Outlet, object]:
    sender = RTCPeerConnection().addTransceiver("audio", direction="sendonly").sender
    return Outlet(sender, wire, 111, "1", extensions(*known)), sender


def count(name: str) -> float:
    return REGISTRY.get_sample_value(name) or 0


def voice(*sequences: int) -> list[VoicePacket]:
    return [VoicePacket(n, n * 960, n == 0, b"%d" % n) for n in sequences]


async def test_packets_keep_their_order_distance_marker_and_payload():
    wire = Wire()
    out, sender = outlet(wire)
    for packet in voice(0, 1, 2, 7, 6):
        assert out.send(packet, 0)
    sent = [RtpPacket.parse(data, extensions(MID)) for data in wire.packets]
    first = sent[0]
    assert [(one.sequence_number - first.sequence_number) & 0xFFFF for one in sent] == [0, 1, 2, 7, 6]
    assert [(one.timestamp - first.timestamp) & 0xFFFFFFFF for one in sent] == [n * 960 for n in (0, 1, 2, 7, 6)]
    assert [one.marker for one in sent] == [1, 0, 0, 0, 0]
    assert [one.payload for one in sent] == [b"0", b"1", b"2", b"7", b"6"]
    assert {(one.payload_type, one.ssrc, one.extensions.mid) for one in sent} == {(111, sender._ssrc, "1")}


async def test_a_browser_that_did_not_ask_for_the_sections_name_gets_plain_packets():
    wire = Wire()
    out, _ = outlet(wire, known=())
    out.send(voice(0)[0], 0)
    assert wire.packets[0][0] == 0x80
    assert wire.packets[0][12:] == b"0"


async def test_numbers_wrap_as_16_and_32_bits_do():
    wire = Wire()
    out, _ = outlet(wire)
    for n in range(0, 200_000, 400):
        out.send(VoicePacket(n, n * 40_000, False, b"x"), 0)
    numbers = [struct.unpack_from("!HI", data, 2) for data in wire.packets]
    steps = {((b[0] - a[0]) & 0xFFFF, (b[1] - a[1]) & 0xFFFFFFFF) for a, b in itertools.pairwise(numbers)}
    assert steps == {(400, 400 * 40_000)}


@given(st.integers(0, 1 << 40))
def test_whoever_joins_in_the_middle_starts_far_from_a_wrap(sequence):
    """A wrap before the browser has the first packets would break its SRTP index (RFC 3711, section 3.3.1)."""

    class Sender:
        _ssrc = 7

    wire = Wire()
    Outlet(Sender(), wire, 111, "0", extensions()).send(VoicePacket(sequence, 0, False, b"x"), 0)
    (number,) = struct.unpack_from("!H", wire.packets[0], 2)
    assert number < 1 << 14


async def test_the_reports_count_what_was_sent_and_nothing_else():
    wire = Wire()
    out, sender = outlet(wire)
    for packet in voice(0, 1):
        out.send(packet, 0x1111)
    wire.full = True
    assert not out.send(voice(2)[0], 0x2222)
    wire.full = False
    assert out.send(voice(3)[0], 0x3333)
    stats = [one for one in (await sender.getStats()).values() if one.type == "outbound-rtp"]
    assert [(one.packetsSent, one.bytesSent) for one in stats] == [(3, 3)]
    assert sender._RTCRtpSender__ntp_timestamp == 0x3333
    (timestamp,) = struct.unpack_from("!I", wire.packets[-1], 4)
    assert sender._RTCRtpSender__rtp_timestamp == timestamp


async def test_a_packet_that_comes_late_leaves_the_reports_clock_at_the_newest():
    """The pair of times in a report is one instant; an older packet sent now is not."""
    wire = Wire()
    out, sender = outlet(wire)
    for n, packet in enumerate(voice(0, 1, 3, 2)):
        out.send(packet, n)
    (newest,) = struct.unpack_from("!I", wire.packets[2], 4)
    assert (sender._RTCRtpSender__rtp_timestamp, sender._RTCRtpSender__ntp_timestamp) == (newest, 2)
    assert sender._RTCRtpSender__packet_count == 4


async def test_each_listener_has_all_packets_from_when_it_came_until_it_left():
    fan_out, early, late = FanOut(), Wire(), Wire()
    first, second = outlet(early)[0], outlet(late)[0]
    fan_out.add(first)
    fan_out.send(voice(0, 1))
    fan_out.add(second)
    fan_out.send(voice(2))
    fan_out.remove(first)
    fan_out.remove(first)
    fan_out.send(voice(3, 4))
    assert len(fan_out) == 1
    assert [data[-1:] for data in early.packets] == [b"0", b"1", b"2"]
    assert [data[-1:] for data in late.packets] == [b"2", b"3", b"4"]


async def test_a_listener_whose_way_is_full_loses_packets_alone_and_they_are_counted():
    fan_out, stalled, well = FanOut(), Wire(full=True), Wire()
    fan_out.add(outlet(stalled)[0])
    fan_out.add(outlet(well)[0])
    sent, lost = count("livemon_listen_packets_total"), count("livemon_listen_packets_stalled_total")
    fan_out.send(voice(*range(50)))
    assert (len(well.packets), len(stalled.packets)) == (50, 0)
    assert count("livemon_listen_packets_total") - sent == 50
    assert count("livemon_listen_packets_stalled_total") - lost == 50
