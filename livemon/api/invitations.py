"""Invitations, made and taken back by Admins (docs/interfaces.md, «Endpoints»). How others join by them: `joining`.

The token stands behind the `#` of the address that an Admin gets, which browsers keep to themselves.
"""

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from livemon.access import invitations
from livemon.access.roles import Role
from livemon.store.instants import to_ms

from .administering import admin_of, answering
from .body import read_body
from .errors import ApiError
from .members import HEADERS, MAX_BODY, checked_id
from .sign_in import Host, base_of


class _InviteBody(BaseModel):
    role: Role
    name: str = ""


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

    return routes


def _bad_invitation(why: str) -> ApiError:
    return ApiError("bad_request", f"Nobody was invited: {why}. Reload the page, then try again.")
