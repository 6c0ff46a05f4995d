"""Joining a workspace by an invitation: as who is signed in, by a name, or with an identity provider (docs/interfaces.md).

The token comes in bodies alone: in addresses it stands behind the `#`, which browsers keep to themselves.
"""

import secrets
from collections.abc import Mapping
from typing import Protocol

from fastapi import APIRouter, Request
from pydantic import BaseModel
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import JSONResponse, Response

from livemon.access import attribution, invitations, sign_in_limits
from livemon.access.cookie import cookies_of, set_session_cookie
from livemon.access.errors import (
    AccessError,
    AlreadyMember,
    BadName,
    InvitationUsed,
    JoinByProvider,
    NameTaken,
    SessionOver,
    TooManyFailures,
)
from livemon.access.guard import person_of
from livemon.access.invitations import Invited
from livemon.access.links import Entering
from livemon.access.oidc.errors import OidcError, TooManyAttempts
from livemon.access.oidc.provenance import Provenance, provenance_of
from livemon.access.person import Person
from livemon.access.switching import switch
from livemon.store.audit.acts import Act, Action, Outcome
from livemon.store.audit.errors import NotRecorded
from livemon.store.errors import StoreError
from livemon.store.instants import to_ms, utc_now
from livemon.workspace import Workspace

from . import sign_in
from .body import read_body
from .errors import ApiError, NotSignedIn
from .members import HEADERS, MAX_BODY
from .recording import act_of, address_of, not_recorded
from .sign_in import end_all, sign_in_limited, start_of
from .single_sign_on import leave_for
from .workspaces import check_free


class Host(sign_in.Host, Protocol):
    """What the endpoints need of the node."""

    @property
    def workspaces(self) -> Mapping[str, Workspace]: ...


class _TokenBody(BaseModel):
    token: str


class _AcceptBody(BaseModel):
    token: str
    name: str


def router(host: Host) -> APIRouter:
    """The endpoints, for the application to include."""
    routes = APIRouter()

    @routes.post("/join/look")
    async def look(request: Request) -> Response:
        token = (await read_body(request, _TokenBody, MAX_BODY, '{"token": "…"}', _bad_joining)).token
        invited = await _invited(host, request, token)
        providers = [{"slug": slug, "label": provider.name} for slug, provider in host.providers.items()]
        body = {"workspace": invited.workspace_name, "role": invited.role, "name": invited.name, "providers": providers}
        return JSONResponse(body | {"you": await _you(host, request, invited)}, headers=HEADERS)

    @routes.post("/join/accept")
    async def accept(request: Request) -> Response:
        wanted = await read_body(request, _AcceptBody, MAX_BODY, '{"token": "…", "name": "Ada"}', _bad_joining)
        return await _accept(host, request, await _invited(host, request, wanted.token), wanted.name)

    @routes.post("/join/as-me")
    async def as_me(request: Request) -> Response:
        person = person_of(request)
        if person is None:
            raise NotSignedIn
        token = (await read_body(request, _TokenBody, MAX_BODY, '{"token": "…"}', _bad_joining)).token
        invited = await _invited(host, request, token)
        check_free(host.workspaces, person)
        return await _accept_as(host, request, invited, person)

    @routes.post("/join/with/{slug}")
    async def join_with(request: Request, slug: str) -> Response:
        token = (await read_body(request, _TokenBody, MAX_BODY, '{"token": "…"}', _bad_joining)).token
        invited = await _invited(host, request, token)
        provider = host.providers.get(slug)
        if provider is None:
            raise ApiError("not_found", "There is no such identity provider, so you have not joined. Reload the page.")
        try:
            return await leave_for(host, provider, request, _next, invitation=invited.id)
        except TooManyAttempts as error:
            raise ApiError("too_many", _TOO_MANY) from error
        except OidcError as error:
            raise ApiError("failed", _AWAY.format(name=provider.name)) from error
        except StoreError as error:
            raise ApiError("store_away", str(error)) from error

    return routes


async def _accept(host: Host, request: Request, invited: Invited, name: str) -> Response:
    """Somebody comes in by a name: the person, the membership, the session and the record of it, or none of them."""
    try:
        user_id = await invitations.comes_back_as(host.store, invited, name) or secrets.token_hex(8)

        async def joining(session: AsyncSession) -> None:
            joined, called = await invitations.join(session, invited.id, name, user_id, now_ms=to_ms(utc_now()))
            await _record_joined(host, request, session, joined, Entering(user_id, called, joined.workspace))

        device = request.headers.get("user-agent", "")
        cookie = await host.sessions.open(
            user_id, invited.workspace, device=device, address=address_of(request), opening=joining
        )
        person = await host.sessions.find(cookie)
        await end_all(host, request, Action.SESSION_END)  # whoever was signed in here, and knows that cookie, is out
    except BadName as error:
        raise ApiError("bad_request", str(error)) from error
    except NameTaken as error:
        host.audit.refuse(_refusal(request, "name_taken", invited.workspace))
        raise ApiError("name_taken", str(error)) from error
    except AccessError as error:
        raise await _used(host, request, invited.id) from error
    except NotRecorded as error:
        raise not_recorded(error) from error
    except StoreError as error:
        raise ApiError("store_away", str(error)) from error
    response = JSONResponse({"next": start_of(request, person)}, headers=HEADERS)
    set_session_cookie(response, request, cookie)
    return response


