"""Who may ask something of the API for programs, and how often.

API keys as a rule. Who is signed in may ask here, too: by the same table of rights, with the same Origin, and under their
own name in the audit log, which is better than a key that everybody shares.
"""

from enum import StrEnum
from typing import Protocol

from fastapi import Request
from redis.asyncio import Redis

from livemon.access.person import Person
from livemon.access.roles import Right
from livemon.api import sockets
from livemon.api.sockets import allowed
from livemon.workspace import Workspace


class Host(sockets.Host, Protocol):
    """What the API for programs needs of the node; `redis` is there while the node runs."""

    @property
    def redis(self) -> Redis: ...


class Pace(StrEnum):
    """What is counted together: whoever reads too often can still act."""

    READ = "read"
    ACT = "act"


async def admit(host: Host, request: Request, right: Right, pace: Pace) -> tuple[Person, Workspace]:
    """Who asks, and their workspace, whose calls alone exist for them. Raises `ApiError`: `unauthenticated`, `forbidden`
    (which is noted), `not_ready`, `rate_limited`."""
    return allowed(host, request, right)
