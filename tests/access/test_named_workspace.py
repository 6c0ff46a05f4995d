"""A request that is meant for one workspace is not done in another, whatever the session has become meanwhile."""

import json
from urllib.parse import quote

import pytest

from livemon.access.guard import Guard
from livemon.access.named_workspace import HEADER
from livemon.store.errors import StoreAway
from tests.access import test_guard
from tests.access.test_guard import OURS, echo
from tests.access.wire import connect, request

NAMES = HEADER.lower()
"""As a server hands it on."""

ada = test_guard.ada


@pytest.fixture
def guard(sessions, audit):
    return Guard(echo, sessions=sessions, audit=audit)


@pytest.mark.parametrize("named", [{}, {NAMES: "default"}])
async def test_who_names_their_own_workspace_or_none_gets_in(guard, ada, named):
    assert (await request(guard, "POST", "/calls/c1/end", ada | OURS | named)).body == b"Ada"
    assert (await connect(guard, "/feed/calls?workspace=default", ada | OURS | named)).messages[0]["name"] == b"Ada"


@pytest.mark.parametrize("named", ["other", "", "Default", "default,other", "default "])
async def test_what_is_meant_for_another_workspace_is_not_done(guard, ada, named):
    for method in ("POST", "GET", "DELETE"):
        answer = await request(guard, method, "/calls/c1/end", ada | OURS | {NAMES: named})
        assert (answer.status, json.loads(answer.body)["error"]["code"]) == (409, "other_workspace"), method
    in_query = await request(guard, "POST", f"/listeners/l1/stop?workspace={quote(named)}", ada | OURS)
    assert in_query.status == 409
    socket = await connect(guard, f"/feed/calls?workspace={quote(named)}", ada | OURS)
    assert socket.messages[-1] == {"type": "websocket.close", "code": 4409, "reason": "other_workspace"}


async def test_of_two_workspaces_that_are_named_neither_is_meant(guard, ada):
    path = "/calls/c1/end?workspace=other&workspace=default"
    assert (await request(guard, "POST", path, ada | OURS | {NAMES: "default"})).status == 409


async def test_who_is_let_in_from_memory_is_still_only_where_they_are(guard, ada, sessions, monkeypatch):
    assert (await request(guard, "GET", "/live", ada)).body == b"Ada"

    async def away(_cookie):
        raise StoreAway("no database")

    monkeypatch.setattr(sessions, "find", away)
    assert (await request(guard, "POST", "/calls/c1/end", ada | OURS | {NAMES: "default"})).body == b"Ada"
    assert (await request(guard, "POST", "/calls/c1/end", ada | OURS | {NAMES: "other"})).status == 409


async def test_a_machine_that_names_a_workspace_means_it_too(guard, make):
    key = {"authorization": f"Bearer {(await make()).key}"}
    assert (await request(guard, "POST", "/calls/c1/end", key)).status == 200
    assert (await request(guard, "POST", "/calls/c1/end", key | {NAMES: "default"})).status == 200
    assert (await request(guard, "POST", "/calls/c1/end", key | {NAMES: "other"})).status == 409
