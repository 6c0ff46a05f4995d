"""How somebody stands to the call that they take over or have: joins the sessions, which know rights, and the take-overs,
which do not.
"""

import asyncio
from collections.abc import Callable

from livemon.access.person import Person
from livemon.access.roles import Right
from livemon.access.sessions import Held, Sessions
from livemon.control.role_loss import Standing

AGAIN_S = 1.0
"""While nobody can say who is allowed."""


class Follower:
    """Follows one person by their session; `run` tells, at first and at each change, until the session is over."""

    def __init__(self, sessions: Sessions, session_id: str) -> None:
        self._sessions, self._session_id = sessions, session_id
        self._said: Standing | None = None
        self._seen: Standing | None = None
        self._woken = asyncio.Event()

    async def run(self, told: Callable[[Standing], None]) -> None:
        while self._said is not Standing.OVER:
            self._seen = None
            async with self._sessions.hold(self._session_id, None, seen=self._see) as held:
                await self._follow(held, told)
            if self._said is Standing.UNKNOWN:
                await asyncio.sleep(AGAIN_S)

    def _see(self, person: Person) -> None:
        """The sessions' own task calls it, so whatever follows is done by ours."""
        self._seen = Standing.MAY if person.may(Right.TAKE_OVER) else Standing.LOST
        self._woken.set()

    async def _follow(self, held: Held, told: Callable[[Standing], None]) -> None:
        ended = asyncio.ensure_future(held.ended.wait())
        ended.add_done_callback(lambda _: self._woken.set())
        try:
            while not held.ended.is_set():
                self._woken.clear()
                self._say(self._seen, told)
                await self._woken.wait()
        finally:
            ended.cancel()
        self._say(Standing.OVER if held.over else Standing.UNKNOWN, told)

    def _say(self, standing: Standing | None, told: Callable[[Standing], None]) -> None:
        if standing is not None and standing is not self._said:
            self._said = standing
            told(standing)
