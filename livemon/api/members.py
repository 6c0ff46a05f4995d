"""The people of a workspace, for its Admins: who is here, roles, removal, sign-in links, and the end of sessions.

Who may is looked at here and, when something is changed, again in its transaction (docs/interfaces.md, «Endpoints»).
"""

import re
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from livemon.access.administration import Administration
from livemon.access.errors import NotHere
from livemon.access.invitations import open_invitations
from livemon.access.links import sign_in_url
from livemon.access.member_changes import KnownBy, change_role, end_session, make_member_link, remove_member
from livemon.access.member_list import Member, members_of
from livemon.access.oidc.provenance import provenance_of
from livemon.access.roles import Role
from livemon.store.instants import to_ms, utc_now

from .administering import admin_of, answering
from .body import read_body
from .errors import ApiError
from .sign_in import Host, base_of

MAX_BODY = 4_096
HEADERS = {"Cache-Control": "no-store"}
_ID = re.compile(r"[\w-]{1,64}", re.ASCII)


class _RoleBody(BaseModel):
    role: Role


def router(host: Host) -> APIRouter:
    """The endpoints, for the application to include."""
    routes = APIRouter()

    @routes.get("/members/all")
    async def members(request: Request) -> Response:
        admin = admin_of(host, request)
        with answering(host, request, admin):
            found = await members_of(host.store, admin.person.workspace)
            invitations = await open_invitations(host.store, admin.person.workspace)
        known_by = _known_by(host, admin)
        body = {
            "now": to_ms(utc_now()),
            "members": [_shown(member, admin, known_by) for member in found],
            "invitations": [asdict(invitation) for invitation in invitations],
        }
        return JSONResponse(body, headers=HEADERS)

    @routes.post("/members/{user_id}/role")
    async def role(request: Request, user_id: str) -> Response:
        admin = admin_of(host, request)
        wanted = (await read_body(request, _RoleBody, MAX_BODY, '{"role": "developer"}', _bad_request)).role
        with answering(host, request, admin):
            concerned = await change_role(admin, checked_id(user_id, "member"), wanted, _known_by(host, admin))
        await host.sessions.look_at(concerned)
        return Response(status_code=204)

    @routes.post("/members/{user_id}/remove")
    async def remove(request: Request, user_id: str) -> Response:
        admin = admin_of(host, request)
        with answering(host, request, admin):
            ended = await remove_member(admin, checked_id(user_id, "member"))
        host.sessions.let_go(*ended)
        return Response(status_code=204)

    @routes.post("/members/{user_id}/link")
    async def link(request: Request, user_id: str) -> Response:
        admin = admin_of(host, request)
        with answering(host, request, admin):
            token, until = await make_member_link(admin, checked_id(user_id, "member"), _known_by(host, admin))
        url = sign_in_url(base_of(request, host.public_url), token)
        return JSONResponse({"url": url, "expires_at": to_ms(until)}, headers=HEADERS)

    @routes.post("/members/sessions/{session_id}/end")
    async def end(request: Request, session_id: str) -> Response:
        admin = admin_of(host, request)
        with answering(host, request, admin):
            await end_session(admin, checked_id(session_id, "session"))
        host.sessions.let_go(session_id)
        return Response(status_code=204)

    return routes


def checked_id(text: str, what: str) -> str:
    """An id that something could have: what else stands in an address is not asked of the store. Raises `NotHere`."""
    if not _ID.fullmatch(text):
        raise NotHere(what)
    return text


def _known_by(host: Host, admin: Administration) -> KnownBy:
    return lambda key: provenance_of(key, admin.person.workspace, host.providers.values())


def _shown(member: Member, admin: Administration, known_by: KnownBy) -> dict[str, Any]:
    """A member for the page: all but the key, by which they are known to their provider."""
    own, known = admin.person.session_id, known_by(member.key)
    return {
        "user_id": member.user_id,
        "name": member.name,
        "email": member.email,
        "role": member.role,
        "by": known.by,
        "role_by": known.role_by,
        "last_seen": member.last_seen,
        "you": member.user_id == admin.person.user_id,
        "sessions": [{**asdict(each), "this": each.id == own} for each in member.sessions],
    }


def _bad_request(why: str) -> ApiError:
    return ApiError("bad_request", f"The role cannot be changed: {why}. Nothing was changed. Reload the page.")
