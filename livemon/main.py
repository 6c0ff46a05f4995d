"""The composition root: livemon's web application, put together. Nothing imports it but what starts a server."""

from functools import partial

import structlog
from fastapi import FastAPI, Request
from nicegui import core, ui
from starlette.responses import Response
from starlette.types import ASGIApp

import pages
from livemon import page_socket, page_template
from livemon.access.guard import Guard
from livemon.access.headers import SecurityHeaders
from livemon.access.refusals import path_of
from livemon.api import (
    audit,
    connect,
    health,
    invitations,
    joining,
    keys,
    listen,
    live,
    members,
    sign_in,
    single_sign_on,
    take_over,
    workspaces,
)
from livemon.api.errors import ApiError, answer_api_error
from livemon.api.recording import refuse_cross_site
from livemon.api.v2 import routes as v2
from livemon.node import Node
from livemon.settings import Settings
from livemon.texts import say

RECONNECT_TIMEOUT_S = 60.0
"""How long NiceGUI keeps a page whose browser is out of reach, before it has to load anew."""

_log = structlog.get_logger("livemon.http")


class _Application(FastAPI):
    """Whose every answer has the security headers, also the one to an error that nobody has caught."""

    def __init__(self, public_url: str | None) -> None:
        super().__init__(title=say("brand"), docs_url=None, redoc_url=None, openapi_url=None)
        self._public_url = public_url

    def build_middleware_stack(self) -> ASGIApp:
        return SecurityHeaders(super().build_middleware_stack(), public_url=self._public_url)


def create_app(settings: Settings) -> FastAPI:
    """The application around `app.state.node`, which whoever serves it runs. Once a process: NiceGUI has one app."""
    node = Node(settings)
    app = _Application(settings.public_url)
    app.state.node = node
    app.add_middleware(
        Guard,
        sessions=node.sessions,
        public_url=settings.public_url,
        audit=node.audit,
        on_cross_site=partial(refuse_cross_site, node),
    )
    app.add_exception_handler(ApiError, answer_api_error)
    app.add_exception_handler(Exception, _answer_failure)
    people = (sign_in, single_sign_on, workspaces, members, invitations, joining, keys)
    parts = (live, connect, listen, take_over, v2, *people, audit, health)
    for part in parts:
        app.include_router(part.router(node))
    _mount_pages(app, node)
    return app


def _mount_pages(app: FastAPI, node: Node) -> None:
    """NiceGUI last: its mount at / takes every address that is not ours."""
    ui.run_with(
        app,
        title=say("brand"),
        dark=None,
        language="en-US",
        tailwind=False,
        binding_refresh_interval=None,
        reconnect_timeout=RECONNECT_TIMEOUT_S,
        show_welcome_message=False,
    )
    # The guard has checked the Origin; the browser needs no other transport, and no other site may ask for one.
    core.sio.eio.cors_allowed_origins = []
    page_socket.harden()
    page_template.give_nonces()
    core.sio.eio.transports = ["websocket"]
    core.app.config.socket_io_js_transports = ["websocket"]
    pages.register(node)


async def _answer_failure(request: Request, error: Exception) -> Response:
    """The server logs the traceback by itself; people get words."""
    _log.error("A request failed.", path=request.url.path, error=type(error).__name__)
    return ApiError("internal", say("failure.text")).response(path_of(request))
