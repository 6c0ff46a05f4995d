"""Listening to a call and taking it over, as Retell's clients ask for it; sound and signalling are `live_audio`'s.

That a call is taken over is said only when its runtime has accepted, and nobody is asked before the microphone is heard.
"""

import asyncio
import time
from functools import partial

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from livemon.access.guard import prefix_of
from livemon.access.person import Person
from livemon.access.roles import Right
from livemon.api.body import read_body
from livemon.api.errors import ApiError
from livemon.api.sockets import words_for
from livemon.api.take_over import attempt_by, recorded, too_many
from livemon.calls.feed import AWAY
from livemon.control.outcomes import Declined
from livemon.control.take_over import Phase, Reason, TakeOver
from livemon.control.take_overs import Attempt, TooMany
from livemon.media.errors import ListenError, RedisAway
from livemon.workspace import Workspace
from livemon_runtime.errors import InvalidName
from livemon_runtime.keys import check_id

from . import live_audio
from .admission import Host, Pace, admit
from .live_audio import tokens_of
from .participants import Participant, Participants
from .shapes import TakeOverLiveCall

MAX_BODY = 4_096
DECIDED_WITHIN_S = 20.0
"""Longer than a runtime has to answer and a claim to be taken back; who waits longer is told that nobody knows."""
NO_RETRY = {"X-Should-Retry": "false"}
"""Retell's clients repeat whatever answers 409 or from 500 up, unless they are told not to: here each try is a person's."""


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
            raise ApiError(error.code, str(error)) from error
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
        attempt = await _asked_for(host, request, person, participant)
        await _decided(attempt)
        if attempt.machine.phase is not Phase.TALKING:
            failure = _failure(attempt.machine, person)
            if attempt.machine.final:
                participant.failure = failure
            raise failure
        return {"success": True}

    return routes


def _signalling_address(host: Host, request: Request, call_id: str) -> str:
    """Where the token is good: at the address by which this request has come, or that people open."""
    origin = host.public_url or f"{request.url.scheme}://{request.headers['host']}{prefix_of(request)}"
    return f"{origin.replace('http', 'ws', 1)}/v2/live-audio/{call_id}"


async def _asked_for(host: Host, request: Request, person: Person, participant: Participant) -> Attempt:
    """The participant's take-over: the one under way, or a new one. Raises `ApiError`."""
    async with participant.asking:
        if participant.talks:
            assert participant.attempt is not None
            return participant.attempt
        link = participant.link
        if link is None or not link.speaks(time.monotonic()):
            raise participant.failure or _not_heard()
        attempt, _ = await recorded(host, request, person, partial(_begin, host, person, participant))
        participant.follow(attempt)
        return attempt


async def _begin(host: Host, person: Person, participant: Participant) -> tuple[Attempt, None]:
    workspace, link = participant.workspace, participant.link
    assert link is not None
    try:
        with workspace.take_overs.place(participant.call_id, person.user_id):
            return await attempt_by(host, person, workspace, link), None
    except TooMany as error:
        raise too_many() from error


async def _decided(attempt: Attempt) -> None:
    """Wait until it is known who has the call, or that nobody can say."""
    moved = asyncio.Event()
    attempt.watchers.append(moved.set)
    try:
        async with asyncio.timeout(DECIDED_WITHIN_S):
            while attempt.machine.phase not in _DECIDED:
                moved.clear()
                await moved.wait()
    except TimeoutError:
        return
    finally:
        attempt.watchers.remove(moved.set)


_DECIDED = (Phase.TALKING, Phase.CHECKING, Phase.CANCELLED, Phase.LOST, Phase.ENDED)
_AS_COMMANDS = {
    Reason.REFUSED: "refused",
    Reason.FAILED: "failed",
    Reason.UNSUPPORTED: "unsupported",
    Reason.ENDED: "already_ended",
}
"""What a runtime answers to any command, in the same words."""


def _failure(machine: TakeOver, person: Person) -> ApiError:
    """Why the call was not taken over, as the program may read it."""
    if not machine.final:
        return _error("redis_away", _NOBODY_KNOWS)
    if machine.phase is Phase.LOST and machine.holder is not None:
        who = machine.holder.name
        return _error("taken", f"{who} has this call, or is just taking it over, so it was not taken from them.")
    if (code := _AS_COMMANDS.get(machine.reason or Reason.BROKEN)) is not None:
        (said,) = words_for(person, machine.said)
        return _error(code, str(Declined(code, said)))
    code, words = _WORDS.get(machine.reason or Reason.BROKEN, ("failed", _BROKEN))
    return _error(code, words)


_NOBODY_KNOWS = (
    "livemon cannot reach Redis right now, so nobody knows yet whether the call has been taken over: the agent holds its"
    " tongue meanwhile. Keep the microphone open; the signalling socket says who has the call as soon as that is known."
)
_BROKEN = "Taking the call over failed in livemon itself, and was taken back: the agent has the call. Please try again."
_SILENT = (
    "Nothing of this participant's microphone is arriving at livemon, so nobody was asked for the call and the agent goes"
    ' on. Send {"type": "talk", "sdp"} on the signalling socket, connect, and ask again once it is connected; silence'
    " counts as sound, no packets do not."
)
_WORDS: dict[Reason, tuple[str, str]] = {
    Reason.NO_ANSWER: (
        "no_answer",
        "The agent's process has not answered in time, so the claim was taken back: the agent has the call. Try again.",
    ),
    Reason.NOT_REPORTING: (
        "no_answer",
        "The agent's process is not reporting, so it could not be asked. The call may go on unseen. Try again when it does.",
    ),
    Reason.REDIS_AWAY: (
        "redis_away",
        "livemon could not reach Redis, and the claim was taken back: the agent has the call. Try again in a few seconds.",
    ),
    Reason.MICROPHONE: ("microphone_not_heard", _SILENT),
    Reason.CONNECTION: (
        "microphone_not_heard",
        "The microphone's connection was lost before the call was taken over; the agent goes on. Connect anew, then try again.",
    ),
    Reason.ASKED: ("cancelled", "The take-over was cancelled before it came about: the agent has the call."),
    Reason.SESSION_ENDED: (
        "forbidden",
        "This key is good no more, or not for taking calls over, so the call was not taken over: the agent has it.",
    ),
}


def _not_heard() -> ApiError:
    return _error("microphone_not_heard", _SILENT)


def _nobody_there(workspace: Workspace, person: Person, call_id: str, participant_id: str) -> ApiError:
    theirs = (one for one in workspace.presence.of(call_id) if one.user_id == person.user_id)
    if any(one.listener_id == participant_id for one in theirs):
        return _error(
            "elsewhere",
            "This participant is connected to another livemon server than the one that was asked, so nothing was done. Have"
            " the load balancer send a program's requests to one server, and try again.",
        )
    return _error(
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


def _error(code: str, message: str) -> ApiError:
    return ApiError(code, message, NO_RETRY)
