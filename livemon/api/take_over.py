"""Taking a call over: the microphone's offer, the socket that says how it goes, and thinking better of it.

What is said of who has the call is `livemon.control`'s word alone (docs/interfaces.md, «Endpoints»).
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Annotated, TypeVar

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.websockets import WebSocket

from livemon.access.guard import person_of
from livemon.access.person import Person
from livemon.access.roles import Right
from livemon.access.sessions import Held
from livemon.calls.feed import AWAY
from livemon.calls.outbox import Outbox
from livemon.control.take_over import Phase, Reason
from livemon.control.take_overs import Attempt, TooMany
from livemon.media.errors import ListenError, RedisAway
from livemon.media.microphone import MicrophoneLink, TalkAnswer
from livemon.store.audit.acts import Action, Outcome
from livemon.workspace import Workspace
from livemon_runtime.protocol import Controller, Identifier

from .body import read_body
from .errors import ApiError, CloseCode, Forbidden, NotSignedIn
from .listen import MAX_BODY
from .recording import act_of, record, refuse
from .sockets import Host, Refused, admitted, allowed, closing, serve, words_for
from .standing import Follower

_R = TypeVar("_R")
TICK_S = 5.0
MOST_MINE = 64
STATES = {
    Phase.CONNECTING: "connecting",
    Phase.CLAIMING: "claiming",
    Phase.ASKED: "claiming",
    Phase.WITHDRAWING: "checking",
    Phase.CHECKING: "checking",
    Phase.TALKING: "talking",
    Phase.CANCELLED: "cancelled",
    Phase.LOST: "lost",
    Phase.ENDED: "ended",
}
"""What a page is told; it has no use for how the claim is asked for or taken back."""


OUTCOMES = {Phase.CANCELLED: Outcome.CANCELLED, Phase.LOST: Outcome.LOST, Phase.ENDED: Outcome.ENDED}
"""What the audit log calls an attempt's end."""


class _Offer(BaseModel):
    sdp: str
    resume: bool = False
    """Only if the person has the call already."""
    mine: Annotated[tuple[Identifier, ...], Field(max_length=MOST_MINE)] = ()
    """To resume by itself: the page's own claims, one of which must have the call."""


def router(host: Host) -> APIRouter:
    """The endpoints, for the application to include."""
    routes = APIRouter()

    @routes.post("/calls/{call_id}/take-over")
    async def take_over(request: Request, call_id: str) -> Response:
        return await _begin(host, request, call_id)

    @routes.websocket("/take-overs/{take_over_id}")
    async def follow(websocket: WebSocket, take_over_id: str) -> None:
        """Open to whose it is, though they have lost the role: who still has the call reads when somebody rescues it."""
        attempt, page = _own(host, websocket, take_over_id), _Page(person_of(websocket))
        right = Right.TAKE_OVER if attempt is None else None
        async with (
            closing(websocket),
            admitted(host, websocket, "take_over", right, seen=page.see) as (workspace, held),
        ):
            if attempt is None:
                raise Refused(CloseCode.NOT_FOUND, "not_found")
            await _follow(websocket, held, workspace, attempt, page)

    @routes.post("/take-overs/{take_over_id}/cancel")
    async def cancel(request: Request, take_over_id: str) -> Response:
        """Open to a person who has lost the right: who may not talk may still stop."""
        person = person_of(request)
        if person is None:
            raise NotSignedIn
        attempt = _own(host, request, take_over_id)
        if attempt is not None:
            host.workspaces[person.workspace].take_overs.give_up(attempt, Reason.ASKED)
        return Response(status_code=204)

    return routes


def _own(host: Host, connection: HTTPConnection, take_over_id: str) -> Attempt | None:
    """Whoever asks may do so about an attempt of their own."""
    person = person_of(connection)
    workspace = host.workspaces.get(person.workspace) if person else None
    return workspace.take_overs.get(take_over_id, person.user_id) if person and workspace else None


async def _begin(host: Host, request: Request, call_id: str) -> Response:
    person, workspace = allowed(host, request, None)
    offer = await _offer(host, request, person, workspace, call_id)
    opening = partial(_open, host, workspace, person, call_id, offer)
    attempt, answer = await recorded(host, request, person, opening, resume=offer.resume)
    ids = {"take_over_id": attempt.take_over_id, "claim_id": attempt.machine.claim_id}
    return JSONResponse({**ids, "sdp": answer.sdp, "voices": answer.voices})


async def recorded(
    host: Host,
    request: HTTPConnection,
    person: Person,
    opening: Callable[[], Awaitable[tuple[Attempt, _R]]],
    *,
    resume: bool = False,
) -> tuple[Attempt, _R]:
    """Begin by `opening`, once that is recorded; what comes of it is recorded, too. Raises `ApiError`."""
    asked = await record(host, act_of(request, person, Action.TAKE_OVER, Outcome.ASKED, resume=int(resume)))

    def note(outcome: Outcome, reason: str) -> None:
        host.audit.note(act_of(request, person, Action.TAKE_OVER, outcome, reason=reason, since=asked.at), about=asked)

    try:
        attempt, answer = await opening()
    except ApiError as error:
        note(Outcome.FAILED, error.code)
        raise
    except BaseException:
        note(Outcome.BROKEN_OFF, "failed")
        raise
    attempt.watchers.append(Course(attempt, note).moved)
    return attempt, answer


