"""A machine at one node, and its key revoked at another: real nodes on one PostgreSQL, a real WebSocket."""

import asyncio
import contextlib
import time

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from livemon.access.guard import COOKIE
from tests.conftest import free_port
from tests.livemon_process import LivemonProcess
from tests.node.test_postgres import share_key

GENEROUS_S = 60


@pytest.fixture
def nodes(postgres, new_database, valkey_url, tmp_path):
    """Two, on one database and one Valkey."""
    settings = {"LIVEMON_DATABASE_URL": postgres.url(new_database()), "LIVEMON_REDIS_URL": valkey_url}
    made = [LivemonProcess(free_port(), tmp_path / name, settings) for name in ("one", "two")]
    share_key(*made)
    try:
        for node in made:
            node.begin()
        for node in made:
            node.await_words("Ctrl-C")
        yield made
    finally:
        for node in made:
            node.kill()


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
            with contextlib.suppress(ConnectionClosed):
                async with asyncio.timeout(GENEROUS_S):
                    while True:
                        await socket.recv()
            print(f"closed {time.monotonic() - began:.3f} s after the revocation at the other node (contract: 2 s)")
            assert (socket.close_code, socket.close_reason) == (4401, "session_ended")
    async with httpx.AsyncClient(base_url=one.url, headers=bearing, timeout=GENEROUS_S) as machine:
        assert (await machine.post("/calls/x/end")).status_code == 401
    assert all(made["key"][-43:] not in node.output for node in nodes)
