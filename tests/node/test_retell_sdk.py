"""Retell's own Python SDK, its address and key exchanged for livemon's, against a running livemon and real calls."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
import retell
from retell.types import PhoneCallResponse, WebCallResponse
from retell.types.call_list_response import ItemV3PhoneCallResponse, ItemV3WebCallResponse

from livemon.access.guard import COOKIE
from livemon_runtime import Audio, Call, Refusal
from livemon_runtime.protocol import InjectCommand
from tests.node.conftest import redis_url_of
from tests.node.desk import EVERYTHING, Desk, desk_in
from tests.node.everybody import Everybody

pytestmark = pytest.mark.asyncio(loop_scope="session")

NUMBER = "+4930901820"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(people: Everybody) -> AsyncIterator[Desk]:
    async with desk_in(people.process, redis_url_of(people.process), "desk") as desk:
        yield desk


@pytest_asyncio.fixture(loop_scope="session")
async def client(desk: Desk) -> AsyncIterator[retell.AsyncRetell]:
    desk.told.clear()
    desk.hung_up.clear()
    async with desk.client(await desk.key()) as client:
        yield client


def code_of(error: retell.APIStatusError) -> str:
    """What livemon says beside Retell's fields."""
    body: Any = error.body
    assert (body["status"], body["message"]) == ("error", body["error"]["message"])
    return body["error"]["code"]


PHONE = {
    "call_id": "phone",
    "call_type": "phone_call",
    "direction": "inbound",
    "from_number": NUMBER,
    "to_number": "+4940123456",
    "agent_id": "agent-7",
    "agent_name": "Concierge",
    "agent_version": 3,
    "metadata": {"tier": "gold", "seats": 4, "vip": True, "card": "4111 1111 1111 1111"},
}
WEB = {"call_id": "web", "call_type": "web_call", "agent_id": "agent-8", "metadata": {"tier": "silver"}}


# --- looking


async def test_calls_are_listed_as_what_they_are(desk: Desk, client: retell.AsyncRetell):
    async with desk.calls(PHONE, WEB) as calls:
        listed = await client.call.list()
        phone, web = (next(one for one in listed.items if one.call_id == call.call_id) for call in calls)
        assert isinstance(phone, ItemV3PhoneCallResponse)
        assert isinstance(web, ItemV3WebCallResponse)
        assert (phone.call_status, phone.direction, phone.from_number) == ("ongoing", "inbound", NUMBER)
        assert (phone.agent_id, phone.agent_version, phone.agent_name) == ("agent-7", 3, "Concierge")
        assert phone.metadata == PHONE["metadata"]
        assert (listed.has_more, listed.pagination_key, listed.total) == (False, None, None)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"call_type": {"type": "enum", "op": "in", "value": ["web_call"]}}, {"web"}),
        ({"direction": {"type": "enum", "op": "in", "value": ["inbound", "outbound"]}}, {"phone"}),
        ({"agent": [{"agent_id": "agent-7", "version": [3.0]}, {"agent_id": "nobody"}]}, {"phone"}),
        ({"from_number": {"type": "string", "op": "sw", "value": "+4930"}}, {"phone"}),
        ({"metadata": [{"key": "seats", "type": "number", "op": "ge", "value": 4}]}, {"phone"}),
        ({"metadata": [{"key": "seats", "type": "present", "op": "np"}]}, {"web"}),
        ({"call_id": {"type": "string", "op": "sw", "value": "web-"}}, {"web"}),
        ({"call_status": {"type": "enum", "op": "in", "value": ["ongoing"]}}, {"phone", "web"}),
        ({"duration_ms": {"type": "range", "op": "bt", "value": [0, 3_600_000]}}, {"phone", "web"}),
    ],
)
async def test_filters_are_those_of_the_sdk(desk: Desk, client: retell.AsyncRetell, wanted: Any, found: set[str]):
    async with desk.calls(PHONE, WEB):
        listed = await client.call.list(filter_criteria=wanted, include_total=True)
        assert {one.call_id.partition("-")[0] for one in listed.items} == found
        assert listed.total == len(found)


