"""Starting and stopping Live Listen (docs/interfaces.md, «Endpoints»).

Whether somebody may listen is looked at here, at the moment of use, and goes on being looked at: the listener ends with
the session or the role that started it.
"""

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from livemon.access.guard import person_of
from livemon.media.errors import ListenError
from livemon.media.offer import MAX_OFFER

from .body import read_body
from .errors import ApiError, NotSignedIn
from .live import Host, allowed

MAX_BODY = 2 * MAX_OFFER
"""Bytes; JSON may write a character as two."""


class _OfferBody(BaseModel):
    sdp: str


def router(host: Host) -> APIRouter:
    """The endpoints, for the application to include."""
    routes = APIRouter()

    @routes.post("/calls/{call_id}/listen")
    async def listen(request: Request, call_id: str) -> Response:
        person, workspace = allowed(host, request)
        sdp = (await read_body(request, _OfferBody, MAX_BODY, '{"sdp": "v=0…"}', _bad_request)).sdp
        hold = host.sessions.hold(person.session_id)
        try:
            answer = await workspace.listening.open(call_id, person.user_id, person.name, sdp, hold)
        except ListenError as error:
            raise ApiError(error.code, str(error)) from error
        return JSONResponse({"listener_id": answer.listener_id, "sdp": answer.sdp, "voices": answer.voices})

    @routes.post("/listeners/{listener_id}/stop")
    async def stop(request: Request, listener_id: str) -> Response:
        """Open to a person who has lost the role: who may not listen may still stop."""
        person = person_of(request)
        if person is None:
            raise NotSignedIn
        workspace = host.workspaces.get(person.workspace)
        owner = workspace.listening.owner(listener_id) if workspace else None
        if workspace is None or owner is None:
            return Response(status_code=204)
        if owner != person.user_id:
            raise ApiError(
                "forbidden", "Somebody else is listening there, and only they can stop it. Nothing was changed."
            )
        await workspace.listening.close(listener_id)
        return Response(status_code=204)

    return routes


def _bad_request(why: str) -> ApiError:
    return ApiError("bad_request", f"The request to listen cannot be read: {why}. The call is not affected. Try again.")
