"""A supervisor who loses the role in mid-call keeps the caller; here it is said to everyone, for as long as it is so.

What stands in Redis is compared with what the session says at each change and once a second, so that it comes right by
itself: after an outage, in a Redis that was emptied, or when the runtime has announced the call anew.
"""

import asyncio
import contextlib
from collections.abc import Callable
from enum import StrEnum

import structlog

from livemon.calls.feed import AWAY
from livemon_runtime.protocol import Controller

from .claim_scripts import ClaimScripts
from .take_over import Phase, TakeOver

LOOK_EVERY_S = 1.0

_log = structlog.get_logger("livemon.control")


class Standing(StrEnum):
    """How the person stands to taking calls over, as far as the session says it."""

    MAY = "may"
    LOST = "lost"
    """The session is good, and has the right no more."""
    OVER = "over"
    """The session itself is over."""
    UNKNOWN = "unknown"
    """Nobody can say."""


class RoleLoss:
    """What is said of one attempt's person, once the call is theirs. `run` is to be running meanwhile."""

    def __init__(self, scripts: ClaimScripts, call_id: str, machine: TakeOver, now: Callable[[], int]) -> None:
        self._scripts, self._call_id, self._machine, self._now = scripts, call_id, machine, now
        self._since: int | None = None
        self._known = self._failed = False
        self._woken = asyncio.Event()

    def stands(self, standing: Standing) -> None:
        """The session has said so."""
        if standing not in (Standing.MAY, Standing.LOST):
            return  # what was known last is said on: an outage gives nobody the call
        lost = standing is Standing.LOST
        if lost is not (self._since is not None):
            machine = self._machine
            about = {"call_id": self._call_id, "claim_id": machine.claim_id, "by": machine.user_id}
            _log.warning("who takes a call over has lost the role" if lost else "the role is back", **about)
            self._since = self._now() if lost else None
        self._known = True
        self._woken.set()

    def look(self) -> None:
        """Something has become known of the call."""
        self._woken.set()

    async def run(self) -> None:
        """Keep it so until cancelled."""
        while True:
            self._woken.clear()
            if self._differs():
                await self._write()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):  # `wait_for` loses a cancellation before Python 3.12
                    await self._woken.wait()

    async def _write(self) -> None:
        try:
            await self._scripts.role(self._call_id, self._machine.claim_id, self._since)
            self._failed = False
        except AWAY as error:
            if not self._failed:
                _log.warning("a lost role cannot be told yet; it is tried on", call_id=self._call_id, why=str(error))
            self._failed = True

    def _differs(self) -> bool:
        holder = self._machine.holder
        if not self._known or self._machine.phase is not Phase.TALKING or not isinstance(holder, Controller):
            return False
        return (holder.role_lost_since is None) is not (self._since is None)
