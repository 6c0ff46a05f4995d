"""A program behind whatever spreads its requests over two nodes: real ones, on one PostgreSQL and one Valkey."""

import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from livemon.access.guard import COOKIE
from livemon_runtime import Codec, Runtime
from tests.api.v2.live_program import GENEROUS_S, joined
from tests.browser.speaking import speak
from tests.browser.supervised import MICROPHONE_HZ, Bot
from tests.livemon_process import LivemonProcess
from tests.media.call_source import CALLER_HZ
from tests.media.call_source import running as beside
from tests.runtime.conftest import eventually
from tests.two_nodes import two_nodes


@pytest.fixture
def nodes(postgres: Any, new_database: Any, valkey_url: str, tmp_path: Path) -> Iterator[list[LivemonProcess]]:
    with two_nodes(postgres.url(new_database()), valkey_url, tmp_path) as made:
        yield made


@pytest.fixture
async def bot(nodes: list[LivemonProcess], valkey_url: str) -> AsyncIterator[Bot]:
    async with Runtime(valkey_url, name="front-desk") as runtime:
        made = Bot(runtime, Codec.PCMU)
        async with beside(speak(made.call, Codec.PCMU)):
            yield made


@contextlib.asynccontextmanager
async def asking(node: LivemonProcess, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=node.url, headers=headers, timeout=GENEROUS_S) as client:
        yield client


async def test_a_token_of_one_node_is_good_at_the_other_and_so_is_the_key(nodes: list[LivemonProcess], bot: Bot):
    one, two = nodes
    admin = {"Origin": one.url, "Cookie": f"{COOKIE}={await one.cookie('Maya')}"}
    rights = ["watch", "listen", "take_over"]
    call_id = bot.call.call_id
    async with asking(one, **admin) as maya:
        made = (await maya.post("/keys", json={"name": "Wallboard", "rights": rights, "days": 1})).json()
        bearing = {"Authorization": f"Bearer {made['key']}"}
        async with asking(one, **bearing) as at_one, asking(two, **bearing) as at_two:

            async def token() -> dict[str, Any] | None:
                answer = await at_one.post(f"/v2/listen-live-call/{call_id}")
                return answer.json() if answer.status_code == 200 else None

            given = await eventually(token)
            assert given["url"].startswith(one.url.replace("http", "ws", 1))
            given["url"] = given["url"].replace(one.url.partition("//")[2], two.url.partition("//")[2])
            async with joined(given) as program:
                assert abs(await program.ear.tone("caller", GENEROUS_S) - CALLER_HZ) < 6
                await program.talk(MICROPHONE_HZ)
                asked = {"participant_id": program.participant_id}

                async def elsewhere() -> str | None:
                    """The node that was not joined says where to ask, once it knows who listens."""
                    answer = await at_one.post(f"/v2/take-over-live-call/{call_id}", json=asked)
                    assert answer.status_code in (404, 409), answer.text
                    assert answer.headers["x-should-retry"] == "false"
                    said = answer.json()["error"]
                    return said["message"] if said["code"] == "elsewhere" else None

                assert '{"type": "take_over", "api_key"}' in await eventually(elsewhere)
                assert not bot.supervisors
                await program.signals.send(type="take_over", api_key=made["key"])
                await program.signals.until("taken_over")
                await bot.hears_the_microphone()
                answer = await at_two.post(f"/v2/take-over-live-call/{call_id}", json=asked)
                assert answer.json() == {"success": True}

                assert (await maya.post(f"/keys/{made['id']}/revoke")).status_code == 204
                began = time.monotonic()
                assert await program.signals.closed() == (4401, "session_ended")
                print(f"closed {time.monotonic() - began:.3f} s after the revocation at the other node (contract: 2 s)")
                await bot.waits(lost=True)
    for node in nodes:  # by a new connection: a server lets go of one that is idle for some seconds
        async with asking(node, **bearing) as client:
            assert (await client.post(f"/v2/take-over-live-call/{call_id}", json=asked)).status_code == 401
