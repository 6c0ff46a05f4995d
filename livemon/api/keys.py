"""API keys for Admins: which there are, a new one, and revoking one (docs/interfaces.md, «Endpoints»).

Those of the session's workspace alone; another's do not exist here. Who may is looked at here, and again in the
transaction that does it.
"""

from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from livemon.access.api_keys import GIVEN, WantedKey, keys_of, make_key, revoke_key
from livemon.access.person import OF_KEY
from livemon.access.roles import Right
from livemon.access.sessions import Sessions
from livemon.store.audit.log import AuditLog
from livemon.store.instants import to_ms, utc_now
from livemon.store.store import Store
from livemon.store.tables import ApiKey

from .administering import admin_of, answering
from .body import read_body
from .errors import ApiError

MAX_BODY = 4_096
LIKE = '{"name": "…", "rights": ["watch"], "days": 90}'
_NO_STORE = {"Cache-Control": "no-store"}


class Host(Protocol):
    """What the endpoints need of the node."""

    @property
    def audit(self) -> AuditLog: ...
    @property
    def sessions(self) -> Sessions: ...
    @property
    def store(self) -> Store: ...


class _KeyBody(BaseModel):
    model_config = ConfigDict(strict=True)

    name: str
    rights: Annotated[list[str], Field(max_length=len(Right))]
    days: int


def router(host: Host) -> APIRouter:
    """The endpoints, for the application to include."""
    routes = APIRouter()

    @routes.get("/keys/all")
    async def every_key(request: Request) -> Response:
        admin = admin_of(host, request)
        with answering(host, request, admin):
            found = await keys_of(host.store, admin.person.workspace)
        keys = [_shown(key, maker) for key, maker in found]
        return JSONResponse({"now": to_ms(utc_now()), "rights": GIVEN, "keys": keys}, headers=_NO_STORE)

    @routes.post("/keys")
    async def make(request: Request) -> Response:
        admin = admin_of(host, request)
        asked = await read_body(request, _KeyBody, MAX_BODY, LIKE, _bad_request)
        with answering(host, request, admin):
            made = await make_key(admin, WantedKey(asked.name, asked.rights, asked.days))
        return JSONResponse({"id": made.id, "key": made.key, "expires_at": made.expires_at}, headers=_NO_STORE)

    @routes.post("/keys/{key_id}/revoke")
    async def revoke(request: Request, key_id: str) -> Response:
        admin = admin_of(host, request)
        with answering(host, request, admin):
            await revoke_key(admin, key_id)
        host.sessions.let_go(f"{OF_KEY}{key_id}")
        return Response(status_code=204)

    return routes


def _shown(key: ApiKey, maker: str) -> dict[str, Any]:
    """A key as its list shows it; there is nothing secret in it."""
    names = ("id", "name", "created_at", "expires_at", "revoked_at", "last_used_at")
    return {name: getattr(key, name) for name in names} | {"rights": key.rights.split(), "created_by": maker}


def _bad_request(why: str) -> ApiError:
    return ApiError("bad_request", f"The request for a key cannot be read: {why}. No key was made. Try again.")
