"""Why a call was not ended, in words for programs."""

import shutil
from pathlib import Path

import pytest
from redis.asyncio import Redis

from tests.api.site import Site, site
from tests.api.v2.test_idempotency import machine, runtime
from tests.conftest import ValkeyProcess


@pytest.mark.parametrize("call_id", ["nobodys", "a b", "x" * 200])
async def test_a_call_that_is_not_there_is_not_said_to_have_been(livemon_site: Site, call_id: str):
    async with machine(livemon_site) as client:
        answer = await client.post(f"/v2/stop-call/{call_id}")
    assert answer.status_code == 404
    assert answer.json()["message"].startswith("There is no such call")


async def test_a_call_that_its_runtime_has_no_more_is_said_to_be_over(livemon_site: Site):
    async with (
        runtime(livemon_site, ok=False, error={"code": "not_found", "message": "Gone."}),
        machine(livemon_site) as client,
    ):
        answer = await client.post("/v2/stop-call/call-1")
    assert answer.status_code == 404
    assert "does not have this call any more" in answer.json()["message"]


async def test_what_is_not_known_is_said_without_a_word_of_pages(
    own_valkey: ValkeyProcess, tmp_path: Path, made_database: Path
):
    shutil.copy(made_database, tmp_path)
    redis = Redis.from_url(own_valkey.url)
    async with site(own_valkey.url, tmp_path, redis) as at, runtime(at), machine(at) as client:
        own_valkey.kill()
        answer = await client.post("/v2/stop-call/call-1")
        own_valkey.start()
    await redis.aclose()
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "redis_away")
    assert "page" not in answer.json()["message"]
    assert "/v2/get-call" in answer.json()["message"]