async def _accept_as(host: Host, request: Request, invited: Invited, person: Person) -> Response:
    """Somebody who is signed in comes in as themselves: the membership, the new session and the record, or none of them."""
    ending: list[str] = []

    def known_by(key: str) -> Provenance:
        return provenance_of(key, invited.workspace, host.providers.values())

    async def arriving(session: AsyncSession) -> None:
        who = (person.user_id, person.session_id)
        joined, others = await invitations.join_as(
            session, invited.id, *who, known_by, host.audit, now_ms=to_ms(utc_now())
        )
        ending.extend(others)
        await host.audit.add(session, act_of(request, person, Action.SIGN_OUT, Outcome.DONE, reason="switched"))
        await _record_joined(host, request, session, joined, Entering(person.user_id, person.name, joined.workspace))

    async def recorded(_session: AsyncSession, _who: Entering) -> None:
        """It is, by `arriving`."""

    try:
        cookie, _ = await switch(
            host.store,
            person.session_id,
            invited.workspace,
            name=person.name,
            device=request.headers.get("user-agent", ""),
            address=address_of(request),
            recording=recorded,
            arriving=arriving,
        )
        host.sessions.let_go(person.session_id, *ending)
        there = await host.sessions.find(cookie)
    except AlreadyMember as error:
        raise _refused(host, request, person, "already_member", error) from error
    except JoinByProvider as error:
        raise _refused(host, request, person, "by_provider", error) from error
    except SessionOver as error:
        raise NotSignedIn from error
    except AccessError as error:
        raise await _used(host, request, invited.id) from error
    except NotRecorded as error:
        raise not_recorded(error) from error
    except StoreError as error:
        raise ApiError("store_away", str(error)) from error
    response = JSONResponse({"next": start_of(request, there)}, headers=HEADERS)
    set_session_cookie(response, request, cookie)
    return response


async def _record_joined(host: Host, request: Request, session: AsyncSession, joined: Invited, who: Entering) -> None:
    """In the workspace that they join; no other one's log names it, nor does its own name another."""
    known, address = (joined.workspace, who.user_id, who.name), address_of(request)
    used = {"reason": "used", "role": joined.role.value}
    act = Act(Action.INVITATION, Outcome.DONE, *known, subject=joined.name, address=address, detail=used)
    await host.audit.add(session, act)
    came = Act(Action.SIGN_IN, Outcome.DONE, *known, address=address, detail={"by": "invitation"})
    await host.audit.add(session, came)


async def _you(host: Host, request: Request, invited: Invited) -> dict[str, str | bool] | None:
    """As whom somebody would join who is signed in in that browser, and whether they are there already."""
    try:
        for cookie in cookies_of(request):
            if person := await host.sessions.find(cookie):
                member = await invitations.is_member(host.store, invited, person.user_id)
                return {"name": person.name, "member": member}
    except StoreError as error:
        raise ApiError("store_away", str(error)) from error
    return None


def _refused(host: Host, request: Request, person: Person, code: str, error: AccessError) -> ApiError:
    host.audit.refuse(act_of(request, person, Action.INVITATION, Outcome.REFUSED, reason=code))
    return ApiError(code, str(error))


async def _invited(host: Host, request: Request, token: str) -> Invited:
    """What the token is for. Raises `ApiError`."""
    try:
        await sign_in_limits.check(host.store, address_of(request))
        return await invitations.look(host.store, token)
    except TooManyFailures as error:
        raise sign_in_limited(error) from error
    except AccessError as error:
        raise await _used(host, request, invitations.id_of(token)) from error
    except StoreError as error:
        raise ApiError("store_away", str(error)) from error


async def _used(host: Host, request: Request, invitation_id: str) -> ApiError:
    act = await attribution.by_invitation(host.store, _refusal(request, "invitation_used"), invitation_id)
    await sign_in_limits.refused(host.store, host.audit, act)
    return ApiError("invitation_used", str(InvitationUsed()))


def _refusal(request: Request, reason: str, workspace: str = "") -> Act:
    return Act(Action.INVITATION, Outcome.REFUSED, workspace, address=address_of(request), detail={"reason": reason})


def _next(url: str) -> Response:
    return JSONResponse({"next": url})


_TOO_MANY = "More sign-ins were begun than livemon keeps, so yours was not begun. Try again in ten minutes."
_AWAY = (
    "{name} cannot be reached, so you have not joined; the invitation is still good. Try again in a minute; if it goes on, "
    "ask whoever runs livemon to run `livemon doctor`."
)


def _bad_joining(why: str) -> ApiError:
    return ApiError("bad_request", f"You have not joined: {why}. Open the invitation's link again.")
