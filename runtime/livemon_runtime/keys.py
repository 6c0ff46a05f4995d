"""The names of every key and channel in Redis (docs/protocol.md, «Names»). Pure; no I/O."""

import re
from dataclasses import dataclass
from typing import Literal

from .errors import InvalidName

Voice = Literal["caller", "agent"]

_WORKSPACE = re.compile(r"[a-z0-9-]{1,64}")
_ID = re.compile(r"[A-Za-z0-9_.-]{1,128}")


def check_workspace(slug: str) -> str:
    """Return `slug` if it is 1 to 64 of `[a-z0-9-]`; raise `InvalidName` otherwise."""
    if not _WORKSPACE.fullmatch(slug):
        raise InvalidName("workspace", slug, "1 to 64 of a-z, 0-9 and -")
    return slug


def check_id(kind: str, value: str) -> str:
    """Return `value` if it is 1 to 128 of `[A-Za-z0-9_.-]`; raise `InvalidName` otherwise."""
    if not _ID.fullmatch(value):
        raise InvalidName(kind, value, "1 to 128 of A-Z, a-z, 0-9, _, . and -")
    return value


@dataclass(frozen=True, slots=True)
class Keys:
    """Key and channel names of one workspace."""

    workspace: str = "default"

    def __post_init__(self) -> None:
        check_workspace(self.workspace)

    @property
    def _prefix(self) -> str:
        return f"livemon:{{{self.workspace}}}"

    @property
    def calls(self) -> str:
        return f"{self._prefix}:calls"

    @property
    def events(self) -> str:
        return f"{self._prefix}:events"

    def call(self, call_id: str) -> str:
        return f"{self._prefix}:call:{call_id}"

    def transcript(self, call_id: str) -> str:
        return f"{self._prefix}:call:{call_id}:transcript"

    def partials(self, call_id: str) -> str:
        return f"{self._prefix}:call:{call_id}:partials"

    def tap(self, call_id: str) -> str:
        return f"{self._prefix}:call:{call_id}:tap"

    def runtime(self, runtime_id: str) -> str:
        return f"{self._prefix}:runtime:{runtime_id}"

    def runtime_calls(self, runtime_id: str) -> str:
        return f"{self._prefix}:runtime:{runtime_id}:calls"

    def commands(self, runtime_id: str) -> str:
        return f"{self._prefix}:runtime:{runtime_id}:commands"

    def audio(self, call_id: str, voice: Voice) -> str:
        return f"livemon:{{{self.workspace}:{call_id}}}:audio:{voice}"

    def supervisor(self, call_id: str, claim_id: str) -> str:
        return f"livemon:{{{self.workspace}:{call_id}}}:audio:supervisor:{claim_id}"
