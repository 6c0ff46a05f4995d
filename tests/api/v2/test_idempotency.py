"""The header Idempotency-Key: once, for each asker by itself, and never in the way of an End."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from redis.exceptions import ConnectionError

from livemon.access.roles import CALL_RIGHTS
from livemon.api.v2 import idempotency
from tests.api.site import Site

HINT = {"call_control": {"additional_context": "Be kind."}}
EVERYTHING = [right.value for right in CALL_RIGHTS]


@asynccontextmanager
async def machine(site: Site, name: str = "Dialer") -> AsyncIterator[httpx.AsyncClient]:
    ada = await site.sign_in()
    made = (await ada.post("/keys", json={"name": name, "rights": EVERYTHING, "days": 1})).json()
    async with site.machine(made["key"]) as client:
        yield client


async def commands(site: Site) -> list[dict[str, Any]]:
    """What the runtime was asked for."""
    entries = await site.runtime.redis.xrange(site.runtime.keys.commands("rt-1"))
    return [json.loads(fields[b"data"]) for _, fields in entries]


async def answering(site: Site, **result: Any) -> None:
    """A runtime that gives every command the same answer."""
    answered: set[str] = set()
    while True:
        for command in await commands(site):
            if command["command_id"] not in answered:
                answered.add(command["command_id"])
                told = {"command_id": command["command_id"], "call_id": command["call_id"], "ok": True, **result}
                await site.runtime.say("command_result", command["call_id"], json.dumps(told))
        await asyncio.sleep(0.01)


@asynccontextmanager
async def runtime(site: Site, **result: Any) -> AsyncIterator[None]:
    await site.runtime.announce("call-1", capabilities=["inject", "end"])
    await site.call("call-1")
    task = asyncio.create_task(answering(site, **result))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def update(client: httpx.AsyncClient, key: str | None, body: Any = HINT, call_id: str = "call-1") -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return await client.patch(f"/v2/update-live-call/{call_id}", json=body, headers=headers)


async def test_the_same_request_is_done_once_and_answered_alike(livemon_site: Site):
    async with runtime(livemon_site), machine(livemon_site) as client:
        first, again = await update(client, "k1"), await update(client, "k1")
    assert (first.status_code, first.json()) == (again.status_code, again.json()) == (200, {"success": True})
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(await commands(livemon_site)) == 1


async def test_without_a_key_each_request_is_its_own(livemon_site: Site):
    async with runtime(livemon_site), machine(livemon_site) as client:
        for _ in range(2):
            assert (await update(client, None)).status_code == 200
    assert len(await commands(livemon_site)) == 2


async def test_another_request_with_the_same_key_is_refused_and_not_done(livemon_site: Site):
    async with runtime(livemon_site), machine(livemon_site) as client:
        await update(client, "k1")
        for answer in (
            await update(client, "k1", {"call_control": {"trigger_response": True}}),
            await update(client, "k1", call_id="call-2"),
            await client.post("/v2/stop-call/call-1", headers={"Idempotency-Key": "k1"}),
        ):
            assert (answer.status_code, answer.json()["error"]["code"]) == (422, "idempotency_key_reused")
    assert len(await commands(livemon_site)) == 1


async def test_of_two_at_once_one_does_it_and_the_other_is_told_to_wait(livemon_site: Site):
    await livemon_site.runtime.announce("call-1", capabilities=["inject"])
    await livemon_site.call("call-1")
    async with machine(livemon_site) as client:
        first = asyncio.create_task(update(client, "k1"))
        async with asyncio.timeout(60):
            while not await commands(livemon_site):
                await asyncio.sleep(0.01)
        second = await update(client, "k1")
        assert (second.status_code, second.json()["error"]["code"]) == (409, "in_progress")
        assert second.headers["Retry-After"] == "1"
        assert "x-should-retry" not in second.headers, "Retell's clients send it again by themselves"
        (command,) = await commands(livemon_site)
        told = {"command_id": command["command_id"], "call_id": "call-1", "ok": True}
        await livemon_site.runtime.say("command_result", "call-1", json.dumps(told))
        assert (await first).status_code == 200
        assert (await update(client, "k1")).status_code == 200
    assert len(await commands(livemon_site)) == 1


async def test_another_asker_has_keys_of_its_own(livemon_site: Site):
    async with runtime(livemon_site), machine(livemon_site) as one, machine(livemon_site, "Wallboard") as another:
        for client in (one, another):
            assert "Idempotency-Replayed" not in (await update(client, "k1")).headers
    assert len(await commands(livemon_site)) == 2


async def test_a_no_is_remembered_and_the_agent_is_not_asked_again(livemon_site: Site):
    error = {"code": "refused", "message": "not now"}
    async with runtime(livemon_site, ok=False, error=error), machine(livemon_site) as client:
        first, again = await update(client, "k1"), await update(client, "k1")
    assert (first.status_code, again.status_code) == (409, 409)
    assert again.json() == first.json()
    assert first.headers["x-should-retry"] == "false"
    assert len(await commands(livemon_site)) == 1


async def test_what_was_certainly_not_done_may_be_done_by_the_same_key(livemon_site: Site):
    error = {"code": "too_late", "message": ""}
    async with machine(livemon_site) as client:
        assert (await update(client, "k1")).status_code == 404
        async with runtime(livemon_site, ok=False, error=error):
            assert (await update(client, "k1")).status_code == 504
        async with runtime(livemon_site):
            assert (await update(client, "k1")).status_code == 200


async def test_a_hint_of_which_nobody_knows_is_not_given_again_by_the_same_key(
    livemon_site: Site, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(livemon_site.workspace.control, "_deadline_ms", 100)
    await livemon_site.runtime.announce("call-1", capabilities=["inject", "end"])
    await livemon_site.call("call-1")
    async with machine(livemon_site) as client:
        first, again = await update(client, "k1"), await update(client, "k1")
        assert (first.status_code, again.status_code) == (504, 504)
        assert first.headers["x-should-retry"] == "false"
        assert len(await commands(livemon_site)) == 1
        for _ in range(2):  # ending twice does no harm: it is tried again
            stopped = await client.post("/v2/stop-call/call-1", headers={"Idempotency-Key": "k2"})
            assert stopped.status_code == 504
        assert [one["type"] for one in await commands(livemon_site)] == ["inject", "end", "end"]


async def test_a_request_that_cannot_be_read_leaves_its_key_free(livemon_site: Site):
    async with runtime(livemon_site), machine(livemon_site) as client:
        assert (await update(client, "k1", {"call_control": {"shout": True}})).status_code == 400
        assert (await update(client, "k1")).status_code == 200


@pytest.mark.parametrize("key", ["", "x" * 256, "ü"])
async def test_a_key_that_cannot_be_kept_is_refused(livemon_site: Site, key: str):
    async with runtime(livemon_site), machine(livemon_site) as client:
        answer = await client.post("/v2/stop-call/call-1", headers=[("Idempotency-Key", key.encode())])
        twice = await client.post(
            "/v2/stop-call/call-1", headers=[("Idempotency-Key", b"a"), ("Idempotency-Key", b"b")]
        )
    assert (answer.status_code, twice.status_code) == (400, 400)
    assert await commands(livemon_site) == []


async def test_a_call_is_ended_though_nothing_can_be_remembered(livemon_site: Site, monkeypatch: pytest.MonkeyPatch):
    asked = livemon_site.workspace.redis.eval

    async def away(script: str, *arguments: Any) -> Any:
        if script in (idempotency._BEGIN, idempotency._SETTLE):
            raise ConnectionError("away")
        return await asked(script, *arguments)

    monkeypatch.setattr(livemon_site.workspace.redis, "eval", away)
    async with runtime(livemon_site), machine(livemon_site) as client:
        answer = await client.post("/v2/stop-call/call-1", headers={"Idempotency-Key": "k1"})
    assert answer.status_code == 204


async def test_answers_are_kept_for_a_day_and_no_more_than_so_many(livemon_site: Site, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(idempotency, "MOST", 3)
    redis = livemon_site.runtime.redis
    async with runtime(livemon_site), machine(livemon_site) as client:
        for number in range(5):
            assert (await update(client, f"k{number}")).status_code == 200
        kept = [key async for key in redis.scan_iter(match="*:idempotency:*:*:*")]
        assert len(kept) == 3
        for key in kept:
            assert 86_000_000 < await redis.pttl(key) <= 86_400_000
        assert "Idempotency-Replayed" in (await update(client, "k4")).headers
        assert "Idempotency-Replayed" not in (await update(client, "k0")).headers, "the oldest are forgotten"
