"""What happens to input that breaks the protocol: dropped, counted by reason and runtime, and named in the log.

The log names a runtime at most once a minute, with how many were dropped since; a runtime that floods cannot flood it.
"""

import structlog

from livemon.metrics import INPUT_DROPPED
from livemon_runtime.errors import ProtocolError

_LOG_EVERY_MS = 60_000
_MAX_RUNTIMES = 1_000
"""More names than this share the label `other`: a label's values must be bounded."""

_log = structlog.get_logger("livemon.input")


class Drops:
    """Counts and logs dropped input of one workspace."""

    def __init__(self, workspace: str) -> None:
        self._workspace = workspace
        self._runtimes: dict[str, _Logged] = {}

    def drop(self, kind: str, error: ProtocolError, runtime: str | None, now_ms: int, call_id: str = "") -> None:
        """Count one dropped `kind` (event, entry, partial) of `runtime`."""
        label = runtime or "unknown"
        if label not in self._runtimes and len(self._runtimes) >= _MAX_RUNTIMES:
            label = "other"
        INPUT_DROPPED.labels(self._workspace, kind, error.reason, label).inc()
        logged = self._runtimes.setdefault(label, _Logged())
        logged.dropped += 1
        if logged.at is not None and now_ms - logged.at < _LOG_EVERY_MS:
            return
        _log.warning(
            "Input from a runtime was dropped: it breaks the protocol. Other calls are not affected.",
            workspace=self._workspace,
            kind=kind,
            reason=error.reason,
            detail=error.detail[:300],
            runtime=label,
            call_id=call_id[:128],
            dropped_since_last_word=logged.dropped,
        )
        logged.at, logged.dropped = now_ms, 0


class _Logged:
    def __init__(self) -> None:
        self.at: int | None = None
        self.dropped = 0
