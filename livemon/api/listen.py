"""Starting and stopping Live Listen (docs/interfaces.md, «Endpoints»).

Whether somebody may listen is looked at here, at the moment of use, and goes on being looked at: the listener ends with
the session or the right that started it.
"""

from collections.abc import Callable

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response

from livemon.access.guard import person_of
from livemon.access.person import Person
from livemon.access.roles import Right
from livemon.media.errors import ListenError
from livemon.media.listening import Answer
from livemon.media.offer import MAX_OFFER
from livemon.store.audit.acts import Action, Outcome
from livemon.workspace import Workspace

from .body import read_body
from .errors import ApiError, NotSignedIn
from .recording import act_of, record, refuse
from .sockets import Host, allowed

MAX_BODY = 2 * MAX_OFFER
"""Bytes; JSON may write a character as two."""


class _OfferBody(BaseModel):
    sdp: str


def router(host: Host) -> APIRouter:
    """The endpoints, for the application to include."""
    routes = APIRouter()

    @routes.post("/calls/{call_id}/listen")
    async def listen(request: Request, call_id: str) -> Response:
        person, workspace = allowed(host, request, Right.LISTEN)
        sdp = (await read_body(request, _OfferBody, MAX_BODY, '{"sdp": "v=0…"}', _bad_request)).sdp
        answer = await begin_listening(host, request, person, workspace, call_id, sdp)
        return JSONResponse({"listener_id": answer.listener_id, "sdp": answer.sdp, "voices": answer.voices})

    @routes.post("/listeners/{listener_id}/stop")
    async def stop(request: Request, listener_id: str) -> Response:
        """Open to a person who has lost the right: who may not listen may still stop, and it is that which is recorded."""
        person = person_of(request)
        if person is None:
            raise NotSignedIn
        workspace = host.workspaces.get(person.workspace)
        owner = workspace.listening.owner(listener_id) if workspace else None
        if workspace is None or owner is None:
            return Response(status_code=204)
        if owner != person.user_id:
            refuse(host, request, person)
            raise ApiError(
                "forbidden", "Somebody else is listening there, and only they can stop it. Nothing was changed."
            )
        await workspace.listening.close(listener_id, "asked" if person.may(Right.LISTEN) else "session_ended")
        return Response(status_code=204)

    return routes


async def begin_listening(
    host: Host,
    connection: HTTPConnection,
    person: Person,
    workspace: Workspace,
    call_id: str,
    sdp: str,
    *,
    words: Callable[[ListenError], str] = str,
    listener_id: str | None = None,
    stopped: Callable[[str], None] = lambda _: None,
) -> Answer:
    """Listen, once that is recorded; when and why it is over is recorded too, and `stopped` is told.

    Raises `ApiError`; `words` says why to whoever asks.
    """

    def note(outcome: Outcome, reason: str) -> None:
        act = act_of(connection, person, Action.LISTEN, outcome, reason=reason, since=asked.at)
        host.audit.note(act, about=asked)

    def over(reason: str) -> None:
        note(Outcome.STOPPED, reason)
        stopped(reason)

    hold = host.sessions.hold(person.session_id, Right.LISTEN)
    asked = await record(host, act_of(connection, person, Action.LISTEN, Outcome.ASKED))
    try:
        return await workspace.listening.open(
            call_id, person.user_id, person.name, sdp, hold, over, listener_id=listener_id
        )
    except ListenError as error:
        note(Outcome.FAILED, error.code)
        raise ApiError(error.code, words(error)) from error
    except BaseException:
        note(Outcome.BROKEN_OFF, "failed")
        raise


def _bad_request(why: str) -> ApiError:
    return ApiError("bad_request", f"The request to listen cannot be read: {why}. The call is not affected. Try again.")
