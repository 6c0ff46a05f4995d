"""The header `Idempotency-Key`: the same request sent again is answered as the first time, and not done again (docs/api.md).

Records stand in Redis for a day, by workspace and asker. While Redis is away requests are done without: that one could not be
remembered is no reason to refuse to end a call.
"""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from typing import cast

import orjson
import structlog
from fastapi import Request
from starlette.responses import Response

from livemon.access.person import Person
from livemon.access.refusals import path_of
from livemon.api.errors import ApiError
from livemon.calls.feed import AWAY
from livemon.workspace import Workspace

from .requests import bad_request

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
LONGEST = 255
KEPT_MS = 86_400_000
UNDER_WAY_MS = 60_000
"""A request of which nothing more is heard (its node was killed) may be sent again after so long."""
MOST = 10_000
"""Records of one asker, the newest."""

NOT_DONE = frozenset({"not_found", "not_ready", "too_many", "too_late", "not_recorded", "store_away", "forbidden"})
"""Failures after which the same key may do it: certainly nothing was done."""
UNCERTAIN = frozenset({"redis_away", "no_answer", "internal"})
"""Failures after which nobody knows. Where doing it twice does no harm the same key may do it."""

_BEGIN = files("livemon.api.v2").joinpath("scripts/idempotency_begin.lua").read_text("utf-8")
_SETTLE = files("livemon.api.v2").joinpath("scripts/idempotency_settle.lua").read_text("utf-8")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Begun:
    """This request is to be done, and its answer kept; `began` is what stands in its record until then."""

    workspace: Workspace
    record: str
    request: str
    began: bytes

    async def settle(self, response: Response | None) -> None:
        """Keep the answer; None: forget that it was begun."""
        answer = b""
        if response is not None:
            told = bytes(response.body).decode()
            answer = orjson.dumps({"request": self.request, "status": response.status_code, "body": told})
        try:
            await self.workspace.redis.eval(_SETTLE, 1, self.record, self.began, answer, str(KEPT_MS))
        except AWAY as error:
            _log.warning("An answer was not kept for its Idempotency-Key: Redis is away.", error=str(error))


async def once(
    request: Request,
    asked_by: tuple[Person, Workspace],
    body: bytes,
    do: Callable[[], Awaitable[Response]],
    *,
    repeatable: bool,
) -> Response:
    """Do it, or answer as the first time. `repeatable`: doing it twice does no more than once.

    Raises `ApiError`: what `do` raises; `in_progress`, `idempotency_key_reused`, `bad_request`.
    """
    begun = await _begin(request, *asked_by, body)
    if isinstance(begun, Response):
        return begun
    try:
        response = await do()
    except ApiError as error:
        if begun is not None:
            forgotten = error.code in NOT_DONE or (repeatable and error.code in UNCERTAIN)
            await begun.settle(None if forgotten else error.response(path_of(request)))
        raise
    if begun is not None:
        await begun.settle(response)
    return response


async def _begin(request: Request, person: Person, workspace: Workspace, body: bytes) -> "_Begun | Response | None":
    """The answer of the first time; None if no key came, or nothing can be remembered. Raises `ApiError`."""
    key = _key_of(request)
    if key is None:
        return None
    index = f"{workspace.keys.calls.rsplit(':', 1)[0]}:idempotency:{person.user_id}"
    same = _hash(request.method.encode(), path_of(request).encode(), body)
    began = orjson.dumps({"request": same, "under_way": secrets.token_hex(8)})
    begun = _Begun(workspace, f"{index}:{_hash(key.encode())}", same, began)
    arguments = (began, str(UNDER_WAY_MS), str(MOST), str(KEPT_MS))
    try:
        found = cast("bytes | None", await workspace.redis.eval(_BEGIN, 2, begun.record, index, *arguments))
    except AWAY as error:
        _log.warning("A request is done without its Idempotency-Key: Redis is away.", error=str(error))
        return None
    return begun if found is None else _first_answer(found, same)


def _first_answer(found: bytes, same: str) -> Response:
    record = cast("dict[str, object]", orjson.loads(found))
    if record["request"] != same:
        raise ApiError(
            "idempotency_key_reused",
            "Nothing was done: this Idempotency-Key came with another request before. Take a new key for each thing that is "
            "to be done.",
        )
    if "under_way" in record:
        raise ApiError(
            "in_progress",
            "The same request, with this Idempotency-Key, is being done at this moment; this one did nothing. Send it again "
            "in a second to read what came of it.",
            {"Retry-After": "1"},
        )
    told, status = cast("str", record["body"]), cast("int", record["status"])
    headers = {REPLAYED: "true", "Cache-Control": "no-store"}
    return Response(told or None, status, headers, media_type="application/json" if told else None)


def _key_of(request: Request) -> str | None:
    """Raises `ApiError` for one that cannot be used."""
    sent = request.headers.getlist(HEADER)
    if not sent:
        return None
    if len(sent) > 1 or not 0 < len(sent[0]) <= LONGEST or not sent[0].isascii() or not sent[0].isprintable():
        raise bad_request(f"{HEADER} has 1 to {LONGEST} characters of ASCII, and comes once")
    return sent[0]


def _hash(*parts: bytes) -> str:
    return sha256(b"\0".join(parts)).hexdigest()
