"""What the Connect page asks: which runtimes are there, and the password of Redis (docs/interfaces.md, «Endpoints»)."""

from dataclasses import asdict
from typing import Protocol

from fastapi import APIRouter, Request
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket

from livemon.access.guard import prefix_of
from livemon.access.person import Person
from livemon.access.roles import Right
from livemon.connect.address import RedisAddress
from livemon.connect.deployment import Deployment
from livemon.connect.stacks import stacks
from livemon.settings import Settings
from livemon.store.audit.acts import Action, Outcome
from livemon.store.store import Store

from . import sockets
from .administering import admin_of
from .errors import ApiError
from .recording import act_of, record, refuse
from .sockets import admitted, closing, serve, sight_of


class Host(sockets.Host, Protocol):
    """What the endpoints need of the node."""

    @property
    def settings(self) -> Settings: ...
    @property
    def store(self) -> Store: ...
    @property
    def redis_url(self) -> str: ...
    @property
    def embeds_redis(self) -> bool: ...


def router(host: Host) -> APIRouter:
    """The endpoints, for the application to include."""
    routes = APIRouter()

    @routes.websocket("/feed/runtimes")
    async def runtime_feed(websocket: WebSocket) -> None:
        async with closing(websocket), admitted(host, websocket, "runtimes", Right.CONNECT) as (workspace, held):
            with workspace.runtimes.connect(sight_of(held)) as outbox:
                await serve(websocket, held, outbox)

    @routes.post("/connect/password")
    async def password(request: Request) -> Response:
        """The lines to copy with the password of Redis in them, for the Admins of a livemon's only workspace."""
        person = admin_of(host, request).person
        deployment = deployment_of(host, request, person)
        if not deployment.may_be_shown:
            reason = "shared_redis" if deployment.address.has_secret else "no_password"
            refuse(host, request, person, reason=reason)
            raise ApiError("refused", _WORDS[reason])
        await record(host, act_of(request, person, Action.REDIS_SHOWN, Outcome.DONE))
        whole = stacks(deployment, redis_url=deployment.address.url)
        return JSONResponse({"stacks": [asdict(one) for one in whole]}, headers={"Cache-Control": "no-store"})

    return routes


def deployment_of(host: Host, connection: HTTPConnection, person: Person) -> Deployment:
    """This livemon as the person's agents and programs meet it, by the address by which the person has come."""
    url = connection.url
    scheme = {"ws": "http", "wss": "https"}.get(url.scheme, url.scheme)
    return Deployment(
        address=RedisAddress(host.redis_url),
        embedded=host.embeds_redis,
        workspace=person.workspace,
        origin=host.settings.public_url or f"{scheme}://{url.netloc}{prefix_of(connection)}",
        shared=len(host.workspaces) > 1,
    )


_WORDS = {
    "shared_redis": (
        "This livemon has several workspaces on one Redis, and its password opens all of them, so it is not shown here. "
        "No call is affected. Ask whoever runs livemon for a user of Redis that is for this workspace's agents alone."
    ),
    "no_password": "The address of Redis has no password. Copy the lines as they are.",
}
