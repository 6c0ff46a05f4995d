"""The door of the API for programs: who comes in, how often, and in whose shape a refusal is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from livemon.access.guard import COOKIE
from livemon.access.pacing import Pace
from livemon.access.roles import CALL_RIGHTS, Right, Role
from livemon.store.audit.acts import Action, Outcome
from tests.api.site import Site

ENDPOINTS = [
    ("POST", "/v3/list-calls"),
    ("GET", "/v2/get-call/call-1"),
    ("POST", "/v2/stop-call/call-1"),
    ("PATCH", "/v2/update-live-call/call-1"),
]


@asynccontextmanager
async def machine(site: Site, *rights: str) -> AsyncIterator[httpx.AsyncClient]:
    ada = await site.sign_in()
    wanted = {"name": "Dialer", "rights": rights or [right.value for right in CALL_RIGHTS], "days": 1}
    made = (await ada.post("/keys", json=wanted)).json()
    async with site.machine(made["key"]) as client:
        yield client


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
@pytest.mark.parametrize("key", [None, "Bearer lmk_no", "Bearer key_8f1e", "Basic bGl2ZW1vbg=="])
async def test_without_a_good_key_the_answer_says_so_in_the_shape_of_both(
    livemon_site: Site, method: str, path: str, key: str | None
):
    headers = {"authorization": key} if key else {}
    async with httpx.AsyncClient(base_url=livemon_site.origin, timeout=60, headers=headers) as client:
        answer = await client.request(method, path, headers={"accept": "text/html"})
    body = answer.json()
    assert (answer.status_code, body["status"], body["error"]["code"]) == (401, "error", "unauthenticated")
    assert body["message"] == body["error"]["message"]
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_elsewhere_the_shape_is_livemons_alone(livemon_site: Site):
    async with httpx.AsyncClient(base_url=livemon_site.origin, timeout=60) as client:
        answer = await client.get("/keys/all")
    assert list(answer.json()) == ["error"]


async def test_who_is_signed_in_may_ask_from_our_own_pages_and_from_no_other(livemon_site: Site):
    await livemon_site.runtime.announce("call-1", capabilities=[])
    await livemon_site.call("call-1")
    ada = await livemon_site.sign_in()
    assert (await ada.get("/v2/get-call/call-1")).json()["call_id"] == "call-1"
    assert (await ada.post("/v3/list-calls")).status_code == 200
    headers = {"cookie": f"{COOKIE}={ada.cookie}", "origin": "https://evil.example"}
    async with httpx.AsyncClient(base_url=livemon_site.origin, timeout=60, headers=headers) as client:
        for method, path in ENDPOINTS:
            if method != "GET":
                answer = await client.request(method, path)
                assert (answer.status_code, answer.json()["error"]["code"]) == (403, "cross_site")
                assert answer.json()["status"] == "error"


async def test_a_role_counts_here_too(livemon_site: Site):
    livemon_site.rights[Role.MEMBER] = frozenset({Right.WATCH})
    await livemon_site.runtime.announce("call-1")
    await livemon_site.call("call-1")
    await livemon_site.runtime.append("call-1", 1, id="t1", role="user", content="secret", time_ms=1)
    mo = await livemon_site.sign_in("Mo", Role.MEMBER)
    told = (await mo.get("/v2/get-call/call-1")).json()
    assert "transcript" not in told
    assert "transcript" not in told["livemon"]
    assert told["livemon"]["masked"] is True
    assert (await mo.post("/v2/stop-call/call-1")).status_code == 403


@pytest.mark.parametrize(
    ("right", "method", "path", "action"),
    [
        ("end", "POST", "/v2/stop-call/call-1", Action.END_CALL),
        ("inject", "PATCH", "/v2/update-live-call/call-1", Action.INJECT),
    ],
)
async def test_each_act_needs_its_own_right_and_its_refusal_is_noted(
    livemon_site: Site, right: str, method: str, path: str, action: Action
):
    await livemon_site.runtime.announce("call-1", capabilities=[])
    await livemon_site.call("call-1")
    others = [one.value for one in CALL_RIGHTS if one.value != right]
    async with machine(livemon_site, *others) as client:
        answer = await client.request(method, path, json={"call_control": {"trigger_response": True}})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
    assert "This API key does not include" in answer.json()["message"]
    entry = (await livemon_site.recorded())[-1]
    assert (entry.action, entry.outcome, entry.person, entry.call_id) == (action, Outcome.REFUSED, "Dialer", "call-1")
    async with machine(livemon_site, "watch", right) as client:
        answer = await client.request(method, path, json={"call_control": {"trigger_response": True}})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "unsupported")


async def test_who_asks_too_often_waits_and_can_still_act(livemon_site: Site):
    livemon_site.paces[Pace.READ] = 3
    await livemon_site.runtime.announce("call-1", capabilities=[])
    await livemon_site.call("call-1")
    async with machine(livemon_site) as client, machine(livemon_site) as another:
        codes = [(await client.post("/v3/list-calls")).status_code for _ in range(4)]
        assert codes == [200, 200, 200, 429]
        refused = await client.get("/v2/get-call/call-1")
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limited")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert (refused.headers["ratelimit-limit"], refused.headers["ratelimit-remaining"]) == ("3", "0")
        assert (await client.post("/v2/stop-call/call-1")).status_code == 409, "not for want of patience"
        assert (await another.post("/v3/list-calls")).status_code == 200, "each key has counts of its own"


async def test_too_many_acts_are_refused_before_anything_is_done(livemon_site: Site):
    livemon_site.paces[Pace.ACT] = 2
    async with machine(livemon_site) as client:
        codes = [(await client.post("/v2/stop-call/gone")).status_code for _ in range(3)]
        assert codes == [404, 404, 429]
        assert (await client.post("/v3/list-calls")).status_code == 200


async def test_of_many_at_once_no_more_are_answered_than_may_be(livemon_site: Site):
    livemon_site.paces[Pace.READ] = 20
    async with machine(livemon_site) as client:
        answers = await asyncio.gather(*(client.post("/v3/list-calls") for _ in range(40)))
    assert sorted(answer.status_code for answer in answers) == [200] * 20 + [429] * 20


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", "/v2/get-call/x"), ("GET", "/v3/list-calls"), ("PROPFIND", "/v2/stop-call/x")]
)
async def test_a_method_that_an_address_has_not_is_named_with_those_that_it_has(
    livemon_site: Site, method: str, path: str
):
    async with machine(livemon_site) as client:
        answer = await client.request(method, path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] in answer.json()["message"]
