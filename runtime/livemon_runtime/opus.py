"""How long an Opus packet is, from its first bytes (RFC 6716, section 3.1 and 3.2). Pure; decodes nothing."""

from .errors import RtpError

CLOCK = 48_000
_LONGEST = CLOCK * 120 // 1000
_SILK = (480, 960, 1920, 2880)
_HYBRID = (480, 960)
_CELT = (120, 240, 480, 960)


def duration(packet: bytes) -> int:
    """Samples at 48 kHz. Raises `RtpError` for what cannot be an Opus packet."""
    if not packet:
        raise RtpError("packet_empty")
    toc = packet[0]
    samples = _frame(toc >> 3) * _frames(packet, toc & 3)
    if samples > _LONGEST:
        raise RtpError("bad_opus", f"{samples} samples: longer than 120 ms (R5)")
    return samples


def _frame(config: int) -> int:
    if config < 12:
        return _SILK[config % 4]
    if config < 16:
        return _HYBRID[config % 2]
    return _CELT[config % 4]


def _frames(packet: bytes, code: int) -> int:
    if code == 0:
        return 1
    if code < 3:
        return 2
    if len(packet) < 2 or not packet[1] & 0x3F:
        raise RtpError("bad_opus", "a code 3 packet without frames (R6, R7)")
    return packet[1] & 0x3F
