"""The limit on a call's packets (docs/protocol.md, «What bad input gets»). Pure; the time comes in."""

PACKETS_A_SECOND = 400
BURST = 2 * PACKETS_A_SECOND


class PacketRate:
    """A token bucket: `PACKETS_A_SECOND` packets, bursts of twice that."""

    def __init__(self) -> None:
        self._tokens = float(BURST)
        self._at: float | None = None

    def allows(self, now: float) -> bool:
        """Whether a packet at `now` (seconds) is within the limit; it is counted if so."""
        if self._at is not None:
            self._tokens = min(BURST, self._tokens + (now - self._at) * PACKETS_A_SECOND)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
