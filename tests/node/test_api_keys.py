"""A machine at one node, and its key revoked at another, or over: real nodes on one PostgreSQL, a real WebSocket."""

import asyncio
import contextlib
import time

import httpx
import pytest
from sqlmodel import col, update
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from livemon.access.guard import COOKIE
from livemon.store.store import Store
from livemon.store.tables import ApiKey
from tests.two_nodes import two_nodes

GENEROUS_S = 60


@pytest.fixture
def nodes(postgres, new_database, valkey_url, tmp_path):
    """Two, on one database and one Valkey."""
    with two_nodes(postgres.url(new_database()), valkey_url, tmp_path) as made:
        yield made


async def is_closed(socket: ClientConnection) -> tuple[int | None, str | None]:
    """Why it was closed, once it is."""
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.timeout(GENEROUS_S):
            while True:
                await socket.recv()
    return socket.close_code, socket.close_reason


async def test_a_key_revoked_at_one_node_closes_its_sockets_at_the_other(nodes):
    one, two = nodes
    admin = {"Origin": two.url, "Cookie": f"{COOKIE}={await two.cookie('Maya')}"}
    async with httpx.AsyncClient(base_url=two.url, headers=admin, timeout=GENEROUS_S) as maya:
        made = (await maya.post("/keys", json={"name": "Wallboard", "rights": ["watch"], "days": 1})).json()
        bearing = {"Authorization": f"Bearer {made['key']}"}
        url = f"{one.url.replace('http', 'ws', 1)}/feed/calls"
        async with connect(url, additional_headers=bearing, open_timeout=GENEROUS_S) as socket:
            assert '"snapshot"' in str(await asyncio.wait_for(socket.recv(), GENEROUS_S))
            assert (await maya.post(f"/keys/{made['id']}/revoke")).status_code == 204
            began = time.monotonic()
            closed = await is_closed(socket)
            print(f"closed {time.monotonic() - began:.3f} s after the revocation at the other node (contract: 2 s)")
            assert closed == (4401, "session_ended")
    async with httpx.AsyncClient(base_url=one.url, headers=bearing, timeout=GENEROUS_S) as machine:
        assert (await machine.post("/calls/x/end")).status_code == 401
    assert all(made["key"][-43:] not in node.output for node in nodes)


async def test_a_key_that_expires_closes_its_sockets_at_every_node(nodes):
    one, two = nodes
    admin = {"Origin": two.url, "Cookie": f"{COOKIE}={await two.cookie('Maya')}"}
    async with httpx.AsyncClient(base_url=two.url, headers=admin, timeout=GENEROUS_S) as maya:
        made = (await maya.post("/keys", json={"name": "Wallboard", "rights": ["watch"], "days": 1})).json()
    bearing = {"Authorization": f"Bearer {made['key']}"}
    async with contextlib.AsyncExitStack() as stack:
        sockets = []
        for node in nodes:
            url = f"{node.url.replace('http', 'ws', 1)}/feed/calls"
            socket = await stack.enter_async_context(connect(url, additional_headers=bearing, open_timeout=GENEROUS_S))
            assert '"snapshot"' in str(await asyncio.wait_for(socket.recv(), GENEROUS_S))
            sockets.append(socket)
        until = int(time.time() * 1000) + 2_000
        store = Store(one.database_url)
        await store.open()
        async with store.session() as session:
            await session.exec(update(ApiKey).where(col(ApiKey.id) == made["id"]).values(expires_at=until))
            await session.commit()
        await store.close()
        for socket in sockets:
            assert await is_closed(socket) == (4401, "session_ended")
            print(f"closed {time.time() - until / 1000:.3f} s after the key's last moment (contract: 2 s)")
    for node in nodes:
        async with httpx.AsyncClient(base_url=node.url, headers=bearing, timeout=GENEROUS_S) as machine:
            assert (await machine.post("/calls/x/end")).status_code == 401
