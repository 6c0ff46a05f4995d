"""G.711 μ-law as it comes in Media Streams: silence, and what it is in 16-bit samples. Pure."""

import base64
import struct
from functools import cache

SILENT = 0xFF
BYTES_A_MS = 8
FRAME = 160
"""Bytes of 20 ms."""


def _linear(code: int) -> int:
    """G.711, table 2, read backwards."""
    code = ~code & 0xFF
    magnitude = ((code & 0x0F) << 3) + 0x84 << (code >> 4 & 7)
    return 0x84 - magnitude if code & 0x80 else magnitude - 0x84


_SAMPLES = [struct.pack("<h", _linear(code)) for code in range(256)]


def to_pcm(mu_law: bytes) -> bytes:
    """s16le of the same length in time."""
    return b"".join([_SAMPLES[code] for code in mu_law])


@cache
def _silence(size: int) -> str:
    return base64.b64encode(bytes([SILENT]) * size).decode()


def silence(size: int) -> str:
    """Base64 of `size` bytes of silence."""
    return _silence(size) if size <= 10 * FRAME else _silence.__wrapped__(size)
