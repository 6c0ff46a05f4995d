"""Which runtimes are gone. Pure: answers of Redis and times in, verdicts out; no I/O.

A runtime whose key is missing is not reporting; it is lost only after `lost_after_ms` in which Redis answered every check
and the key stayed missing, so that an outage of Redis ends no call (docs/protocol.md, «A runtime that is gone»).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from livemon_runtime.protocol import RUNTIME_TTL_S

from .patience import Patience

LOST_AFTER_MS = 60_000
_MISSING = -2
"""What `PTTL` answers for a key that does not exist."""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """`quiet`: who is missing → last heard when (ms, Redis's clock); `heard`: back; `lost`: gone for good, as far as we know."""

    quiet: dict[str, int] = field(default_factory=dict[str, int])
    heard: set[str] = field(default_factory=set[str])
    lost: set[str] = field(default_factory=set[str])


class Liveness:
    """Follows the runtimes' keys from check to check."""

    def __init__(self, lost_after_ms: int = LOST_AFTER_MS) -> None:
        self._patience = Patience(lost_after_ms)
        self._heard_at: dict[str, int] = {}
        self._quiet: dict[str, int] = {}

    def check(self, ttls: Mapping[str, int], now: int, elapsed_ms: float) -> Verdicts:
        """Take what `PTTL` answered for every runtime that has calls.

        `now` is Redis's clock; `elapsed_ms` any clock that never jumps, by which the silence is measured.
        """
        missing = {runtime for runtime, ttl in ttls.items() if ttl == _MISSING}
        verdicts = Verdicts(lost=self._patience.check(missing, elapsed_ms))
        for runtime, ttl in ttls.items():
            if runtime in missing:
                verdicts.quiet[runtime] = self._quiet.setdefault(runtime, self._heard_at.get(runtime, now))
            else:
                self._present(runtime, ttl, now, verdicts)
        self._forget_all_but(ttls)
        return verdicts

    def interrupted(self) -> None:
        """Redis did not answer: the silence of every runtime is measured anew."""
        self._patience.interrupted()

    def is_quiet(self, runtime: str) -> bool:
        return runtime in self._quiet

    def _present(self, runtime: str, ttl: int, now: int, verdicts: Verdicts) -> None:
        # The key's age says when the runtime was last heard; one without expiry was set by hand.
        self._heard_at[runtime] = now - max(0, RUNTIME_TTL_S * 1000 - ttl) if ttl > 0 else now
        if runtime in self._quiet:
            del self._quiet[runtime]
            verdicts.heard.add(runtime)

    def _forget_all_but(self, runtimes: Mapping[str, int]) -> None:
        for runtime in (self._heard_at.keys() | self._quiet.keys()) - runtimes.keys():
            self._heard_at.pop(runtime, None)
            self._quiet.pop(runtime, None)