async def test_pages_lead_through_all_calls_once_in_either_order(desk: Desk, client: retell.AsyncRetell):
    start = int(time.time() * 1000)
    several = [{"call_id": f"page-{n}", "start_timestamp": start - n // 2} for n in range(7)]
    only: Any = {"call_id": {"type": "string", "op": "sw", "value": "page-"}}
    async with desk.calls(*several) as calls:
        for order in ("ascending", "descending"):
            seen: list[Any] = []
            more: dict[str, Any] = {}
            while True:
                page = await client.call.list(
                    filter_criteria=only, limit=3, sort_order=order, include_total=True, **more
                )
                seen += page.items
                assert page.total == 7
                if not page.has_more:
                    break
                more = {"pagination_key": page.pagination_key}
            starts = [one.start_timestamp for one in seen]
            assert starts == sorted(starts, reverse=order == "descending")
            assert sorted(one.call_id for one in seen) == sorted(call.call_id for call in calls)
        skipped = await client.call.list(filter_criteria=only, skip=5)
        assert len(skipped.items) == 2


async def test_a_call_is_read_with_what_is_said_in_it(desk: Desk, client: retell.AsyncRetell):
    async with desk.calls(PHONE) as (call,):
        call.user_turn().final("Is table 4 free?", words=[{"word": "Is", "start": 0.1, "end": 0.2}])
        call.tool_call("t1", "find_table", {"seats": 4})
        call.tool_result("t1", "yes")
        call.agent_turn().final("It is.")
        call.dtmf("5")
        async with asyncio.timeout(60):
            while "It is." not in ((found := await client.call.retrieve(call.call_id)).transcript or ""):
                await asyncio.sleep(0.05)
            while len((found := await client.call.retrieve(call.call_id)).transcript_with_tool_calls or []) < 5:
                await asyncio.sleep(0.05)
        assert isinstance(found, PhoneCallResponse)
        assert found.transcript == "User: Is table 4 free?\nAgent: It is.\n"
        assert [one.content for one in found.transcript_object or []] == ["Is table 4 free?", "It is."]
        assert (found.transcript_object or [])[0].words[0].word == "Is"
        roles = [one.role for one in found.transcript_with_tool_calls or []]
        assert roles == ["user", "tool_call_invocation", "tool_call_result", "agent", "dtmf"]


async def test_a_call_that_has_ended_is_read_and_not_listed(desk: Desk, client: retell.AsyncRetell):
    async with desk.calls(WEB) as (call,):
        call.agent_turn().final("Goodbye.")
        call.end("user_hangup")
        async with asyncio.timeout(60):
            while (found := await client.call.retrieve(call.call_id)).call_status != "ended":
                await asyncio.sleep(0.05)
    assert isinstance(found, WebCallResponse)
    assert found.disconnection_reason == "user_hangup"
    assert found.duration_ms == (found.end_timestamp or 0) - (found.start_timestamp or 0)
    assert found.transcript == "Agent: Goodbye.\n"
    assert call.call_id not in {one.call_id for one in (await client.call.list()).items}


async def test_what_livemon_knows_besides_stands_in_a_field_of_its_own(desk: Desk, client: retell.AsyncRetell):
    async with desk.calls({**WEB, "audio": Audio(caller="pcmu", agent="pcmu")}) as (call,):
        more: Any = (await client.call.retrieve(call.call_id)).livemon
        assert (more["status"], more["holder"], more["listeners"]) == ("ongoing", None, [])
        assert more["capabilities"] == ["listen", "end", "inject"]
        assert more["audio"] is True
        assert more["unknown"] == ["agent_version"]


# --- acting


async def test_a_stopped_call_is_over_for_its_bot_and_may_be_stopped_again(desk: Desk, client: retell.AsyncRetell):
    async with desk.calls(WEB) as (call,):
        assert await client.call.stop(call.call_id) is None
        assert desk.hung_up == [call.call_id]
        async with asyncio.timeout(60):
            while (found := await client.call.retrieve(call.call_id)).call_status != "ended":
                await asyncio.sleep(0.05)
        assert found.disconnection_reason == "manual_stopped"
        assert await client.call.stop(call.call_id) is None
        assert desk.hung_up == [call.call_id]


async def test_the_agent_is_told_and_made_to_answer(desk: Desk, client: retell.AsyncRetell):
    async with desk.calls(WEB) as (call,):
        done = await client.call.update_live(call.call_id, call_control={"additional_context": "They are a regular."})
        assert done.success is True
        await client.call.update_live(call.call_id, call_control={"trigger_response": True})
        await client.call.update_live(call.call_id, call_control={})
        assert [(one.content, one.trigger_response) for one in desk.told] == [
            ("They are a regular.", False),
            ("", True),
        ]
        assert desk.told[0].by_name == "Dialer"


async def test_the_sync_client_works_too(desk: Desk):
    key = await desk.key()

    def work(call: Call) -> list[str]:
        with retell.Retell(api_key=key, base_url=desk.process.url) as client:
            listed = client.call.list(limit=1, sort_order="ascending")
            found = client.call.retrieve(call.call_id)
            client.call.update_live(call.call_id, call_control={"additional_context": "By a thread."})
            client.call.stop(call.call_id)
            with pytest.raises(retell.NotFoundError):
                client.call.retrieve("no-such")
            return [listed.items[0].call_id, found.call_id, found.call_type]

    async with desk.calls(WEB) as (call,):
        assert await asyncio.to_thread(work, call) == [call.call_id, call.call_id, "web_call"]
        assert desk.hung_up[-1] == call.call_id


async def test_the_same_request_by_the_same_key_is_done_once(desk: Desk, client: retell.AsyncRetell):
    once = {"Idempotency-Key": "order-66"}
    hint: Any = {"additional_context": "Once."}
    async with desk.calls(WEB) as (call,):
        for _ in range(3):
            assert (await client.call.update_live(call.call_id, call_control=hint, extra_headers=once)).success
        assert [one.content for one in desk.told] == ["Once."]
        with pytest.raises(retell.UnprocessableEntityError) as caught:
            await client.call.update_live(
                call.call_id, call_control={"additional_context": "Something else."}, extra_headers=once
            )
        assert code_of(caught.value) == "idempotency_key_reused"
        async with desk.client(await desk.key()) as another:
            await another.call.update_live(call.call_id, call_control=hint, extra_headers=once)
        assert [one.content for one in desk.told] == ["Once.", "Once."], "another asker's key is another"


# --- what is refused


async def test_an_agent_that_refuses_is_asked_once_and_its_words_come_through(desk: Desk):
    asked: list[int] = []
    async with desk.calls(WEB) as (call,), desk.client(await desk.key(), max_retries=5) as client:

        @call.on_inject
        def refuse(_command: InjectCommand) -> None:
            asked.append(1)
            raise Refusal("A supervisor has the caller")

        with pytest.raises(retell.ConflictError, match="A supervisor has the caller") as caught:
            await client.call.update_live(call.call_id, call_control={"additional_context": "x"})
        assert code_of(caught.value) == "refused"
        assert asked == [1], "the client would have sent it again by itself"


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (
            {"filter_criteria": {"user_sentiment": {"type": "enum", "op": "in", "value": ["Positive"]}}},
            "unsupported_filter",
        ),
        ({"filter_criteria": {"call_status": {"type": "enum", "op": "in", "value": ["ended"]}}}, "unsupported_filter"),
        ({"filter_criteria": {"from_number": {"type": "string", "op": "like", "value": "+49"}}}, "bad_request"),
        ({"limit": 0}, "bad_request"),
        ({"pagination_key": "made-up"}, "bad_request"),
        ({"extra_body": {"order_by": "cost"}}, "bad_request"),
    ],
)
async def test_what_cannot_be_looked_for_is_refused(client: retell.AsyncRetell, wanted: Any, code: str):
    with pytest.raises(retell.BadRequestError) as caught:
        await client.call.list(**wanted)
    assert code_of(caught.value) == code


