"""livemon on PostgreSQL, whole: nodes that start at once, an outage that passes, and one at the start that is said."""

import asyncio
import json
import shutil
import urllib.error
import urllib.request

import pytest

from livemon.store.audit.key import make_key
from tests.conftest import PostgresProcess, free_port
from tests.livemon_process import LivemonProcess

GENEROUS_S = 60
PASSWORD = "pass-word"


def on(server: PostgresProcess, folder) -> LivemonProcess:
    """A node on it that also says what it debugs."""
    settings = {"LIVEMON_DATABASE_URL": server.url(password=PASSWORD), "LIVEMON_LOG_LEVEL": "debug"}
    return LivemonProcess(free_port(), folder, settings)


def asked(node: LivemonProcess, path: str, cookie: str = "") -> tuple[int, str]:
    request = urllib.request.Request(node.url + path, headers={"Cookie": f"livemon_session={cookie}"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


async def until(node: LivemonProcess, status: int, path: str, cookie: str) -> str:
    async with asyncio.timeout(GENEROUS_S):
        while (answer := await asyncio.to_thread(asked, node, path, cookie))[0] != status:
            await asyncio.sleep(0.1)
    return answer[1]


def share_key(*nodes: LivemonProcess) -> None:
    """As nodes on one database have to: the key with which the audit log is sealed."""
    keys = [node.folder / "data" / "audit.key" for node in nodes]
    for key in keys:
        key.parent.mkdir(parents=True, mode=0o700)
    make_key(keys[0])
    for other in keys[1:]:
        shutil.copy(keys[0], other)


async def test_two_nodes_that_start_at_once_share_one_new_database_and_outlive_its_outage(own_postgres, tmp_path):
    nodes = [on(own_postgres, tmp_path / name) for name in ("one", "two")]
    share_key(*nodes)
    try:
        for node in nodes:
            node.begin()
        for node in nodes:
            node.await_words("Ctrl-C")
        cookie = await nodes[0].cookie("Maya")
        for node in nodes:  # a session of one is a session of all
            assert asked(node, "/live", cookie)[0] == 200
        own_postgres.stop()
        for node in nodes:
            answer = json.loads(await until(node, 503, "/live", cookie))["error"]
            assert answer["code"] == "store_away"
            assert "look at the PostgreSQL server that LIVEMON_DATABASE_URL names" in answer["message"]
            assert asked(node, "/sign-in")[0] == 200
        own_postgres.start()
        for node in nodes:
            await until(node, 200, "/live", cookie)
    finally:
        for node in nodes:
            node.kill()
    assert all(PASSWORD not in node.output for node in nodes)


@pytest.mark.parametrize("command", [(), ("sign-in-link",), ("doctor",)])
def test_a_server_that_is_down_is_said_by_every_command(tmp_path, command):
    url = f"postgresql://livemon:{PASSWORD}@127.0.0.1:{free_port()}/livemon"
    node = LivemonProcess(free_port(), tmp_path, {"LIVEMON_DATABASE_URL": url})
    code, said = node.run(*command)
    assert code == 1
    assert "Connection refused" in said
    assert "See that the server runs" in said
    assert "Traceback" not in said
    assert PASSWORD not in said
