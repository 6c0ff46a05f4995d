"""Who was behind a cookie when the store was last asked: for what has to go on while it is away. In memory, bounded."""

import asyncio
from collections import OrderedDict
from collections.abc import Collection

from .person import Person

KEPT_S = 600.0
"""How long somebody may still end a call, or leave one, while the store cannot say who they are."""
MOST = 2_000


class Recollection:
    """By the hashes of cookies. Of each session those that it had when it was last seen."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[Person, float, tuple[str, ...]]] = OrderedDict()
        self._ids: dict[str, str] = {}

    def remember(self, person: Person, cookies: Collection[str]) -> None:
        """That the store has just said so."""
        self.forget(person.session_id)
        self._known[person.session_id] = person, asyncio.get_running_loop().time(), tuple(cookies)
        self._ids |= dict.fromkeys(cookies, person.session_id)
        if len(self._known) > MOST:
            self.forget(next(iter(self._known)))

    def forget(self, session_id: str) -> None:
        """That a session is over. Harmless if it is not known."""
        _, _, cookies = self._known.pop(session_id, (None, 0.0, ()))
        for cookie in cookies:
            self._ids.pop(cookie, None)

    def drop(self, cookie: str) -> None:
        """That the cookie with this hash stands for nobody (any more)."""
        self._ids.pop(cookie, None)

    def of(self, cookie: str) -> Person | None:
        """Who was behind the cookie with this hash, if that was not long ago."""
        found = self._known.get(self._ids.get(cookie, ""))
        if found is None or asyncio.get_running_loop().time() - found[1] > KEPT_S:
            return None
        return found[0]
