"""How many events a second one call may send (a token bucket a call). Pure; time comes in as an argument."""


class RateLimit:
    """At most `rate` a second for each key, with bursts of `burst`."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate / 1000
        self._burst = burst
        self._buckets: dict[str, tuple[float, int]] = {}

    def allow(self, key: str, now_ms: int) -> bool:
        """Take one token; False when there is none."""
        tokens, at = self._buckets.get(key, (float(self._burst), now_ms))
        tokens = min(self._burst, tokens + max(0, now_ms - at) * self._rate)
        allowed = tokens >= 1
        self._buckets[key] = (tokens - 1 if allowed else tokens, now_ms)
        return allowed

    def forget_idle(self, now_ms: int) -> None:
        """Drop the buckets that are full again, so that memory follows the calls that are busy now."""
        idle = now_ms - self._burst / self._rate
        self._buckets = {key: bucket for key, bucket in self._buckets.items() if bucket[1] > idle}

    def __len__(self) -> int:
        return len(self._buckets)
