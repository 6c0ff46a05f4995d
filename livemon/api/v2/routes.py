"""The routes of the API for programs, and what is answered where Retell has an endpoint and livemon has none."""

from collections.abc import Iterable

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Match

from livemon.api.errors import ApiError

from . import acting, reading
from .admission import Host

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def router(host: Host) -> APIRouter:
    """All of them, for the application to include."""
    routes = APIRouter()
    parts = [part.router(host) for part in (reading, acting)]
    for part in parts:
        routes.include_router(part)
    known = [each for part in parts for each in part.routes]

    @routes.api_route("/v2/{rest:path}", methods=METHODS)
    @routes.api_route("/v3/{rest:path}", methods=METHODS)
    async def unknown(request: Request, rest: str) -> None:
        raise _unknown(request, known)

    return routes


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
