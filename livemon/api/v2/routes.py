"""The routes of the API for programs, the document that describes them, and what is answered where Retell has an endpoint and
livemon has none."""

from collections.abc import Iterable

import orjson
from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

from livemon.access.guard import prefix_of
from livemon.access.refusals import API
from livemon.api.errors import ApiError

from . import acting, described, live_calls, live_described, monitoring, reading
from .admission import Host
from .openapi import document


def router(host: Host) -> APIRouter:
    """All of them, for the application to include."""
    routes = APIRouter()
    parts = [part.router(host) for part in (reading, acting, live_calls, monitoring)]
    whole = document([described.PART, live_described.PART])

    @routes.get("/v2/openapi.json")
    async def openapi(request: Request) -> Response:
        """Open to everybody: it says nothing of any call."""
        served = {**whole, "servers": [{"url": prefix_of(request) or "/"}]}
        return Response(orjson.dumps(served), media_type="application/json")

    known = [*routes.routes, *(each for part in parts for each in part.routes)]
    for part in parts:
        routes.include_router(part)

    unknown = _Unknown(known)
    routes.routes += [Route(f"{version}{{rest:path}}", unknown) for version in API]
    return routes


class _Unknown:
    """Whatever else is asked for, by whatever method (which is why it is no function: those have a list of them)."""

    def __init__(self, known: Iterable[BaseRoute]) -> None:
        self._known = known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise _unknown(Request(scope), self._known)


def _unknown(request: Request, known: Iterable[BaseRoute]) -> ApiError:
    here = (each for each in known if isinstance(each, APIRoute) and each.matches(request.scope)[0] is not Match.NONE)
    if allowed := sorted({method for each in here for method in each.methods or ()}):
        message = f"Nothing was done: this address answers to {', '.join(allowed)} alone."
        return ApiError("method_not_allowed", message, {"Allow": ", ".join(allowed)})
    return ApiError(
        "not_found",
        "There is no such endpoint in livemon, so nothing was done: it has the live part of Retell's API. The document at "
        "/v2/openapi.json says what there is.",
    )
