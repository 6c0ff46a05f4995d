"""The limits on packets (docs/protocol.md, «What bad input gets»). Pure; the time comes in."""

PACKETS_A_SECOND = 400
BURST = 2 * PACKETS_A_SECOND


class PacketRate:
    """A token bucket: so much a second, and bursts. Unless said, `PACKETS_A_SECOND` packets, and twice that at once."""

    def __init__(self, a_second: float = PACKETS_A_SECOND, burst: float = BURST) -> None:
        self._a_second, self._burst = a_second, burst
        self._tokens = float(burst)
        self._at: float | None = None

    def allows(self, now: float, cost: float = 1) -> bool:
        """Whether a packet at `now` (seconds) is within the limit; it is counted if so."""
        if self._at is not None:
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._a_second)
        self._at = now
        if self._tokens < cost:
            return False
        self._tokens -= cost
        return True
