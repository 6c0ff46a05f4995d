"""Listening to a call and taking it over, as Retell's clients ask for it; sound and signalling are `live_audio`'s."""

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from livemon.access.guard import prefix_of
from livemon.access.person import Person
from livemon.access.roles import Right
from livemon.api.body import read_body
from livemon.api.errors import ApiError
from livemon.calls.feed import AWAY
from livemon.media.errors import ListenError, RedisAway
from livemon.workspace import Workspace
from livemon_runtime.errors import InvalidName
from livemon_runtime.keys import check_id

from . import live_audio
from .admission import Host, Pace, admit
from .live_audio import tokens_of
from .participants import Participants
from .shapes import TakeOverLiveCall
from .taking_over import not_again, take_over

MAX_BODY = 4_096


def router(host: Host) -> APIRouter:
    """The endpoints and the signalling, for the application to include."""
    participants = Participants()
    routes = APIRouter()
    routes.include_router(live_audio.router(host, participants))

    @routes.post("/v2/listen-live-call/{call_id}")
    async def listen_live_call(request: Request, call_id: str) -> Response:
        person, workspace = await admit(host, request, Right.LISTEN, Pace.ACT)
        try:
            await workspace.listening.audible(check_id("call_id", call_id))
            given = await tokens_of(workspace).give(call_id, person.session_id)
        except InvalidName:
            raise _no_call() from None
        except ListenError as error:
            raise ApiError(error.code, error.for_programs) from error
        except AWAY as error:
            raise ApiError("redis_away", str(RedisAway())) from error
        answer: dict[str, object] = {
            "access_token": given.token,
            "expires_at": given.expires_at,
            "participant_id": given.participant_id,
            "room_name": call_id,
            "transport": "gateway",
            "url": _signalling_address(host, request, call_id),
            "ice_servers": [],
        }
        return JSONResponse(answer, headers={"Cache-Control": "no-store"})

    @routes.post("/v2/take-over-live-call/{call_id}")
    async def take_over_live_call(request: Request, call_id: str) -> dict[str, bool]:
        person, workspace = await admit(host, request, Right.TAKE_OVER, Pace.ACT)
        wanted = await read_body(request, TakeOverLiveCall, MAX_BODY, '{"participant_id": "…"}', _bad_request)
        participant = participants.find(wanted.participant_id, person, call_id)
        if participant is None:
            raise _nobody_there(workspace, person, call_id, wanted.participant_id)
        await take_over(host, request, person, participant)
        return {"success": True}

    return routes


def _signalling_address(host: Host, request: Request, call_id: str) -> str:
    """Where the token is good: at the address by which this request has come (HTTP/1.0 may name none), or that people open."""
    origin = host.public_url or f"{request.url.scheme}://{request.url.netloc}{prefix_of(request)}"
    return f"{origin.replace('http', 'ws', 1)}/v2/live-audio/{call_id}"


def _nobody_there(workspace: Workspace, person: Person, call_id: str, participant_id: str) -> ApiError:
    theirs = (one for one in workspace.presence.of(call_id) if one.user_id == person.user_id)
    if any(one.listener_id == participant_id for one in theirs):
        return not_again(
            "elsewhere",
            "This participant is connected to another livemon server than the one that was asked, so nobody was asked"
            ' for the call. Ask on its signalling socket, which is at the right one: send {"type": "take_over", "api_key"}. Or'
            " have the load balancer send a program's requests to one server.",
        )
    return not_again(
        "not_found",
        "There is no such participant of yours at this call: join first, with the access token of /v2/listen-live-call, at"
        " the address that came with it. Nobody was asked for the call.",
    )


def _no_call() -> ApiError:
    return ApiError(
        "not_found", "There is no such live call. It may have ended; list the calls to see which there are."
    )


def _bad_request(why: str) -> ApiError:
    return ApiError("bad_request", f"The request to take over cannot be read: {why}. The call is not affected.")
