"""Invitations: made and taken back by Admins, and how somebody who has one joins (docs/interfaces.md, «Endpoints»).

The token comes in bodies alone: in addresses it stands behind the `#`, which browsers keep to themselves.
"""

import secrets

from fastapi import APIRouter, Request
from pydantic import BaseModel
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import JSONResponse, Response

from livemon.access import attribution, invitations, sign_in_limits
from livemon.access.cookie import set_session_cookie
from livemon.access.errors import AccessError, BadName, InvitationUsed, NameTaken, TooManyFailures
from livemon.access.invitations import Invited
from livemon.access.members import shown_name
from livemon.access.oidc.errors import OidcError, TooManyAttempts
from livemon.access.roles import Role
from livemon.store.audit.acts import Act, Action, Outcome
from livemon.store.audit.errors import NotRecorded
from livemon.store.errors import StoreError
from livemon.store.instants import to_ms, utc_now

from .administering import admin_of, answering
from .body import read_body
from .errors import ApiError
from .members import HEADERS, MAX_BODY, checked_id
from .recording import address_of, not_recorded
from .sign_in import Host, base_of, end_all, sign_in_limited, start_of
from .single_sign_on import leave_for


class _InviteBody(BaseModel):
    role: Role
    name: str = ""


class _TokenBody(BaseModel):
    token: str


class _AcceptBody(BaseModel):
    token: str
    name: str


def router(host: Host) -> APIRouter:
    """The endpoints, for the application to include."""
    routes = APIRouter()

    @routes.post("/invitations")
    async def invite(request: Request) -> Response:
        admin = admin_of(host, request)
        like = '{"role": "developer", "name": "Ada"}'
        wanted = await read_body(request, _InviteBody, MAX_BODY, like, _bad_invitation)
        with answering(host, request, admin):
            invitation_id, token, until = await invitations.invite(admin, wanted.role, wanted.name)
        url = f"{base_of(request, host.public_url).rstrip('/')}/join#token={token}"
        return JSONResponse({"id": invitation_id, "url": url, "expires_at": to_ms(until)}, headers=HEADERS)

    @routes.post("/invitations/{invitation_id}/revoke")
    async def revoke(request: Request, invitation_id: str) -> Response:
        admin = admin_of(host, request)
        with answering(host, request, admin):
            await invitations.revoke(admin, checked_id(invitation_id, "invitation"))
        return Response(status_code=204)

    @routes.post("/join/look")
    async def look(request: Request) -> Response:
        token = (await read_body(request, _TokenBody, MAX_BODY, '{"token": "…"}', _bad_joining)).token
        invited = await _invited(host, request, token)
        providers = [{"slug": slug, "label": provider.name} for slug, provider in host.providers.items()]
        body = {"workspace": invited.workspace_name, "role": invited.role, "name": invited.name, "providers": providers}
        return JSONResponse(body, headers=HEADERS)

    @routes.post("/join/accept")
    async def accept(request: Request) -> Response:
        wanted = await read_body(request, _AcceptBody, MAX_BODY, '{"token": "…", "name": "Ada"}', _bad_joining)
        return await _accept(host, request, await _invited(host, request, wanted.token), wanted.name)

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
    """Somebody new comes in: the person, the membership, the session and the record of it, or none of them."""
    user_id = secrets.token_hex(8)

    async def joining(session: AsyncSession) -> None:
        joined = await invitations.join(session, invited.id, name, user_id, now_ms=to_ms(utc_now()))
        known = (joined.workspace, user_id, shown_name(name))
        used = {"reason": "used", "role": joined.role.value}
        address = address_of(request)
        act = Act(Action.INVITATION, Outcome.DONE, *known, subject=joined.name, address=address, detail=used)
        await host.audit.add(session, act)
        came = Act(Action.SIGN_IN, Outcome.DONE, *known, address=address, detail={"by": "invitation"})
        await host.audit.add(session, came)

    try:
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


def _bad_invitation(why: str) -> ApiError:
    return ApiError("bad_request", f"Nobody was invited: {why}. Reload the page, then try again.")


def _bad_joining(why: str) -> ApiError:
    return ApiError("bad_request", f"You have not joined: {why}. Open the invitation's link again.")
