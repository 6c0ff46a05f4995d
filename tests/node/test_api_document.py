"""The API's OpenAPI document, held against a running livemon by schemathesis: what it calls good is done, what it calls bad is
refused, and every answer is as it says; and 5,000 requests that nobody would send on purpose."""

import asyncio
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import orjson
import pytest
import pytest_asyncio

from tests.conftest import free_port
from tests.livemon_process import LivemonProcess
from tests.node.conftest import redis_url_of
from tests.node.desk import Desk, desk_in

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXAMPLES = 60
PATHS = ("/v2/get-call/{call_id}", "/v2/stop-call/{call_id}", "/v2/update-live-call/{call_id}")
FUZZED, AT_ONCE = 5_000, 20
SCHEMATHESIS = Path(sys.executable).parent / "schemathesis"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    """Of a livemon that lets a program ask as often as it likes."""
    paces = {"LIVEMON_API_READS": "1000000", "LIVEMON_API_ACTS": "1000000"}
    process = LivemonProcess(free_port(), tmp_path_factory.mktemp("livemon"), paces)
    process.start()
    process.await_words("Ctrl-C")
    try:
        async with desk_in(process, redis_url_of(process), "desk") as desk:
            yield desk
    finally:
        process.stop()


@pytest.fixture(autouse=True)
def nobody_told(desk: Desk) -> None:
    """Whoever holds the document against livemon ends calls, and tells agents something: that is theirs."""
    desk.told.clear()
    desk.hung_up.clear()


async def test_it_is_told_to_everybody_and_names_what_there_is(desk: Desk):
    async with httpx.AsyncClient(base_url=desk.process.url, timeout=60) as client:
        document = (await client.get("/v2/openapi.json")).json()
        behind = (await client.get("/v2/openapi.json", headers={"x-forwarded-prefix": "/monitor"})).json()
    assert document["openapi"].startswith("3.1")
    assert {"/v3/list-calls", *PATHS} <= document["paths"].keys()
    assert document["security"] == [{"key": []}]
    assert document["servers"] == [{"url": "/"}]
    assert behind["servers"] == [{"url": "/monitor"}]


