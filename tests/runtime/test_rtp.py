"""RTP packets by RFC 3550, section 5.1, from the vectors that any client may use, and from bytes that mean harm."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemon_runtime.errors import RtpError
from livemon_runtime.rtp import RtpPacket

VECTORS: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[2] / "docs" / "vectors" / "rtp.json").read_text("utf-8")
)


@pytest.mark.parametrize("vector", VECTORS["packets"], ids=lambda vector: vector["what"])
def test_a_packet_reads_as_its_vector_says(vector: dict[str, Any]) -> None:
    packet = RtpPacket.parse(bytes.fromhex(vector["hex"]))
    expected = {name: vector[name] for name in ("payload_type", "sequence", "timestamp", "ssrc", "marker")}
    assert {name: getattr(packet, name) for name in expected} == expected
    assert packet.payload.hex() == vector["payload"]


@pytest.mark.parametrize("vector", [v for v in VECTORS["packets"] if v.get("plain")], ids=lambda v: v["what"])
def test_a_plain_packet_is_written_as_its_vector_says(vector: dict[str, Any]) -> None:
    fields = {name: vector[name] for name in ("payload_type", "sequence", "timestamp", "ssrc", "marker")}
    assert RtpPacket(payload=bytes.fromhex(vector["payload"]), **fields).pack().hex() == vector["hex"]


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda vector: vector["what"])
def test_what_is_no_packet_is_refused_with_its_reason(vector: dict[str, Any]) -> None:
    with pytest.raises(RtpError) as error:
        RtpPacket.parse(bytes.fromhex(vector["hex"]) + bytes(vector.get("zeros", 0)))
    assert error.value.reason == vector["reason"]


@given(
    st.integers(0, 127),
    st.integers(0, 2**16 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.binary(min_size=1, max_size=1_488),
    st.booleans(),
)
def test_what_is_packed_reads_the_same(
    kind: int, sequence: int, timestamp: int, ssrc: int, payload: bytes, marker: bool
) -> None:
    packet = RtpPacket(kind, sequence, timestamp, ssrc, payload, marker)
    assert RtpPacket.parse(packet.pack()) == packet


@given(st.binary(max_size=1_600))
def test_any_bytes_are_a_packet_or_a_named_error(data: bytes) -> None:
    try:
        packet = RtpPacket.parse(data)
    except RtpError as error:
        assert error.reason
    else:
        assert packet.payload
        assert len(packet.payload) <= len(data) - 12
