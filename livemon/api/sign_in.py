"""Signing in by a one-time link, and out again (docs/interfaces.md, «Endpoints»)."""

from typing import Literal, Protocol, TypedDict

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from livemon.access.errors import AccessError, LinkUsed
from livemon.access.guard import COOKIE, cookies_of, person_of, prefix_of
from livemon.access.links import use_link
from livemon.access.roles import Right
from livemon.access.sessions import ABSOLUTE, Sessions, session_id_of
from livemon.store.errors import StoreError
from livemon.store.store import Store

from .body import read_body
from .errors import ApiError

MAX_BODY = 4_096


class Host(Protocol):
    """What the endpoints need of the node."""

    @property
    def sessions(self) -> Sessions: ...
    @property
    def store(self) -> Store: ...


class _LinkBody(BaseModel):
    token: str


class _Attributes(TypedDict):
    path: str
    secure: bool
    httponly: bool
    samesite: Literal["lax"]


def router(host: Host) -> APIRouter:
    """The endpoints, for the application to include."""
    routes = APIRouter()

    @routes.post("/sign-in/link")
    async def sign_in(request: Request) -> Response:
        token = (await read_body(request, _LinkBody, MAX_BODY, '{"token": "…"}', _bad_request)).token
        try:
            user_id, workspace = await use_link(host.store, token)
            cookie = await host.sessions.open(
                user_id, workspace, device=request.headers.get("user-agent", ""), address=_address(request)
            )
            person = await host.sessions.find(cookie)
            await _end_all(host.sessions, request)  # whoever was signed in here, and knows that cookie, is out
        except AccessError as error:
            raise ApiError("link_used", str(LinkUsed())) from error
        except StoreError as error:
            raise ApiError("store_away", str(error)) from error
        watches = person is not None and person.may(Right.WATCH)
        response = JSONResponse({"next": prefix_of(request) + ("/live" if watches else "/")})
        response.set_cookie(COOKIE, cookie, max_age=int(ABSOLUTE.total_seconds()), **_attributes(request))
        return response

    @routes.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        try:
            await _end_all(host.sessions, request)
        except StoreError as error:
            raise ApiError("store_away", str(error)) from error
        response = Response(status_code=204)
        response.delete_cookie(COOKIE, **_attributes(request))
        return response

    return routes


async def _end_all(sessions: Sessions, request: Request) -> None:
    """End every session that the request's cookies could stand for."""
    person = person_of(request)
    ours = [session_id_of(cookie) for cookie in cookies_of(request)]
    if person is not None:
        ours.append(person.session_id)
    for session_id in dict.fromkeys(ours):
        await sessions.end(session_id)


def _attributes(request: Request) -> _Attributes:
    """Scripts never see the cookie, other sites never send it along, and https keeps it to https."""
    return {"path": "/", "secure": request.url.scheme == "https", "httponly": True, "samesite": "lax"}


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _bad_request(why: str) -> ApiError:
    return ApiError(
        "bad_request", f"The request to sign in cannot be read: {why}. Nobody was signed in. Open the link again."
    )
