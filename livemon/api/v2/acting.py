"""Acting on calls: `POST /v2/stop-call/{call_id}` and `PATCH /v2/update-live-call/{call_id}` (docs/api.md)."""

from functools import partial

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from livemon.access.person import Person
from livemon.access.roles import Right
from livemon.api.commanding import end, has, inject
from livemon.api.errors import ApiError
from livemon.workspace import Workspace

from .admission import Host, Pace, admit
from .idempotency import NOT_DONE, once
from .reading import find, no_call
from .requests import CallControl, UpdateLiveCall, body_of, read

ONCE = {"x-should-retry": "false"}
"""What Retell's clients obey: they send again by themselves what has failed, and this must not be done twice."""


def router(host: Host) -> APIRouter:
    """The endpoints, for the application to include."""
    routes = APIRouter()

    @routes.post("/v2/stop-call/{call_id}")
    async def stop_call(request: Request, call_id: str) -> Response:
        """As End Call on the page; harmless on a call that has ended."""
        asked_by = await admit(host, request, Right.END, Pace.ACT, unless=partial(has, call_id))
        body = await body_of(request)

        async def stop() -> Response:
            try:
                await end(host, request, *asked_by, call_id)
            except ApiError as error:
                raise _told_to_programs(error, asked_by[1], call_id) from error
            return Response(status_code=204)

        return await once(request, asked_by, body, stop, repeatable=True)

    @routes.patch("/v2/update-live-call/{call_id}")
    async def update_live_call(request: Request, call_id: str) -> Response:
        asked_by = await admit(host, request, Right.INJECT, Pace.ACT)
        body = await body_of(request)
        _refuse_what_is_not_here(body)
        wanted = read(UpdateLiveCall, body).call_control

        async def update() -> Response:
            await _inject(host, request, asked_by, call_id, wanted)
            return Response(orjson.dumps({"success": True}), media_type="application/json")

        return await once(request, asked_by, body, update, repeatable=False)

    return routes


def _told_to_programs(error: ApiError, workspace: Workspace, call_id: str) -> ApiError:
    """Why a call was not ended, where the words for that are those of a page."""
    if error.code == "not_found" and workspace.calls.get(call_id) is None:
        return no_call()
    return ApiError("redis_away", _NOT_KNOWN) if error.code == "redis_away" else error


_NOT_KNOWN = (
    "livemon cannot reach Redis at the moment, so it is not known whether the call has been ended. Ask /v2/get-call, until"
    " livemon.feed.state is live there, whether it goes on; or send this again, which does no harm."
)


async def _inject(
    host: Host, request: Request, asked_by: tuple[Person, Workspace], call_id: str, wanted: CallControl
) -> None:
    """Give the agent what is wanted of it, nothing if nothing is. Raises `ApiError`, for clients to send again or not."""
    live = await find(asked_by[1], call_id)
    if live.over:
        raise ApiError("already_ended", "The call has ended already, so its agent was told nothing.")
    if wanted.additional_context is None and not wanted.trigger_response:
        return
    if live.controller is not None:
        words = f"{live.controller.name} has this call, so its agent is silent for good. It was told nothing."
        raise ApiError("taken", words, ONCE)
    content = wanted.additional_context or ""
    try:
        await inject(host, request, *asked_by, call_id, content, trigger_response=wanted.trigger_response)
    except ApiError as error:
        if error.code not in NOT_DONE:
            raise ApiError(error.code, error.message, ONCE) from error
        raise


def _refuse_what_is_not_here(body: bytes) -> None:
    """Raises `ApiError`."""
    try:
        asked = orjson.loads(body or b"{}")
    except ValueError:
        return  # said when it is read
    if isinstance(asked, dict) and "fields_to_override" in asked:
        raise ApiError(
            "unsupported_field",
            "Nothing was done: livemon cannot override fields of a call. Its metadata, variables and storage are its agent's: "
            "have the agent's program change them. additional_context tells the agent something.",
        )
