"""Asks livemon's whole application for every route that it has, as a stranger, and prints the answers as JSON.

Run as a process of its own, for NiceGUI has one application a process: `python -m tests.access.route_walk FOLDER`.
"""

import asyncio
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import nicegui
from nicegui import ui
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute

from livemon.main import create_app
from livemon.settings import Settings
from tests.access.wire import connect, request

OURS = {"origin": "http://livemon.test"}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def paths(routes: list[BaseRoute], before: str = "") -> Iterator[tuple[str, str]]:
    """Kind of each route, and an address that leads to it."""
    for route in routes:
        path = before + re.sub(r"\{[^}]*\}", "x", getattr(route, "path", "/of-an-unknown-kind"))
        if isinstance(route, Mount):
            yield "mount", f"{path}/x"
            yield from paths(list(route.routes), path)
        elif isinstance(route, WebSocketRoute):
            yield "websocket", path
        elif isinstance(route, Route):
            yield "http", path
        elif hasattr(route, "original_router"):  # FastAPI's way of including a router
            yield from paths(list(route.original_router.routes), before)
        else:
            yield type(route).__name__, path


async def main(folder: Path) -> None:
    app = create_app(Settings(data_dir=folder))
    await app.state.node.store.open()
    nicegui.app.add_static_files("/reports", folder)
    nicegui.app.add_media_file(local_file=__file__)
    nicegui.app.add_static_file(local_file=__file__)
    with nicegui.Client(ui.page("/")):
        ui.upload()
    app.build_middleware_stack()
    answers = []
    for kind, path in paths(list(app.routes)):
        of_methods = {method: (await request(app, method, path, OURS)).status for method in METHODS}
        socket = await connect(app, path, OURS)
        answers.append({"kind": kind, "path": path, "http": of_methods, "socket": socket.messages[-1].get("code")})
    await app.state.node.store.close()
    print(json.dumps(answers))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
