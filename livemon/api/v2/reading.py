"""Looking at calls: `POST /v3/list-calls` and `GET /v2/get-call/{call_id}` (docs/api.md)."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import cast

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from livemon.access.person import Person
from livemon.access.roles import Right
from livemon.api.errors import ApiError
from livemon.calls.feed import AWAY, State
from livemon.calls.list_feed import feed_json
from livemon.calls.pace import Pace as Yielding
from livemon.calls.registry import LiveCall
from livemon.calls.sight import Sight
from livemon.calls.transcript_feed import TooManyWatched
from livemon.workspace import Workspace
from livemon_runtime.errors import InvalidName
from livemon_runtime.keys import check_id

from .admission import Host, Pace, admit
from .call_object import call_object
from .filters import NOT_HERE, ONLY_ONGOING, View, lets_through
from .paging import after, cut, ordered
from .requests import ListCalls, body_of, read
from .transcript_object import notes, transcript_fields

MOST_ENTRIES = 1_000
"""Of a transcript; `livemon.transcript.complete` says whether there are older ones."""
READ_TIMEOUT_S = 5.0
CALLS_A_TURN = 200
"""So many are looked at before others get their turn in the event loop."""


def router(host: Host) -> APIRouter:
    """The endpoints, for the application to include."""
    routes = APIRouter()

    @routes.post("/v3/list-calls")
    async def list_calls(request: Request) -> Response:
        person, workspace = await admit(host, request, Right.WATCH, Pace.READ)
        body = await body_of(request)
        _refuse_what_is_not_here(body)
        return _json(await _list(person, workspace, read(ListCalls, body)))

    @routes.get("/v2/get-call/{call_id}")
    async def get_call(request: Request, call_id: str) -> Response:
        person, workspace = await admit(host, request, Right.WATCH, Pace.READ)
        live = await find(workspace, call_id)
        sight = sight_of(person)
        answer = _told(workspace, live, sight)
        if sight.read:
            fields, about = await _transcript(workspace, live, sight)
            answer |= fields
            cast("dict[str, object]", answer["livemon"])["transcript"] = about
        return _json(answer)

    return routes


def sight_of(person: Person) -> Sight:
    """What of calls may be told to whoever asks."""
    return Sight(read=person.may(Right.READ), unmasked=person.may(Right.UNMASKED))


async def find(workspace: Workspace, call_id: str) -> LiveCall:
    """The call, live or ended within the hour. Raises `ApiError`: `not_found`, `redis_away`."""
    try:
        live = await workspace.calls.find(check_id("call_id", call_id))
    except InvalidName:
        live = None
    except AWAY as error:
        raise _away() from error
    if live is None:
        raise no_call()
    return live


def no_call() -> ApiError:
    """That there is none of that id."""
    return ApiError(
        "not_found",
        "There is no such call: none that goes on has this id in this key's workspace, and none that ended within the last "
        "hour.",
    )


# --- the list


async def _list(person: Person, workspace: Workspace, asked: ListCalls) -> dict[str, object]:
    calls, sight = workspace.calls, sight_of(person)
    if calls.state.state is State.STALE and calls.state.since is None:
        raise ApiError("not_ready", "livemon is only just reading which calls there are. Try again in a few seconds.")
    if asked.filter_criteria.numbers and not sight.unmasked:
        raise ApiError(
            "forbidden",
            "Nothing was looked for: this key does not see whose numbers calls have, so it cannot filter by from_number or "
            "to_number. Ask an admin of your workspace for a key with the right unmasked.",
        )
    now = calls.now()
    fitting = await _fitting(asked, calls.registry, sight, now)
    rest = after(ordered(fitting, asked.sort_order), asked.sort_order, asked.pagination_key)
    page = cut(rest, asked.skip, asked.limit)
    answer: dict[str, object] = {
        "items": await _items(workspace, page.calls, sight),
        "has_more": page.next is not None,
        "livemon": {"feed": feed_json(calls.state), "now": now},
    }
    if page.next is not None:
        answer["pagination_key"] = page.next
    if asked.include_total:
        answer["total"] = len(fitting)
    return answer


async def _fitting(asked: ListCalls, calls: Iterable[LiveCall], sight: Sight, now: int) -> list[LiveCall]:
    """Those of the live list that the filters let through."""
    fitting: list[LiveCall] = []
    for number, live in enumerate([live for live in calls if live.listed]):
        if number % CALLS_A_TURN == CALLS_A_TURN - 1:
            await asyncio.sleep(0)
        if lets_through(asked.filter_criteria, View(live, sight.unmasked, now)):
            fitting.append(live)
    return fitting


async def _items(workspace: Workspace, calls: list[LiveCall], sight: Sight) -> list[dict[str, object]]:
    pace = Yielding()
    items: list[dict[str, object]] = []
    for live in calls:
        items.append(_told(workspace, live, sight))
        await pace.after(len(live.call.metadata) * 100 + 1_000)
    return items


def _refuse_what_is_not_here(body: bytes) -> None:
    """Say why, where Retell has a filter and livemon does not: more than that it is not known. Raises `ApiError`."""
    try:
        asked = orjson.loads(body or b"{}")
        filters = cast("Mapping[str, object]", asked["filter_criteria"])
        wanted = next((name for name in NOT_HERE if filters.get(name) is not None), None)
        status = cast("Mapping[str, object]", filters.get("call_status") or {}).get("value")
        ended = isinstance(status, list) and any(one in status for one in ("ended", "error", "not_connected"))
    except (ValueError, TypeError, KeyError, AttributeError):
        return  # said when it is read
    if wanted is not None:
        raise ApiError(
            "unsupported_filter", f"Nothing was looked for: livemon cannot filter by {wanted}: {NOT_HERE[wanted]}."
        )
    if ended:
        raise ApiError(
            "unsupported_filter", f"Nothing was looked for: {ONLY_ONGOING}. Filter by ongoing, or by no status."
        )


# --- one call


def _told(workspace: Workspace, live: LiveCall, sight: Sight) -> dict[str, object]:
    calls = workspace.calls
    answer = call_object(live, workspace.presence.of(live.call.call_id), sight, calls.now())
    cast("dict[str, object]", answer["livemon"])["feed"] = feed_json(calls.state)
    return answer


async def _transcript(
    workspace: Workspace, live: LiveCall, sight: Sight
) -> tuple[dict[str, object], dict[str, object]]:
    """What is said, and how much of it that is. Raises `ApiError`: `redis_away`, `too_many`."""
    try:
        async with asyncio.timeout(READ_TIMEOUT_S):
            items, older = await workspace.transcripts.newest(live, sight, MOST_ENTRIES)
    except TimeoutError as error:
        raise _away() from error
    except TooManyWatched as error:
        raise ApiError("too_many", f"The transcript cannot be read: {error}.") from error
    return transcript_fields(items), {"complete": not older, "notes": notes(items)}


def _away() -> ApiError:
    return ApiError(
        "redis_away",
        "livemon cannot reach Redis, so it does not know. The calls themselves go on. Try again in a few seconds.",
    )


def _json(answer: dict[str, object]) -> Response:
    return Response(orjson.dumps(answer), media_type="application/json", headers={"Cache-Control": "no-store"})