async def test_fields_cannot_be_overridden_and_nothing_else_is_done_then(desk: Desk, client: retell.AsyncRetell):
    async with desk.calls(WEB) as (call,):
        with pytest.raises(retell.BadRequestError, match="metadata") as caught:
            await client.call.update_live(
                call.call_id, call_control={"additional_context": "x"}, fields_to_override={"metadata": {"a": 1}}
            )
        assert code_of(caught.value) == "unsupported_field"
        assert desk.told == []


async def test_an_endpoint_that_livemon_has_not_is_none(client: retell.AsyncRetell):
    with pytest.raises(retell.NotFoundError, match="There is no such endpoint"):
        await client.call.create_web_call(agent_id="agent-7")
    with pytest.raises(retell.NotFoundError):
        await client.agent.list()


@pytest.mark.parametrize("kind", ["wrong", "foreign", "over"])
async def test_a_key_that_is_not_good_raises_what_the_sdk_has_for_it(desk: Desk, kind: str):
    keys = {"wrong": f"lmk_{'0' * 16}_{'x' * 43}", "foreign": "key_8f1e", "over": await desk.key(over=True)}
    async with desk.client(keys[kind]) as client:
        with pytest.raises(retell.AuthenticationError) as caught:
            await client.call.stop("web")
    assert code_of(caught.value) == "unauthenticated"


