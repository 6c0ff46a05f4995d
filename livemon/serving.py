"""Serving livemon until told to stop: the node, the web server on its socket, and (in the demo) the demo's runtime.

Signals are handled here, so that everything is let go in order: the browsers, the calls of the demo, Valkey last.
"""

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager

import structlog
import uvicorn

from livemon.access.links import admin_has_signed_in, make_link, sign_in_url
from livemon.main import create_app
from livemon.node import Node
from livemon.settings import Settings

GRACEFUL_S = 5
DEMO_STOP_TIMEOUT_S = 10.0
WEBSOCKET_MAX_BYTES = 1_000_000

_log = structlog.get_logger("livemon")


class PortTaken(Exception):
    """livemon cannot listen where it should; the text says what to do."""

    def __init__(self, settings: Settings, error: OSError) -> None:
        super().__init__(
            f"livemon cannot listen on {settings.host}:{settings.port} ({error.strerror or error}). If something else is"
            f" there, choose another port: LIVEMON_PORT={min(settings.port + 1, 65_535)}"
        )


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


async def serve(
    settings: Settings, announce: Callable[[Node, str | None], None], demo_calls: int | None = None
) -> None:
    """Serve until SIGINT or SIGTERM. `announce` is told once the page answers, with a sign-in link if one is due.

    `demo_calls`: also run the demo with so many calls. Raises `PortTaken`, `ValkeyError` or `StoreError`.
    """
    listening = _listen(settings)
    with contextlib.closing(listening):
        app = create_app(settings)
        node: Node = app.state.node
        server = _Server(_config(app, settings))
        with _signals(server):
            async with node.running():
                serving = asyncio.create_task(server.serve(sockets=[listening]), name="web server")
                try:
                    await _started(server, serving)
                    announce(node, await _sign_in_link(node, always=demo_calls is not None))
                    async with _demo(node, demo_calls):
                        await serving
                finally:
                    server.should_exit = True
                    await serving


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=512)
    except OSError as error:
        raise PortTaken(settings, error) from error


def _config(app: object, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,  # pyright: ignore[reportArgumentType]
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=WEBSOCKET_MAX_BYTES,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=GRACEFUL_S,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )


@contextmanager
def _signals(server: _Server) -> Generator[None]:
    """The first signal ends the serving gently, a second one at once."""
    loop = asyncio.get_running_loop()
    main = asyncio.current_task()

    def stop() -> None:
        if server.should_exit and not server.force_exit:
            server.force_exit = True
        server.should_exit = True
        if not server.started and main is not None:
            main.cancel()  # still starting: there is nobody to be gentle with

    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


async def _started(server: _Server, serving: "asyncio.Task[None]") -> None:
    while not server.started and not serving.done():
        await asyncio.sleep(0.005)
    if serving.done():
        await serving


async def _sign_in_link(node: Node, *, always: bool) -> str | None:
    """A link for the first Admin, until one has signed in; in the demo at every start."""
    if not always and await admin_has_signed_in(node.store):
        return None
    return sign_in_url(node.settings.url, await make_link(node.store))


@asynccontextmanager
async def _demo(node: Node, calls: int | None) -> AsyncGenerator[None]:
    """The demo's runtime, a process of its own, as a voice agent would be."""
    if calls is None:
        yield
        return
    command = [sys.executable, "-m", "livemon.demo", "--redis", node.redis_url, "--calls", str(calls)]
    process = await asyncio.create_subprocess_exec(*command, start_new_session=True)
    watching = asyncio.create_task(_watch_demo(process), name="demo")
    try:
        yield
    finally:
        watching.cancel()
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), DEMO_STOP_TIMEOUT_S)
            except TimeoutError:
                process.kill()
                await process.wait()


async def _watch_demo(process: asyncio.subprocess.Process) -> None:
    code = await process.wait()
    _log.error(
        "The demo's runtime has ended by itself; its calls stop reporting. Start the demo again.", exit_code=code
    )
