"""What livemon finds out about a Redis that is not its own, in real servers with other settings."""

from collections.abc import Iterator

import pytest
import redis

from livemon.finding import Grade
from livemon.redis_check import check_redis
from livemon.redis_client import connect
from tests.conftest import ValkeyProcess


@pytest.fixture
def changed(valkey_server: ValkeyProcess) -> Iterator[redis.Redis]:
    """A client of the shared server, whose settings a test may change; they are brought back."""
    client = redis.Redis(port=valkey_server.port, decode_responses=True)
    names = ("maxmemory", "maxmemory-policy", "appendonly", "appendfsync")
    before = client.config_get(*names)
    yield client
    client.config_set("maxmemory", before.pop("maxmemory"))
    for name, value in before.items():
        client.config_set(name, value)
    client.close()


async def grades(url: str) -> dict[Grade, list[str]]:
    client = connect(url)
    try:
        findings = await check_redis(client)
    finally:
        await client.aclose()
    assert all(finding.advice or finding.grade is Grade.OK for finding in findings), "advice for all that is wrong"
    return {grade: [f"{each.what} {each.advice}" for each in findings if each.grade is grade] for grade in Grade}


async def test_a_server_as_livemon_wants_it_is_fine(valkey_url):
    found = await grades(valkey_url)
    assert (found[Grade.WARNING], found[Grade.PROBLEM]) == ([], [])
    assert found[Grade.OK][0].startswith("Valkey ")


async def test_one_that_evicts_with_a_limit_of_memory_is_a_problem(valkey_url, changed):
    changed.config_set("maxmemory", "100mb")
    changed.config_set("maxmemory-policy", "allkeys-lru")
    (problem,) = (await grades(valkey_url))[Grade.PROBLEM]
    assert "maxmemory-policy is allkeys-lru" in problem
    assert "CONFIG SET maxmemory-policy noeviction" in problem


async def test_one_that_would_evict_but_has_no_limit_is_a_warning(valkey_url, changed):
    changed.config_set("maxmemory-policy", "volatile-ttl")
    found = await grades(valkey_url)
    assert "volatile-ttl" in found[Grade.WARNING][0]
    assert found[Grade.PROBLEM] == []


async def test_one_that_keeps_nothing_on_disk_is_a_warning(valkey_url, changed):
    changed.config_set("appendonly", "no")
    (warning,) = (await grades(valkey_url))[Grade.WARNING]
    assert "CONFIG SET appendonly yes" in warning


async def test_one_that_syncs_every_write_is_a_warning(valkey_url, changed):
    changed.config_set("appendfsync", "always")
    (warning,) = (await grades(valkey_url))[Grade.WARNING]
    assert "delays the audio" in warning


async def test_one_whose_settings_may_not_be_read_is_said(valkey_url, changed):
    changed.acl_setuser("narrow", enabled=True, passwords=["+pw"], keys=["*"], categories=["+@all", "-@dangerous"])
    changed.execute_command("ACL", "SETUSER", "narrow", "+info")
    try:
        (warning,) = (await grades(valkey_url.replace("//", "//narrow:pw@")))[Grade.WARNING]
    finally:
        changed.acl_deluser("narrow")
    assert "settings may not be read" in warning
    assert "noeviction" in warning


class OldRedis:
    """What a Redis 6 says of itself; none runs here."""

    def __init__(self, **info):
        self._info = info

    async def info(self):
        return self._info

    async def config_get(self, *names):
        return {"maxmemory": "0", "maxmemory-policy": "noeviction", "appendonly": "yes", "appendfsync": "everysec"}


@pytest.mark.parametrize(
    ("info", "problem"),
    [
        ({"redis_version": "6.2.14"}, "Redis 6.2.14 is too old"),
        ({"redis_version": "7.2.4", "valkey_version": "7.2.5"}, "Valkey 7.2.5 is too old"),
        ({"redis_version": "7.0.0"}, None),
        ({"redis_version": "7.2.4", "valkey_version": "8.0.0"}, None),
        ({"redis_version": "unstable"}, "Redis unstable is too old"),
    ],
)
async def test_the_version_that_is_needed_is_named(info, problem):
    problems = [found for found in await check_redis(OldRedis(**info)) if found.grade is Grade.PROBLEM]
    assert [found.what.split(":")[0] for found in problems] == ([problem] if problem else [])
    assert all("Use Redis 7 or Valkey 8" in found.advice for found in problems)


async def test_a_cluster_is_a_warning():
    found = await check_redis(OldRedis(redis_version="8.0.0", redis_mode="cluster"))
    assert [each.what.split(",")[0] for each in found if each.grade is Grade.WARNING] == ["It is a cluster"]


async def test_one_that_does_not_answer_is_an_error_for_the_caller(own_valkey: ValkeyProcess):
    own_valkey.stop()
    with pytest.raises((redis.exceptions.RedisError, OSError)):
        await grades(own_valkey.url)
