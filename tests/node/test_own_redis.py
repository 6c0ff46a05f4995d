"""A Redis and a certificate of the operator's own: https, a password, and an outage at the start."""

import asyncio
import json
import time

import httpx
import pytest
import redis

from livemon.access.guard import COOKIE
from livemon_runtime import Runtime
from tests.certificates import make_certificate
from tests.livemon_process import LivemonProcess, any_certificate
from tests.node.feed import list_feed, shows, until

PASSWORD = "a-secret-of-redis"


@pytest.fixture
def server(own: LivemonProcess, own_valkey, tmp_path) -> LivemonProcess:
    """Not started; its Redis is started, wants a password, and would evict."""
    client = redis.Redis(port=own_valkey.port)
    client.config_set("maxmemory-policy", "allkeys-lru")
    client.config_set("requirepass", PASSWORD)
    client.close()
    own.settings |= {
        "LIVEMON_REDIS_URL": f"redis://:{PASSWORD}@127.0.0.1:{own_valkey.port}/0",
        "LIVEMON_LOG_LEVEL": "debug",
        "LIVEMON_LOG_FORMAT": "json",
        "LIVEMON_PUBLIC_URL": f"https://localhost:{own.port}",
        **make_certificate(tmp_path / "tls", "localhost", "127.0.0.1"),
    }
    return own


async def test_over_https_the_page_the_cookie_and_the_sockets_are_secure(server):
    await asyncio.to_thread(server.start)
    token = await server.link_token()
    async with httpx.AsyncClient(base_url=server.url, verify=any_certificate(), timeout=60) as browser:
        assert (await browser.get("/sign-in")).status_code == 200
        answer = await browser.post("/sign-in/link", json={"token": token}, headers={"origin": server.url})
        assert "; Secure" in answer.headers["set-cookie"]
        cookie = answer.cookies[COOKIE]
    async with (
        Runtime(server.settings["LIVEMON_REDIS_URL"], name="bot") as runtime,
        list_feed(server, cookie) as page,
        runtime.call(call_type="web_call") as call,
    ):
        await until(page, shows(call.call_id))
    async with httpx.AsyncClient(timeout=60) as client:
        with pytest.raises(httpx.HTTPError):
            await client.get(server.url.replace("https", "http"))
    code, said = await asyncio.to_thread(server.run, "doctor")
    assert code == 0, said
    assert "The certificate " in said
    assert f"does not trust the certificate at https://localhost:{server.port} (self" in said
    assert "It is for localhost" in said
    assert "WebSockets get through" in said
    assert "maxmemory-policy is allkeys-lru" in said
    began = time.monotonic()
    assert await asyncio.to_thread(server.stop) == 0
    print(f"ended after {time.monotonic() - began:.1f} s")
    lines = [json.loads(line) for line in server.output.splitlines() if line.startswith("{")]
    assert any("maxmemory-policy is allkeys-lru" in line["event"] for line in lines)
    for secret in (PASSWORD, token, cookie):
        assert secret not in server.output + said
    assert not (server.folder / "data" / "valkey").exists()


async def test_with_redis_away_it_serves_says_so_and_is_live_once_it_is_there(own, own_valkey):
    own.settings["LIVEMON_REDIS_URL"] = own_valkey.url
    own_valkey.stop()
    await asyncio.to_thread(own.start)
    async with list_feed(own, await own.cookie()) as page:
        first = await until(page, lambda message: message["t"] == "snapshot")
        assert first["feed"]["state"] == "stale"
        async with httpx.AsyncClient(base_url=own.url, timeout=60) as client:
            health = await client.get("/healthz")
        assert (health.status_code, health.json()["redis"]) == (200, "away")
        await asyncio.to_thread(own_valkey.start)
        await until(page, lambda message: (message.get("feed") or message).get("state") == "live")
        async with Runtime(own_valkey.url, name="bot") as runtime, runtime.call(call_type="web_call") as call:
            await until(page, shows(call.call_id))
    assert "Redis does not answer; the page says so until it does." in own.output
    assert "Traceback" not in own.output
