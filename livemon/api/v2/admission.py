"""Who may ask something of the API for programs, and how often.

API keys as a rule. Who is signed in may ask here, too: by the same table of rights, with the same Origin, and under their
own name in the audit log, which is better than a key that everybody shares.
"""

from collections.abc import Callable
from typing import Protocol

from fastapi import Request
from redis.asyncio import Redis

from livemon.access.guard import person_of
from livemon.access.pacing import Pace, Pacing, TooOften
from livemon.access.person import Person
from livemon.access.roles import Right
from livemon.api import sockets
from livemon.api.errors import ApiError, NotSignedIn
from livemon.api.sockets import allowed
from livemon.workspace import Workspace

__all__ = ["Host", "Pace", "admit"]


class Host(sockets.Host, Protocol):
    """What the API for programs needs of the node; `redis` is there while the node runs."""

    @property
    def redis(self) -> Redis: ...
    @property
    def pacing(self) -> Pacing: ...
    @property
    def public_url(self) -> str | None: ...


async def admit(
    host: Host,
    request: Request,
    right: Right,
    pace: Pace,
    *,
    unless: Callable[[Person, Workspace], bool] = lambda _person, _workspace: False,
) -> tuple[Person, Workspace]:
    """Who asks, and their workspace, whose calls alone exist for them; `unless` as of `allowed`. Raises `ApiError`:
    `unauthenticated`, `forbidden` (which is noted), `not_ready`, `rate_limited`."""
    person = person_of(request)
    if person is None:
        raise NotSignedIn
    await keep_pace(host, person, pace)
    return allowed(host, request, right, unless=unless)


async def keep_pace(host: Host, person: Person, pace: Pace) -> None:
    """Count what they ask. Raises `ApiError`: `rate_limited`."""
    if too_often := await host.pacing.take(pace, f"{person.workspace}/{person.user_id}"):
        raise _rate_limited(pace, too_often)


def _rate_limited(pace: Pace, refused: TooOften) -> ApiError:
    what = "looking at calls" if pace is Pace.READ else "acting on calls"
    return ApiError(
        "rate_limited",
        f"Nothing was done: this key or person may ask {refused.limit} times a minute for {what}. Try again in "
        f"{refused.wait_s} s.",
        {
            "Retry-After": str(refused.wait_s),
            "RateLimit-Limit": str(refused.limit),
            "RateLimit-Remaining": "0",
            "RateLimit-Reset": str(refused.wait_s),
        },
    )
