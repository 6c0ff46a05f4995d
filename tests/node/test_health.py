"""/healthz and /metrics: open to all, true, and without a word about calls or people."""

from collections import Counter

import httpx
from prometheus_client.parser import text_string_to_metric_families

from livemon_runtime import Runtime
from tests.node.conftest import redis_url_of
from tests.node.feed import list_feed, shows, until


async def get(process, path: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=process.url, timeout=60) as client:
        return await client.get(path)


async def test_a_node_that_is_well_says_so_to_anybody(running):
    answer = await get(running, "/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "database": "ok", "redis": "ok"})


async def test_the_counters_count_and_name_neither_calls_nor_people(running):
    cookie = await running.cookie("Zacharias")
    async with Runtime(redis_url_of(running), name="bot") as runtime, list_feed(running, cookie) as page:
        async with runtime.call(call_type="phone_call", from_number="+15550001234", agent_name="Wilhelmina") as call:
            await until(page, shows(call.call_id))
            answer = await get(running, "/metrics")
        await until(page, lambda message: call.call_id in message.get("drop", []))
    assert answer.status_code == 200
    values = Counter[str]()  # over all workspaces
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            values[sample.name] += sample.value
    assert values["livemon_live_calls"] >= 1
    assert values["livemon_events_total"] >= 1
    assert values["livemon_feed_stale"] == 0
    for word in (call.call_id, "5550001234", "Wilhelmina", "Zacharias"):
        assert word not in answer.text
