"""What livemon's application answers to, found by introspection: every route, socket and mount, and every sub page.

Run as a process of its own, for NiceGUI has one application a process: `python -m tests.access.routes FOLDER` prints it all
as JSON.
"""

import asyncio
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import nicegui
from fastapi import FastAPI
from nicegui import core, ui
from starlette.requests import Request
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute

from livemon.access.person import Person
from livemon.access.roles import RIGHTS, Role
from livemon.main import create_app
from livemon.settings import Settings
from pages.shell import Shell


@dataclass(frozen=True)
class Found:
    """One route; `kind` is `http`, `websocket`, `mount` or the class of something unknown, `methods` those of `http`."""

    kind: str
    template: str
    methods: tuple[str, ...] = ()

    def path(self, name: str = "x") -> str:
        """An address that leads to it, `name` standing for every parameter."""
        return re.sub(r"\{[^}]*\}", name, self.template) + (f"/{name}" if self.kind == "mount" else "")


def routes_of(routes: list[BaseRoute], before: str = "") -> Iterator[Found]:
    """Every one, those within mounts too."""
    for route in routes:
        template = before + getattr(route, "path", "/of-an-unknown-kind")
        if isinstance(route, Mount):
            yield Found("mount", template)
            yield from routes_of(list(route.routes), template)
        elif isinstance(route, WebSocketRoute):
            yield Found("websocket", template)
        elif isinstance(route, Route):
            yield Found("http", template, tuple(sorted(route.methods or ())))
        elif hasattr(route, "original_router"):  # FastAPI's way of including a router
            yield from routes_of(list(route.original_router.routes), before)
        else:
            yield Found(type(route).__name__, template)


class _Seen(Exception):
    """Enough of a page has been built."""


def sub_pages_of(app: FastAPI) -> list[str]:
    """The paths of the sub pages that the shell builds for an Admin."""
    seen: list[str] = []

    def record(routes: dict[str, Any], *_: object) -> None:
        seen.extend(routes)
        raise _Seen

    person = Person("u", "Ada", "", Role.ADMIN, "default", "s", RIGHTS[Role.ADMIN])
    scope = {"type": "http", "path": "/", "headers": [], "query_string": b"", "server": ("livemon.test", 80)}
    with nicegui.Client(ui.page("/")) as client, patch("pages.shell.Pages", record):
        try:
            Shell(app.state.node, person, Request(scope), client).build()
        except _Seen:
            return seen
    raise LookupError("the shell builds no sub pages any more; tests.access.routes is to be looked at")


async def main(folder: Path) -> None:
    app = create_app(Settings(data_dir=folder))
    core.loop = asyncio.get_running_loop()
    print(json.dumps({"routes": [asdict(one) for one in routes_of(list(app.routes))], "sub_pages": sub_pages_of(app)}))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