async def test_the_document_is_true(desk: Desk, tmp_path: Path):
    about = {"call_type": "phone_call", "from_number": "+4930901820", "metadata": {"tier": "gold"}}
    async with desk.calls(*({"call_id": "c", **about} for _ in PATHS)) as calls:
        call = calls[0]
        call.user_turn().final("Hello?")
        call.tool_call("t-1", "look", {})
        call.tool_result("t-1", "found")
        call.dtmf("5")
        settings = tmp_path / "schemathesis.toml"
        of_its_own = zip(PATHS, calls, strict=True)
        settings.write_text("".join(_operation(path, one.call_id) for path, one in of_its_own))
        command = [str(SCHEMATHESIS), "--config-file", str(settings), "run", f"{desk.process.url}/v2/openapi.json"]
        command += ["--header", f"Authorization: Bearer {await desk.key()}", "--checks", "all", "--mode", "all"]
        command += ["--phases", "examples,coverage,fuzzing", "--max-examples", str(EXAMPLES), "--workers", "1"]
        command += ["--generation-deterministic", "--continue-on-failure", "--no-color", "--output-sanitize", "false"]
        paths = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.node.api_hooks", "PYTHONPATH": paths}
        run = asyncio.to_thread(subprocess.run, command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        done = await run
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Tested: 6" in done.stdout, done.stdout


def _operation(path: str, call_id: str) -> str:
    """422: a key that chance has used before for another request."""
    good = '["2xx", 401, 403, 404, 409, 422, 429]'
    return f"""[[operations]]
include-path = '{path}'
parameters = {{ 'path.call_id' = '{call_id}' }}
checks.positive_data_acceptance.expected-statuses = {good}
"""


async def test_what_nobody_would_send_on_purpose_breaks_nothing(desk: Desk):
    """No answer of 500, no call that ends or is told something, and the list is as it was."""
    chance = random.Random(20)
    async with desk.calls({"call_id": "unhurt"}, {"call_id": "unhurt"}) as calls:
        headers = {"authorization": f"Bearer {await desk.key()}"}
        asked = iter([_mangled(chance, calls[0].call_id) for _ in range(FUZZED)])
        codes: Counter[int] = Counter()

        async def ask(client: httpx.AsyncClient) -> None:
            for method, path, body in asked:
                answer = await client.request(method, path, content=body)
                codes[answer.status_code] += 1
                assert answer.status_code < 500, (method, path, body, answer.text)
                if answer.status_code >= 400 and answer.request.url.path.startswith(("/v2/", "/v3/")):
                    assert answer.json()["status"] == "error"

        async with httpx.AsyncClient(base_url=desk.process.url, headers=headers, timeout=60) as client:
            await asyncio.gather(*(ask(client) for _ in range(AT_ONCE)))
            left = (await client.post("/v3/list-calls")).json()["items"]
        assert {one["call_id"] for one in left} == {call.call_id for call in calls}
        assert {one["livemon"]["status"] for one in left} == {"ongoing"}
        assert (desk.told, desk.hung_up) == ([], [])
        assert codes[200], "some of it is good by chance"
        assert codes[400] + codes[404] + codes[405] > FUZZED / 2


_PIECES = (
    *(
        "filter_criteria",
        "metadata",
        "key",
        "type",
        "op",
        "value",
        "string",
        "number",
        "range",
        "enum",
        "eq",
        "bt",
        "in",
    ),
    *("limit", "skip", "sort_order", "pagination_key", "include_total", "ascending", "ongoing", "from_number", "agent"),
    *("call_control", "additional_content", "trigger_respond", "", "\0", "é", "￿", "💥", "x" * 5_000),
    *(0, -1, 1, 50, 2**31, 2**63, 2**64 - 1, -(2**63), 1.5, 1e308, True, False, None),
)


def _mangled(chance: random.Random, call_id: str) -> tuple[str, str, bytes]:
    """A request as it might be, but for what chance has done to it. None of them ends a call or tells an agent something."""
    path = chance.choice(["/v3/list-calls"] * 6 + [f"/v2/update-live-call/{call_id}", f"/v2/get-call/{call_id}x"])
    method = {"/v3/": "POST", "/v2/u": "PATCH", "/v2/g": "GET"}[path[:5] if path[1:3] == "v2" else path[:4]]
    body = orjson.dumps(_value(chance, 4)) if chance.random() < 0.8 else _list_like(chance)
    for _ in range(chance.choice([0, 0, 1, 3])):
        at = chance.randrange(len(body) + 1)
        body = body[:at] + bytes(chance.choices(range(256), k=chance.randrange(3))) + body[at + chance.randrange(4) :]
    if chance.random() < 0.1:
        path = "".join(chance.choice(["%00", "%2f", "%ff", "..", "é", "//", "{", each, each]) for each in path[1:])
        path = f"/v2/{path}"
    return chance.choice([method] * 8 + ["PUT", "DELETE"]), path, body


def _list_like(chance: random.Random) -> bytes:
    filters = {"type": chance.choice(["string", "range", "number"]), "op": chance.choice(["eq", "bt", "sw"])}
    criteria = {chance.choice(["from_number", "duration_ms", "call_id"]): {**filters, "value": _value(chance, 1)}}
    return orjson.dumps({"filter_criteria": criteria, "limit": chance.choice([1, 1_000, 0, "1"])})


def _value(chance: random.Random, depth: int) -> object:
    kind = chance.random()
    if depth == 0 or kind < 0.3:
        return chance.choice(_PIECES)
    if kind < 0.5:
        return [_value(chance, depth - 1) for _ in range(chance.randrange(4))]
    return {str(chance.choice(_PIECES)): _value(chance, depth - 1) for _ in range(chance.randrange(5))}