async def _offer(host: Host, request: Request, person: Person, workspace: Workspace, call_id: str) -> _Offer:
    """What is asked for. Raises `ApiError`, and notes it, if that person may not.

    Without the right, only this: a page goes on with the call that it has. Its caller is not left alone because of a
    connection that broke after the role was lost; every Admin has been told (`livemon.control.role_loss`).
    """
    may = person.may(Right.WATCH) and person.may(Right.TAKE_OVER)
    try:
        offer = await read_body(request, _Offer, MAX_BODY, '{"sdp": "v=0…", "resume": false}', _bad_request)
        if may or (offer.resume and await _has_it(workspace, person, call_id, offer.mine)):
            return offer
    except ApiError as error:
        if may or error.code != "bad_request":
            raise
    refuse(host, request, person)
    raise Forbidden(Right.TAKE_OVER, is_key=person.is_key)


async def _has_it(workspace: Workspace, person: Person, call_id: str, claims: tuple[str, ...]) -> bool:
    """Whether that person has the call by one of these claims."""
    try:
        live = workspace.calls.get(call_id) or await workspace.calls.find(call_id)
    except AWAY as error:
        away = RedisAway()
        raise ApiError(away.code, str(away)) from error
    holder = live.controller if live is not None and not live.over else None
    return holder is not None and holder.user_id == person.user_id and holder.claim_id in claims


async def _open(
    host: Host, workspace: Workspace, person: Person, call_id: str, offer: _Offer
) -> tuple[Attempt, TalkAnswer]:
    """Answer the microphone's offer, and begin. Raises `ApiError`."""
    try:
        with workspace.take_overs.place(call_id, person.user_id):
            link, answer = await workspace.talking.open(call_id, person.user_id, offer.sdp)
            attempt = await attempt_by(host, person, workspace, link, resume=offer.resume, mine=offer.mine)
    except ListenError as error:
        raise ApiError(error.code, str(error)) from error
    except TooMany as error:
        raise too_many() from error
    return attempt, answer


class Course:
    """Has it noted that a take-over has come about, and how it ended: each once, however often it moves."""

    def __init__(self, attempt: Attempt, note: Callable[[Outcome, str], None]) -> None:
        self._attempt, self._note = attempt, note
        self._talked = self._over = False

    def moved(self) -> None:
        machine = self._attempt.machine
        if machine.phase is Phase.TALKING and not self._talked:
            self._talked = True
            self._note(Outcome.TALKING, "")
        if not self._over and (machine.final or self._attempt.over.is_set()):
            self._over = True
            self._note(OUTCOMES.get(machine.phase, Outcome.BROKEN_OFF), machine.reason or "")


async def attempt_by(
    host: Host,
    person: Person,
    workspace: Workspace,
    link: MicrophoneLink,
    *,
    resume: bool = False,
    mine: tuple[str, ...] = (),
) -> Attempt:
    """Begin, within a `place`; the microphone is let go if that cannot be. Raises `TooMany`."""
    follow, begin = Follower(host.sessions, person.session_id).run, workspace.take_overs.begin
    who, how = (person.user_id, person.name), {"resume": resume, "over": person.may(Right.MANAGE)}
    try:
        return begin(link.live, *who, link, follow, **how, mine=mine, session_id=person.session_id)
    except BaseException:
        await link.close()
        raise


@dataclass(slots=True)
class _Page:
    """Who follows an attempt, as the sessions last saw them: a talk outlives a role, and is told of by the role of now."""

    person: Person | None
    changed: Callable[[], None] = lambda: None
    """Called once they may see more or less."""

    def see(self, person: Person) -> None:
        before, self.person = self.person, person
        if before is not None and before.rights != person.rights:
            self.changed()


async def _follow(websocket: WebSocket, held: Held, workspace: Workspace, attempt: Attempt, page: _Page) -> None:
    """Tell the page where its attempt stands, at each move, until it goes."""
    outbox = Outbox("take_over", lambda: [_told(attempt, workspace, page.person)])
    page.changed = outbox.renew
    with _watching(attempt, outbox.renew):
        ticking = asyncio.create_task(_tick(outbox, workspace), name=f"clock of {attempt.take_over_id}")
        try:
            await serve(websocket, held, outbox)  # in no group: what it raises has to come out as it is
        finally:
            ticking.cancel()


@contextmanager
def _watching(attempt: Attempt, told: Callable[[], None]) -> Generator[None]:
    """Have `told` called whenever the attempt has moved, while the block lasts."""
    attempt.watchers.append(told)
    try:
        yield
    finally:
        attempt.watchers.remove(told)


async def _tick(outbox: Outbox, workspace: Workspace) -> None:
    while True:
        await asyncio.sleep(TICK_S)
        outbox.offer(orjson.dumps({"t": "tick", "now": workspace.calls.now()}).decode())


def _told(attempt: Attempt, workspace: Workspace, person: Person | None) -> str:
    return orjson.dumps({"t": "take_over", **standing_of(attempt, workspace, person)}).decode()


def standing_of(attempt: Attempt, workspace: Workspace, person: Person | None) -> dict[str, object]:
    """Where the attempt stands, as whoever made it is told it."""
    machine = attempt.machine
    holder = machine.holder
    (said,) = words_for(person, machine.said)
    return {
        "now": workspace.calls.now(),
        "state": STATES[machine.phase],
        "reason": machine.reason,
        "message": said or None,
        "holder": {"user_id": holder.user_id, "name": holder.name} if holder else None,
        "since": holder.since if isinstance(holder, Controller) else None,
        "role_lost_since": holder.role_lost_since if isinstance(holder, Controller) else None,
        "claim_id": machine.claim_id,
    }


def _bad_request(why: str) -> ApiError:
    return ApiError(
        "bad_request", f"The request to take over cannot be read: {why}. The call is not affected. Try again."
    )


def too_many() -> ApiError:
    words = (
        "Too many take-overs are under way at this moment. Nothing was asked, and the call is not affected. Try again."
    )
    return ApiError("too_many", words)
