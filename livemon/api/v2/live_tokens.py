"""The tokens with which a program comes to hear one call, once, within a minute of having asked.

They stand in Redis, so that any node may give one and any other take it, and that no two can. A token is no key: whose it
was given by is looked up when it is used, and who may listen no more then does not.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import cast

import orjson
from redis.asyncio import Redis

from livemon_runtime.errors import InvalidName
from livemon_runtime.keys import check_workspace

PREFIX = "lmt_"
LIVES_MS = 60_000
MAX_TOKEN = 256


@dataclass(frozen=True, slots=True)
class LiveToken:
    """`participant_id` is whom the call's listener will be known as; `expires_at` in ms, Redis's time."""

    token: str
    participant_id: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who comes with a token: the session, or key, that it was given to."""

    participant_id: str
    session_id: str


def workspace_in(token: str) -> str | None:
    """The slug of the workspace that a token says it is of; None if it is none."""
    slug, _, secret = token.removeprefix(PREFIX).partition(".")
    if not token.startswith(PREFIX) or not secret or len(token) > MAX_TOKEN:
        return None
    try:
        return check_workspace(slug)
    except InvalidName:
        return None


class LiveTokens:
    """Those of one workspace. Raises one of `livemon.calls.feed.AWAY` where Redis cannot be reached."""

    def __init__(self, redis: Redis, workspace: str, now: Callable[[], int], lives_ms: int = LIVES_MS) -> None:
        """`now`: Redis's time, in ms."""
        self._redis, self._workspace, self._now, self._lives_ms = redis, workspace, now, lives_ms

    async def give(self, call_id: str, session_id: str) -> LiveToken:
        """A token for that call, for who asks by that session."""
        token = f"{PREFIX}{self._workspace}.{secrets.token_urlsafe(32)}"
        given = LiveToken(token, secrets.token_urlsafe(16), self._now() + self._lives_ms)
        bearer = orjson.dumps({"participant_id": given.participant_id, "session_id": session_id})
        await self._redis.set(self._key(call_id, token), bearer, px=self._lives_ms)
        return given

    async def take(self, call_id: str, token: str) -> Bearer | None:
        """Use a token up; None if it is not good for that call, or not any more."""
        found = cast("bytes | None", await self._redis.getdel(self._key(call_id, token)))
        return None if found is None else Bearer(**orjson.loads(found))

    def _key(self, call_id: str, token: str) -> str:
        """Its hash alone is stored, together with the call's: at another call it is no token."""
        name = sha256(f"{call_id} {token}".encode()).hexdigest()
        return f"livemon:{{{self._workspace}}}:live-token:{name}"
