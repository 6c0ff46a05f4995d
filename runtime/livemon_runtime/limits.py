"""How much one call may say (docs/protocol.md, «What bad input gets»). Pure."""

EVENTS_PER_S = 100
PACKETS_PER_S = 400
KEPT_ENTRIES = 10_000
KEPT_BYTES = 20_000_000


class TokenBucket:
    """`rate` a second on average, bursts of twice that."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._tokens = self._most = 2 * rate
        self._at = float("-inf")

    def take(self, now: float) -> bool:
        """Whether one more may pass at `now` (monotonic seconds)."""
        if now > self._at:
            self._tokens = min(self._most, self._tokens + (now - self._at) * self._rate)
            self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
