"""Whether this node is well, and its counters: open to all, and without a word about calls or people."""

from collections.abc import Mapping
from typing import Protocol

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from livemon.calls.feed import State
from livemon.store.store import Store, StoreError
from livemon.workspace import Workspace


class Host(Protocol):
    """What health needs of the node."""

    @property
    def store(self) -> Store: ...
    @property
    def workspaces(self) -> Mapping[str, Workspace]: ...


def router(host: Host) -> APIRouter:
    """The endpoints, for the application to include."""
    routes = APIRouter()

    @routes.get("/healthz")
    async def healthz() -> Response:
        """503 only for what a restart of this node may mend; an outage of Redis is said, and is not the node's fault."""
        redis_away = any(workspace.calls.state.state is State.STALE for workspace in host.workspaces.values())
        told = {"redis": "away" if redis_away else "ok"}
        try:
            await host.store.ping()
        except StoreError:
            return JSONResponse({"status": "failing", "database": "away", **told}, 503)
        return JSONResponse({"status": "degraded" if redis_away else "ok", "database": "ok", **told})

    @routes.get("/metrics")
    async def metrics() -> Response:
        return Response(await run_in_threadpool(generate_latest), media_type=CONTENT_TYPE_LATEST)

    return routes
