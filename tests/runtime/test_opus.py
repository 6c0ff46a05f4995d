"""Lengths of Opus packets, against the table of RFC 6716, section 3.1, and a real encoder."""

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemon_runtime import opus
from livemon_runtime.errors import RtpError

MS = 48


@pytest.mark.parametrize(
    ("config", "ms"),
    [(0, 10), (1, 20), (2, 40), (3, 60), (11, 60), (12, 10), (13, 20), (15, 20), (16, 2.5), (19, 20), (31, 20)],
)
def test_one_frame_is_as_long_as_its_configuration_says(config: int, ms: float) -> None:
    assert opus.duration(bytes([config << 3, 1, 2])) == ms * MS


@pytest.mark.parametrize(("code", "second", "frames"), [(0, 0, 1), (1, 0, 2), (2, 0, 2), (3, 0x83, 3), (3, 6, 6)])
def test_a_packet_holds_as_many_frames_as_its_code_says(code: int, second: int, frames: int) -> None:
    assert opus.duration(bytes([19 << 3 | code, second, 0])) == frames * 20 * MS


@pytest.mark.parametrize("packet", [b"", b"\x03", b"\x03\x00", bytes([3 << 3 | 3, 3])])
def test_no_packet_is_empty_without_frames_or_longer_than_120_ms(packet: bytes) -> None:
    with pytest.raises(RtpError):
        opus.duration(packet)


@given(st.binary(max_size=20))
def test_any_bytes_have_a_length_or_a_named_error(packet: bytes) -> None:
    try:
        assert 0 < opus.duration(packet) <= 120 * MS
    except RtpError as error:
        assert error.reason in {"packet_empty", "bad_opus"}


def test_packets_of_a_real_encoder_are_as_long_as_what_went_in() -> None:
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = 48_000, "mono", "s16"
    samples = (8_000 * np.sin(np.arange(960) / 20)).astype(np.int16)
    lengths: list[int] = []
    for _ in range(20):
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis, :], format="s16", layout="mono")
        frame.sample_rate = 48_000
        lengths += [opus.duration(bytes(packet)) for packet in encoder.encode(frame)]
    assert set(lengths) == {960}
    assert len(lengths) >= 18
