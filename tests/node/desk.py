"""A workspace of its own in a running livemon, with one bot, as programs meet it that come with API keys."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx
import retell
from sqlmodel import col, update

from livemon.access import members
from livemon.access.administration import Administration
from livemon.access.api_keys import WantedKey, make_key
from livemon.access.roles import CALL_RIGHTS, Role
from livemon.access.sessions import Sessions
from livemon.access.workspaces import add_workspace
from livemon.store.audit.log import AuditLog
from livemon.store.store import Store
from livemon.store.tables import ApiKey
from livemon_runtime import Call, Runtime
from livemon_runtime.protocol import InjectCommand
from tests.livemon_process import LivemonProcess

EVERYTHING = tuple(right.value for right in CALL_RIGHTS)


@dataclass
class Desk:
    """A workspace of its own with one bot, whose calls a test begins and ends."""

    process: LivemonProcess
    store: Store
    audit: AuditLog
    runtime: Runtime
    workspace: str
    told: list[InjectCommand] = field(default_factory=list)
    hung_up: list[str] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=count)

    @asynccontextmanager
    async def calls(self, *calls: dict[str, Any]) -> AsyncIterator[list[Call]]:
        """Calls that go on; they are over afterwards."""
        begun = [self._call(**about) for about in calls]
        key = await self.key()
        try:
            async with asyncio.timeout(60), self.client(key) as client:
                for call in begun:
                    while not await self._is_known(client, call.call_id):
                        await asyncio.sleep(0.05)
            yield begun
        finally:
            for call in begun:
                call.end("user_hangup")

    async def _is_known(self, client: retell.AsyncRetell, call_id: str) -> bool:
        try:
            return bool(await client.call.retrieve(call_id))
        except (retell.NotFoundError, retell.InternalServerError):
            return False

    def _call(self, **about: Any) -> Call:
        about["call_id"] = f"{about['call_id']}-{next(self.numbers)}"  # an id is a call's for good
        call = self.runtime.call(**about)
        call.on_inject(self.told.append)
        call.on_end(lambda: self.hung_up.append(call.call_id))
        return call

    async def cookie(self) -> str:
        """An Admin's, of this workspace."""
        user_id = await members.find_or_create(self.store, "Desk admin")
        await members.set_role(self.store, user_id, self.workspace, Role.ADMIN)
        return await Sessions(self.store).open(user_id, self.workspace, device="Firefox", address="192.0.2.7")

    async def key(self, *rights: str, over: bool = False) -> str:
        admin = await Sessions(self.store).find(await self.cookie())
        assert admin is not None
        administration = Administration(self.store, self.audit, admin, "192.0.2.7")
        made = await make_key(administration, WantedKey("Dialer", rights or EVERYTHING, 1))
        if over:
            async with self.store.session() as session:
                await session.exec(update(ApiKey).where(col(ApiKey.id) == made.id).values(expires_at=1))
                await session.commit()
        return made.key

    def client(self, key: str, **more: Any) -> retell.AsyncRetell:
        return retell.AsyncRetell(api_key=key, base_url=self.process.url, **{"max_retries": 0, **more})


@asynccontextmanager
async def desk_in(process: LivemonProcess, redis_url: str, workspace: str) -> AsyncIterator[Desk]:
    """The workspace is made, and the node has seen it."""
    store = Store(process.database_url)
    await store.open()
    audit = AuditLog(store, process.folder / "data" / "audit.key")
    await audit.open()
    if workspace not in await store.workspaces():
        await add_workspace(store, workspace, name=workspace.capitalize())
    async with Runtime(redis_url, name="front-desk", workspace=workspace) as runtime:
        await runtime.alive.wait()
        desk = Desk(process, store, audit, runtime, workspace)
        headers = {"authorization": f"Bearer {await desk.key()}"}
        async with asyncio.timeout(60), httpx.AsyncClient(base_url=process.url, headers=headers) as client:
            while (await client.post("/v3/list-calls")).status_code != 200:
                await asyncio.sleep(0.1)  # a node sees a new workspace within two seconds
        yield desk
    await store.close()
