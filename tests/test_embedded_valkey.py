"""livemon's own Valkey: it keeps what it has, comes back, gives way, and never outlives its livemon."""

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
import redis.asyncio

from livemon import embedded_valkey
from livemon.embedded_valkey import EmbeddedValkey, ValkeyError
from livemon.redis_client import connect
from tests.conftest import free_port


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "valkey"


@pytest.fixture
async def server(folder: Path) -> AsyncIterator[EmbeddedValkey]:
    server = EmbeddedValkey(folder, free_port())
    await server.start()
    yield server
    await server.stop()


async def ask(url: str, *command: str) -> object:
    client = connect(url)
    try:
        return await client.execute_command(*command)
    finally:
        await client.aclose()


def pid_of(url: str) -> int:
    """Who listens there, as the machine sees it."""
    port = int(url.split(":")[2].split("/")[0])
    found = [each for each in psutil.net_connections("tcp") if each.laddr.port == port and each.status == "LISTEN"]
    assert len(found) == 1
    return found[0].pid


async def gone(pid: int) -> None:
    async with asyncio.timeout(60):
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.02)


async def test_it_keeps_what_it_has_on_disk_and_evicts_nothing(server):
    client = connect(server.url)
    settings = await client.config_get("appendonly", "appendfsync", "maxmemory-policy", "save", "bind")
    await client.aclose()
    assert settings == {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "save": "",
        "bind": "127.0.0.1",
    }


async def test_its_files_are_for_its_owner_alone(server, folder):
    assert [each.stat().st_mode & 0o777 for each in (folder, folder.parent)] == [0o700, 0o700]


async def test_stopped_and_started_again_it_has_its_data_and_its_port(folder):
    first = EmbeddedValkey(folder, free_port())
    await first.start()
    await ask(first.url, "SET", "call", "c1")
    await first.stop()
    second = EmbeddedValkey(folder, int(first.url.split(":")[2].split("/")[0]) - 3)
    await second.start()
    try:
        assert second.url == first.url
        assert await ask(second.url, "GET", "call") == b"c1"
    finally:
        await second.stop()


async def test_ended_from_outside_it_is_started_again_with_its_data(server):
    running = asyncio.create_task(server.run())
    before = pid_of(server.url)
    client = connect(server.url)
    await client.set("call", "c1")
    assert await client.execute_command("WAITAOF", 1, 0, 20_000) == [1, 0]  # on disk, which takes up to a second
    await client.aclose()
    psutil.Process(before).kill()
    async with asyncio.timeout(60):
        while True:
            try:
                assert await ask(server.url, "GET", "call") == b"c1"
                break
            except (redis.exceptions.RedisError, OSError):
                await asyncio.sleep(0.05)
    assert pid_of(server.url) != before
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_port_that_is_taken_is_passed_over(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = EmbeddedValkey(folder, port)
        await server.start()
        try:
            assert server.url != f"redis://127.0.0.1:{port}/0"
            assert await ask(server.url, "PING")
        finally:
            await server.stop()


async def test_a_port_that_is_taken_at_the_last_moment_is_passed_over_and_its_server_is_not_believed(
    server, folder, tmp_path, monkeypatch
):
    """Between the look at a port and Valkey's start somebody else's Valkey may have come."""
    taken = int(server.url.split(":")[2].split("/")[0])
    looked = []

    def too_early(port: int) -> bool:
        looked.append(port)
        return looked.count(port) == 1 and (port == taken or really_free(port))

    really_free = embedded_valkey._free
    monkeypatch.setattr(embedded_valkey, "_free", too_early)
    other = EmbeddedValkey(tmp_path / "other", taken)
    await other.start()
    try:
        assert looked[0] == taken
        assert other.url != server.url
        assert pid_of(other.url) != pid_of(server.url)
    finally:
        await other.stop()


async def test_with_no_port_left_it_says_what_to_do(folder, monkeypatch):
    monkeypatch.setattr(embedded_valkey, "PORTS_TO_TRY", 1)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = EmbeddedValkey(folder, taken.getsockname()[1])
        with pytest.raises(ValkeyError, match="LIVEMON_VALKEY_PORT"):
            await server.start()
        await server.stop()


async def test_two_on_one_folder_are_refused(server, folder):
    second = EmbeddedValkey(folder, free_port())
    with pytest.raises(ValkeyError, match=r"Another livemon uses the data folder .* LIVEMON_DATA_DIR"):
        await second.start()
    await second.stop()
    assert await ask(server.url, "PING")


async def test_data_that_cannot_be_read_is_said_with_valkeys_own_words(folder):
    (folder / "appendonlydir").mkdir(parents=True)
    (folder / "appendonlydir" / "appendonly.aof.manifest").write_text("nonsense\n")
    server = EmbeddedValkey(folder, free_port())
    with pytest.raises(ValkeyError, match=r"ended at its start .* says why: .*AOF"):
        await server.start()
    await server.stop()


async def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    server = EmbeddedValkey(tmp_path / "file" / "valkey", free_port())
    with pytest.raises(ValkeyError, match="LIVEMON_DATA_DIR"):
        await server.start()
    await server.stop()


OWNER = """
import asyncio, sys
from pathlib import Path
import uvloop
from livemon.embedded_valkey import EmbeddedValkey

async def main():
    server = EmbeddedValkey(Path(sys.argv[1]), int(sys.argv[2]))
    await server.start()
    print(server.url, flush=True)
    await server.run()

uvloop.run(main())
"""


async def test_its_parent_killed_it_ends_with_all_it_had_and_the_next_one_takes_over(folder):
    """No orphan that keeps folder and port; the next livemon waits for it rather than being refused."""
    command = [sys.executable, "-c", OWNER, str(folder), str(free_port())]
    owner = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    url = (await owner.stdout.readline()).decode().strip()
    await ask(url, "SET", "call", "c1")
    valkey = psutil.Process(pid_of(url))
    valkey.send_signal(signal.SIGSTOP)  # a slow end: it still has folder and port when the next one comes
    owner.kill()
    await owner.wait()
    successor = EmbeddedValkey(folder, int(url.split(":")[2].split("/")[0]))
    starting = asyncio.create_task(successor.start())
    async with asyncio.timeout(60):
        while len(successor._locks) == 0:
            await asyncio.sleep(0.01)
    assert not starting.done()
    valkey.send_signal(signal.SIGCONT)
    await starting
    await gone(valkey.pid)
    try:
        assert successor.url == url
        assert await ask(url, "GET", "call") == b"c1"
    finally:
        await successor.stop()
