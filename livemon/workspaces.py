"""The workspaces of this node: those that the store names, each started as soon as it is seen there."""

import asyncio
from collections.abc import Callable

import structlog

from livemon.store.errors import StoreError
from livemon.store.store import Store
from livemon.supervision import keep_running
from livemon.workspace import Workspace
from livemon_runtime.errors import InvalidName

LOOK_S = 2.0
"""How often the store is looked at for workspaces that were made meanwhile."""

_log = structlog.get_logger("livemon")


class Workspaces:
    """`live` has them by slug; `run` starts each, and those that come later. `make` makes one, without I/O."""

    def __init__(self, store: Store, make: Callable[[str], Workspace], *, look_s: float = LOOK_S) -> None:
        self.live: dict[str, Workspace] = {}
        self._store, self._make, self._look_s = store, make, look_s
        self._unusable: set[str] = set()
        self._away = False

    async def open(self) -> None:
        """Those that are there. Raises `StoreError`."""
        for slug in await self._store.workspaces():
            if slug in self.live or slug in self._unusable:
                continue
            try:
                self.live[slug] = self._make(slug)
            except InvalidName as error:  # somebody has written into the database by hand
                self._unusable.add(slug)
                _log.error("A workspace cannot be used, and nobody sees calls in it.", why=str(error))

    async def run(self) -> None:
        """Run all of them until cancelled; neither an outage nor what fails in one is any business of the others."""
        started: set[str] = set()
        async with asyncio.TaskGroup() as tasks:
            while True:
                for slug, workspace in self.live.items():
                    if slug not in started:
                        name = f"workspace {slug}"
                        tasks.create_task(keep_running(name, workspace.run), name=name)
                        started.add(slug)
                await asyncio.sleep(self._look_s)
                await self._look()

    async def _look(self) -> None:
        try:
            await self.open()
        except StoreError as error:
            if not self._away:
                _log.warning("Workspaces that were just made are not noticed before the store is back.", why=str(error))
            self._away = True
            return
        self._away = False