@pytest.mark.parametrize("lacking", ["end", "inject", "read", "unmasked"])
async def test_a_key_may_what_it_may(desk: Desk, lacking: str):
    rights = [right for right in EVERYTHING if right != lacking]
    async with desk.calls(PHONE) as (call,), desk.client(await desk.key(*rights)) as client:
        call.user_turn().final(f"I am {NUMBER}.")
        found: Any = await client.call.retrieve(call.call_id)
        if lacking == "read":
            assert (found.transcript, found.transcript_object, found.transcript_with_tool_calls) == (None, None, None)
        if lacking == "unmasked":
            async with asyncio.timeout(60):
                while not (found := await client.call.retrieve(call.call_id)).transcript:
                    await asyncio.sleep(0.05)
            assert isinstance(found, PhoneCallResponse)
            assert NUMBER[1:] not in found.to_json()
            assert "4111" not in found.to_json()
            with pytest.raises(retell.PermissionDeniedError):
                await client.call.list(filter_criteria={"from_number": {"type": "string", "op": "sw", "value": "+49"}})
        for right, ask in (
            ("inject", lambda: client.call.update_live(call.call_id, call_control={"additional_context": "x"})),
            ("end", lambda: client.call.stop(call.call_id)),
        ):
            if right == lacking:
                with pytest.raises(retell.PermissionDeniedError) as caught:
                    await ask()
                assert code_of(caught.value) == "forbidden"
            else:
                await ask()


async def test_calls_of_another_workspace_do_not_exist(desk: Desk, client: retell.AsyncRetell):
    for ask in (client.call.retrieve, client.call.stop):
        with pytest.raises(retell.NotFoundError):
            await ask("undercover-call")
    with pytest.raises(retell.NotFoundError):
        await client.call.update_live("undercover-call", call_control={"additional_context": "x"})
    listed = await client.call.list()
    assert "undercover-call" not in {one.call_id for one in listed.items}


async def test_what_is_done_stands_in_the_audit_log_by_the_keys_name(desk: Desk, client: retell.AsyncRetell):
    async with desk.calls(WEB) as (call,):
        await client.call.update_live(call.call_id, call_control={"additional_context": "Be kind."})
        await client.call.stop(call.call_id)
    cookies = {COOKIE: await desk.cookie()}
    async with (
        httpx.AsyncClient(base_url=desk.process.url, timeout=60, cookies=cookies) as browser,
        asyncio.timeout(60),
    ):
        while True:
            answer = await browser.get(f"/audit/entries?call={call.call_id}")
            found = [(one["action"], one["outcome"], one["person"]) for one in answer.json()["entries"]]
            if len(found) == 4:
                break
            await asyncio.sleep(0.05)
    assert set(found) == {(act, how, "Dialer") for act in ("inject", "end_call") for how in ("asked", "done")}
    assert "Be kind" not in answer.text
