"""The composition root: livemon's web application, put together. Nothing imports it but what starts a server."""

import structlog
from fastapi import FastAPI, Request
from nicegui import core, ui
from starlette.responses import Response

import pages
from livemon.access.guard import Guard
from livemon.api import health, listen, live, sign_in
from livemon.api.errors import ApiError, answer_api_error
from livemon.node import Node
from livemon.settings import Settings
from livemon.texts import say

RECONNECT_TIMEOUT_S = 60.0
"""How long NiceGUI keeps a page whose browser is out of reach, before it has to load anew."""

_log = structlog.get_logger("livemon.http")


def create_app(settings: Settings) -> FastAPI:
    """The application around `app.state.node`, which whoever serves it runs. Once a process: NiceGUI has one app."""
    node = Node(settings)
    app = FastAPI(title=say("brand"), docs_url=None, redoc_url=None, openapi_url=None)
    app.state.node = node
    app.add_middleware(Guard, sessions=node.sessions, public_url=settings.public_url)
    app.add_exception_handler(ApiError, answer_api_error)
    app.add_exception_handler(Exception, _answer_failure)
    for part in (live, listen, sign_in, health):
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
    core.sio.eio.transports = ["websocket"]
    core.app.config.socket_io_js_transports = ["websocket"]
    pages.register(node)


async def _answer_failure(request: Request, error: Exception) -> Response:
    """The server logs the traceback by itself; people get words."""
    _log.error("A request failed.", path=request.url.path, error=type(error).__name__)
    return ApiError("internal", say("failure.text")).response
