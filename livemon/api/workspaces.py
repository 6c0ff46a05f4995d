"""The workspaces that somebody belongs to, and going from one to another (docs/interfaces.md, «Endpoints»).

A session is in one workspace for good: whoever goes to another gets a new one, and what was open closes.
"""

from collections.abc import Mapping
from typing import Protocol

from fastapi import APIRouter, Request
from pydantic import BaseModel
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import JSONResponse, Response

from livemon.access.cookie import set_session_cookie
from livemon.access.errors import SessionOver, UnknownWorkspace
from livemon.access.guard import person_of
from livemon.access.links import Entering
from livemon.access.person import Person
from livemon.access.sessions import Sessions
from livemon.access.switching import switch
from livemon.access.workspaces import workspaces_of
from livemon.store.audit.acts import Act, Action, Outcome
from livemon.store.audit.errors import NotRecorded
from livemon.store.audit.log import AuditLog
from livemon.store.errors import StoreError
from livemon.store.store import Store
from livemon.workspace import Workspace

from .body import read_body
from .errors import ApiError, NotSignedIn
from .recording import act_of, address_of, not_recorded, refuse
from .sign_in import start_of

MAX_BODY = 1_024


class Host(Protocol):
    """What the endpoints need of the node."""

    @property
    def audit(self) -> AuditLog: ...
    @property
    def sessions(self) -> Sessions: ...
    @property
    def store(self) -> Store: ...
    @property
    def workspaces(self) -> Mapping[str, Workspace]: ...


class _Wanted(BaseModel):
    slug: str


def router(host: Host) -> APIRouter:
    """The endpoints, for the application to include."""
    routes = APIRouter()

    @routes.get("/workspaces")
    async def workspaces(request: Request) -> Response:
        person = _signed_in(request)
        try:
            found = await workspaces_of(host.store, person.user_id)
        except StoreError as error:
            raise ApiError("store_away", str(error)) from error
        shown = [
            {"slug": one.slug, "name": one.name, "role": one.role.value, "current": one.slug == person.workspace}
            for one in found
        ]
        return JSONResponse({"workspaces": shown}, headers={"Cache-Control": "no-store"})

    @routes.post("/workspace")
    async def go(request: Request) -> Response:
        person = _signed_in(request)
        slug = (await read_body(request, _Wanted, MAX_BODY, '{"slug": "…"}', _bad_request)).slug
        if slug == person.workspace:
            return JSONResponse({"next": start_of(request, person)})
        check_free(host.workspaces, person)
        return await _go(host, request, person, slug)

    return routes


def _signed_in(request: Request) -> Person:
    person = person_of(request)
    if person is None:
        raise NotSignedIn
    return person


def check_free(workspaces: Mapping[str, Workspace], person: Person) -> None:
    """Raises `ApiError` while the session has a call: its caller would be left."""
    workspace = workspaces.get(person.workspace)
    if workspace is not None and workspace.take_overs.holds(person.user_id, person.session_id):
        raise ApiError("talking", _TALKING)


async def _go(host: Host, request: Request, person: Person, slug: str) -> Response:
    async def recording(session: AsyncSession, who: Entering) -> None:
        """Neither workspace's log names the other."""
        await host.audit.add(session, act_of(request, person, Action.SIGN_OUT, Outcome.DONE, reason="switched"))
        known = (who.workspace, who.user_id, who.name)
        here = Act(Action.SIGN_IN, Outcome.DONE, *known, address=address_of(request), detail={"by": "switch"})
        await host.audit.add(session, here)

    try:
        cookie, _ = await switch(
            host.store,
            person.session_id,
            slug,
            name=person.name,
            device=request.headers.get("user-agent", ""),
            address=address_of(request),
            recording=recording,
        )
        host.sessions.let_go(person.session_id)
        there = await host.sessions.find(cookie)
    except UnknownWorkspace as error:
        refuse(host, request, person, by="switch", reason="not_found")  # neither here is the other named
        raise ApiError("not_found", _NOT_FOUND) from error
    except SessionOver as error:
        raise NotSignedIn from error
    except NotRecorded as error:
        raise not_recorded(error) from error
    except StoreError as error:
        raise ApiError("store_away", str(error)) from error
    response = JSONResponse({"next": start_of(request, there)})
    set_session_cookie(response, request, cookie)
    return response


def _bad_request(why: str) -> ApiError:
    return ApiError("bad_request", f"The request cannot be read: {why}. You are where you were. Try again.")


_NOT_FOUND = (
    "There is no such workspace for you, so you are where you were. Reload the page to see which there are, or ask an "
    "admin of that workspace for an invitation."
)
_TALKING = (
    "You have a call at this moment: in another workspace you would be on it no more, and the caller would hear nobody. "
    "End the call, or have somebody take it from you, then try again."
)
