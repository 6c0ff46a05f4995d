"""What `peer` and `fan_out` use of aiortc and aioice that is private there, and that another version may change."""

import asyncio
from importlib.metadata import version

import pytest
from aioice import ice
from aiortc import RTCConfiguration, RTCPeerConnection

from livemon.media import peer

WORKS_WITH = {"aiortc": "1.16", "aioice": "0.13"}


@pytest.fixture
async def connection():
    made = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    yield made
    await made.close()


@pytest.mark.parametrize(
    ("part", "names"),
    [
        (lambda c: c.sender, "_ssrc _stream_id _track_id"),
        (
            lambda c: c.sender,
            "_RTCRtpSender__packet_count _RTCRtpSender__octet_count "
            "_RTCRtpSender__rtp_timestamp _RTCRtpSender__ntp_timestamp",
        ),
        (lambda c: c, "_codecs _headerExtensions"),
        (lambda c: c.sender.transport, "_handle_rtp_data _handle_rtcp_data _tx_srtp"),
        (lambda c: c.sender.transport.transport._connection, "_nominated _queue"),
    ],
)
async def test_the_private_parts_that_sending_needs_are_there(connection, part, names):
    transceiver = connection.addTransceiver("audio", direction="sendonly")
    missing = [name for name in names.split() if not hasattr(part(transceiver), name)]
    installed = {name: version(name) for name in WORKS_WITH}
    assert not missing, f"{installed} lack {missing}; livemon/media/{{peer,fan_out}}.py were written for {WORKS_WITH}"


def test_consent_is_asked_for_every_second_and_given_up_after_three_misses():
    assert (ice.CONSENT_INTERVAL, ice.CONSENT_FAILURES) == (1, 3)
    names = ice.Connection.query_consent.__code__.co_names
    assert {"CONSENT_INTERVAL", "CONSENT_FAILURES"} <= set(names), "aioice no longer reads these module settings"


def test_a_machine_without_a_network_offers_loopback(monkeypatch):
    monkeypatch.setattr(peer.ice, "_stock_host_addresses", lambda _four, _six: [])
    assert ice.get_host_addresses(True, True) == ["127.0.0.1"]
    assert ice.get_host_addresses(False, True) == []


async def test_a_flood_from_the_network_pushes_the_oldest_out_and_the_end_gets_through():
    inbox = peer._Inbox(peer.MAX_UNREAD)
    for n in range(10 * peer.MAX_UNREAD):
        inbox.put_nowait(n)
    inbox.put_nowait(None)
    waiting = [inbox.get_nowait() for _ in range(inbox.qsize())]
    assert (len(waiting), waiting[-1]) == (peer.MAX_UNREAD, None)
    with pytest.raises(asyncio.QueueEmpty):
        inbox.get_nowait()
