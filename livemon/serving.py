"""Serving livemon until told to stop: the node, the web server on its socket, and (in the demo) the demo's runtime.

Signals are handled here, so that everything is let go in order: the browsers, the calls of the demo, Valkey last.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager

import structlog
import uvicorn
from starlette.types import ASGIApp

from livemon import child_process
from livemon.access.forwarded import Forwarded
from livemon.access.links import admin_has_signed_in, make_link, sign_in_url
from livemon.certificate import check_pair
from livemon.compression import WebSocketProtocol
from livemon.main import create_app
from livemon.node import Node
from livemon.settings import Settings
from livemon.store.store import StoreError

GRACEFUL_S = 5
DEMO_STOP_TIMEOUT_S = 10.0
WEBSOCKET_MAX_BYTES = 1_000_000

_log = structlog.get_logger("livemon")


class PortTaken(Exception):
    """livemon cannot listen where it should; the text says what to do."""

    def __init__(self, settings: Settings, error: OSError) -> None:
        why = (error.strerror or str(error)).partition(" (while")[0]
        super().__init__(
            f"livemon cannot listen on {settings.host}:{settings.port} ({why}). If something else is"
            f" there, choose another port: LIVEMON_PORT={min(settings.port + 1, 65_535)}"
        )


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers; it says when it answers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.starting = False
        self.answers = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.starting = True
        await super().startup(sockets)
        self.answers.set()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


async def serve(
    settings: Settings, announce: Callable[[Node, str | None], None], demo_calls: int | None = None
) -> None:
    """Serve until SIGINT or SIGTERM. `announce` is told once the page answers, with a sign-in link if one is due.

    `demo_calls`: also run the demo with so many calls. Raises `CertificateError`, `PortTaken`, `StoreError`, `ValkeyError`.
    """
    if settings.tls_cert and settings.tls_key:
        check_pair(settings.tls_cert, settings.tls_key)
    listening = _listen(settings)
    with contextlib.closing(listening):
        app = create_app(settings)
        node: Node = app.state.node
        server = _Server(_config(app, settings))
        with _signals(server):
            async with node.running(), asyncio.TaskGroup() as tasks:
                serving = tasks.create_task(server.serve(sockets=[listening]), name="web server")
                await server.answers.wait()
                announce(node, await _sign_in_link(node, always=demo_calls is not None))
                async with _demo(node, demo_calls):
                    await serving


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=512)
    except OSError as error:
        raise PortTaken(settings, error) from error


def _config(app: ASGIApp, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        Forwarded(app, settings.trusted_proxies),  # pyright: ignore[reportArgumentType]
        http="httptools",
        ws=WebSocketProtocol,
        ws_max_size=WEBSOCKET_MAX_BYTES,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # `Forwarded` does that
        timeout_graceful_shutdown=GRACEFUL_S,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )


@contextmanager
def _signals(server: _Server) -> Generator[None]:
    """The first signal ends the serving gently, a second one at once: Valkey and the demo then end by themselves."""
    loop = asyncio.get_running_loop()
    main = asyncio.current_task()
    assert main is not None

    def stop(number: int) -> None:
        if server.should_exit:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        server.should_exit = True
        if not server.starting:
            main.cancel()  # there is nobody yet to be gentle with

    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, stop, number)
    try:
        yield
    except asyncio.CancelledError:
        if not server.should_exit:
            raise
        main.uncancel()
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


async def _sign_in_link(node: Node, *, always: bool) -> str | None:
    """A link for the first Admin, until one has signed in; in the demo at every start."""
    try:
        if not always and await admin_has_signed_in(node.store):
            return None
        return sign_in_url(node.settings.url, await make_link(node.store, audit=node.audit))
    except StoreError as error:
        _log.error("There is no sign-in link this time; make one by `livemon sign-in-link`.", why=str(error))
        return None


@asynccontextmanager
async def _demo(node: Node, calls: int | None) -> AsyncGenerator[None]:
    """The demo's runtime, a process of its own, as a voice agent would be."""
    if calls is None:
        yield
        return
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "livemon.demo", "--calls", str(calls), "--parent", str(os.getpid())),
        env={**os.environ, "LIVEMON_REDIS_URL": node.redis_url},  # it may hold a password, and all can read arguments
        start_new_session=True,  # Ctrl-C is livemon's to handle
    )
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(_watch_demo(process), name="demo")
        try:
            yield
        finally:
            watching.cancel()
            await child_process.end(process, DEMO_STOP_TIMEOUT_S)


async def _watch_demo(process: asyncio.subprocess.Process) -> None:
    code = await process.wait()
    _log.error(
        "The demo's runtime has ended by itself; its calls stop reporting. Start the demo again.", exit_code=code
    )
