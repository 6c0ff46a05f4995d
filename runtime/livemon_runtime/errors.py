"""The errors of this package.

LivemonError
├── InvalidName      a workspace, call or runtime name that the protocol does not allow
├── ProtocolError    an event, entry or command that is not what docs/protocol.md says
├── Refusal          raised by a bot's handler: the command is refused, and its text is shown to the supervisor
│   ├── Failure      … it was tried, and has failed
│   └── Unsupported  … it cannot be done with this call at all
└── RtpError         bytes that are not an RTP packet we can carry
"""

from typing import Literal


class LivemonError(Exception):
    """Base of all errors raised by livemon_runtime."""


class InvalidName(LivemonError, ValueError):
    """A name that cannot stand in a key. `kind`, `value` and `allowed` say which and why."""

    def __init__(self, kind: str, value: str, allowed: str) -> None:
        super().__init__(f"{kind} {value[:160]!r} is not a valid name: use {allowed}")
        self.kind, self.value, self.allowed = kind, value, allowed


class ProtocolError(LivemonError, ValueError):
    """A message that breaks the protocol. `reason` is a short word, fit for a metric's label."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.detail = reason, detail


class RtpError(ProtocolError):
    """Bytes that are not a carriable RTP packet."""


class Refusal(LivemonError):
    """Raise it in an `on_end`, `on_inject` or `on_take_over` handler: its text says why, to the supervisor."""

    code: Literal["refused", "failed", "unsupported"] = "refused"


class Failure(Refusal):
    """As `Refusal`, for what was tried in vain."""

    code = "failed"


class Unsupported(Refusal):
    """As `Refusal`, for what cannot be done with this call at all."""

    code = "unsupported"
