"""Every route, socket and mount of the whole application, asked by everybody: a table of what each kind of person gets.

The application says what there is (`tests.access.routes`); what the table does not name fails, so that nothing new comes in
without somebody having thought about who it is for.
"""

import re
from dataclasses import dataclass
from typing import Any

import pytest

from livemon.access.named_workspace import HEADER, PARAMETER
from tests.node.everybody import (
    JOIN,
    KEYS,
    LIKE,
    LISTEN,
    TALK,
    Everybody,
    Kind,
    known,
    names_in,
    secrets_of_others,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")

EVIL = "https://evil.example"
OPENED = 0
SOME = (Kind.NOBODY, Kind.EXPIRED, Kind.MEMBER, Kind.ADMIN, Kind.NEIGHBOUR, Kind.KEY)
"""Enough to ask at what is open to all."""
FIRST = (Kind.NOBODY, Kind.MEMBER, Kind.DEVELOPER, Kind.ADMIN, Kind.NEIGHBOUR, Kind.NEIGHBOURS_ADMIN)


@dataclass(frozen=True)
class Row:
    """What those of `FIRST` get, in their order, one number for all if it is open; `keys`: what the API key of `default`
    gets, and that of `beside`."""

    gets: tuple[int, ...]
    body: Any = None
    keys: tuple[int, int] | None = None
    others_may: bool = False
    """Whether it is also answered to what comes from another site: what changes nothing, and what proves itself."""

    def expected(self, kind: Kind, code: int) -> int:
        """`code` is what an answer of HTTP's or a socket's refusal is here: 401 or 4401."""
        if len(self.gets) == 1:
            return self.gets[0]
        if kind in (Kind.KEY, Kind.NEIGHBOURS_KEY):
            return self.keys[KEYS.index(kind)] if self.keys else code + 2  # forbidden
        return self.gets[FIRST.index(LIKE.get(kind, kind))]


def row(gets: str, body: Any = None, **more: Any) -> Row:
    return Row(tuple(int(one) for one in gets.split()), body, **more)


def admins(gets: str, body: Any = None) -> Row:
    """For Admins alone: `gets` is what one gets, and one of the other workspace."""
    mine, theirs = gets.split()
    return row(f"401 403 403 {mine} 403 {theirs}", body)


NICEGUI = "/_nicegui/V"
TABLE = {
    # --- calls
    "SOCKET /feed/calls": row("4401 4403 0 0 0 0", keys=(0, 0)),
    "SOCKET /feed/calls/{call_id}": row("4401 4403 0 0 4404 4404", keys=(0, 4404)),
    "SOCKET /feed/runtimes": row("4401 4403 0 0 0 0", keys=(0, 0)),
    "SOCKET /feed/alerts": row("4401 4403 4403 0 4403 0"),
    "POST /calls/{call_id}/end": row("401 403 409 409 404 404", keys=(409, 404)),
    "POST /calls/{call_id}/listen": row("401 403 409 409 404 404", LISTEN, keys=(409, 404)),
    "POST /calls/{call_id}/take-over": row("401 403 409 409 404 404", TALK, keys=(409, 404)),
    "POST /listeners/{listener_id}/stop": row("401 204 204 204 204 204", keys=(204, 204)),
    "SOCKET /take-overs/{take_over_id}": row("4401 4403 4404 4404 4404 4404", keys=(4404, 4404)),
    "POST /take-overs/{take_over_id}/cancel": row("401 204 204 204 204 204", keys=(204, 204)),
    # --- the API for programs
    "GET /v2/openapi.json": row("200"),
    "POST /v3/list-calls": row("401 403 200 200 200 200", keys=(200, 200)),
    "GET /v2/get-call/{call_id}": row("401 403 200 200 404 404", keys=(200, 404)),
    "POST /v2/stop-call/{call_id}": row("401 403 409 409 404 404", keys=(409, 404)),
    "PATCH /v2/update-live-call/{call_id}": row("401 403 200 200 404 404", {}, keys=(200, 404)),
    "ANY /v2/{rest:path}": row("401 404 404 404 404 404", keys=(404, 404)),
    "ANY /v3/{rest:path}": row("401 404 404 404 404 404", keys=(404, 404)),
    "SOCKET /v2/monitor-call/{call_id}": row("4401 4403 0 0 4004 4004", keys=(0, 4004)),
    "SOCKET /v2/live-audio/{call_id}": row("4401", JOIN, others_may=True),
    "POST /v2/listen-live-call/{call_id}": row("401 403 409 409 404 404", keys=(409, 404)),
    "POST /v2/take-over-live-call/{call_id}": row("401 403 404 404 404 404", {"participant_id": "x"}, keys=(404, 404)),
    # --- coming and going
    "POST /sign-in/link": row("403", {"token": "x"}),
    "POST /sign-out": row("401 204 204 204 204 204"),
    "GET /sign-in": row("200"),
    "GET /sign-in/{slug}": row("303"),
    "GET /sign-in/{slug}/callback": row("303"),
    "POST /sign-in/{slug}/back-channel-logout": row("400", others_may=True),
    "POST /join/look": row("403", {"token": "x"}),
    "POST /join/accept": row("403", {"token": "x", "name": "Mallory"}),
    "POST /join/as-me": row("401 403 403 403 403 403", {"token": "x"}),
    "POST /join/with/{slug}": row("403", {"token": "x"}),
    "GET /workspaces": row("401 200 200 200 200 200"),
    "POST /workspace": row("401 200 200 200 404 404", {"slug": "default"}),
    # --- people and keys
    "GET /members/all": admins("200 200"),
    "POST /members/{user_id}/role": admins("204 404", {"role": "member"}),
    "POST /members/{user_id}/remove": admins("204 404"),
    "POST /members/{user_id}/link": admins("200 404"),
    "POST /members/sessions/{session_id}/end": admins("204 404"),
    "POST /invitations": admins("200 200", {"role": "member", "name": "Guest"}),
    "POST /invitations/{invitation_id}/revoke": admins("204 404"),
    "GET /keys/all": admins("200 200"),
    "POST /keys": admins("200 200", {"name": "robot", "rights": ["watch"], "days": 1}),
    "POST /keys/{key_id}/revoke": admins("204 404"),
    "POST /connect/password": admins("409 409"),
    "GET /audit/entries": admins("200 200"),
    "GET /audit/export.csv": admins("200 200"),
    # --- pages
    "GET /": row("401 200 303 303 303 303"),
    "GET /live": row("401 403 200 200 200 200"),
    "GET /live/{call_id}": row("401 403 200 200 200 200"),
    "GET /audit": admins("200 200"),
    "GET /connect": row("401 403 200 200 200 200"),
    "GET /members": admins("200 200"),
    "GET /keys": admins("200 200"),
    "GET /join": row("200"),
    # --- machines
    "GET /healthz": row("200"),
    "GET /metrics": row("200"),
    # --- files, and NiceGUI's
    "MOUNT /assets": row("404"),
    "MOUNT ": row("401 404 404 404 404 404"),
    "MOUNT /_nicegui_ws": row("401 404 404 404 404 404"),
    f"MOUNT {NICEGUI}/static": row("404"),
    f"GET {NICEGUI}/libraries/{{key:path}}": row("404"),
    f"GET {NICEGUI}/components/{{key:path}}": row("404"),
    f"GET {NICEGUI}/resources/{{key}}/{{path:path}}": row("404"),
    f"GET {NICEGUI}/dynamic_resources/{{name}}": row("401 404 404 404 404 404"),
    f"GET {NICEGUI}/esm/{{key}}/{{path:path}}": row("404"),
}
NICEGUIS_SOCKET = "/_nicegui_ws/socket.io/?EIO=4&transport=websocket"


@pytest.fixture(scope="session")
def found(application: dict[str, Any]) -> dict[str, str]:
    """Each that the application has, as the table names it: its template as it is."""
    return {_named(name): one["template"] for one in application["routes"] for name in known(one)}


def _named(name: str) -> str:
    return re.sub(r"/_nicegui/[\d.]+", NICEGUI, name)


async def test_the_table_names_everything_that_there_is_and_nothing_else(found: dict[str, Any]):
    assert sorted(found.keys() - TABLE.keys()) == [], "new, and nobody has said yet who may have it"
    assert sorted(TABLE.keys() - found.keys()) == [], "there is no such route any more"


@pytest.mark.parametrize("name", TABLE)
async def test_everybody_gets_what_the_table_says_and_reads_nothing_of_the_other_workspace(
    people: Everybody, found: dict[str, Any], name: str
):
    method, wanted, template = name.split(" ")[0], TABLE[name], found[name]
    refused = 4401 if method == "SOCKET" else 401
    got, expected = {}, {}
    for kind in Kind if len(wanted.gets) > 1 else SOME:
        answer = await ask(people, kind, method, template, wanted.body)
        got[kind], expected[kind] = answer.code, wanted.expected(kind, refused)
        assert not [word for word in secrets_of_others(kind) if word in answer.text], kind
        if kind is Kind.NOBODY or answer.code >= 400:
            assert "Undercover" not in answer.text, kind
    assert got == expected


@pytest.mark.parametrize("name", [name for name in TABLE if name.startswith(("POST", "SOCKET"))])
async def test_another_site_gets_nothing_done_in_an_admins_name(people: Everybody, found: dict[str, Any], name: str):
    method, wanted = name.split(" ")[0], TABLE[name]
    answer = await ask(people, Kind.ADMIN, method, found[name], wanted.body, EVIL)
    if wanted.others_may:
        assert answer.code == wanted.gets[0]
    else:
        assert answer.code == (4403 if method == "SOCKET" else 403)
        assert "cross_site" in answer.text


@pytest.mark.parametrize("name", [name for name in TABLE if len(TABLE[name].gets) > 1 and name[:5] != "MOUNT"])
async def test_a_page_of_another_workspace_gets_nothing_done_in_this_one(
    people: Everybody, found: dict[str, Any], name: str
):
    """Whatever it is, where a session is needed: the guard looks at what a request names before any endpoint does."""
    method = name.split(" ")[0]
    answer = await ask(people, Kind.ADMIN, method, found[name], TABLE[name].body, shown="beside")
    assert answer.code == (4409 if method == "SOCKET" else 409)
    assert "other_workspace" in answer.text


async def test_niceguis_own_socket_opens_to_whoever_is_signed_in_and_to_no_other_site(people: Everybody):
    for kind in Kind:
        answer = await people.open(NICEGUIS_SOCKET, await people.headers(kind), None)
        may = kind not in KEYS and LIKE.get(kind) is not Kind.NOBODY and kind is not Kind.NOBODY
        assert answer.code == (OPENED if may else 403), kind
    answer = await people.open(NICEGUIS_SOCKET, await people.headers(Kind.ADMIN), EVIL)
    assert answer.code == 403


async def ask(
    people: Everybody,
    kind: Kind,
    method: str,
    template: str,
    body: Any,
    origin: str | None = None,
    shown: str | None = None,
) -> "Any":
    """`shown`: the workspace of the page that asks, if it names one."""
    path = template
    for parameter in names_in(template):
        path = re.sub(rf"\{{{parameter}(:\w+)?\}}", await people.named(parameter), path)
    headers = await people.headers(kind)
    if method == "SOCKET":
        return await people.open(path if shown is None else f"{path}?{PARAMETER}={shown}", headers, origin, body)
    if shown is not None:
        headers |= {HEADER: shown}
    if method == "MOUNT":
        return await people.ask("GET", f"{path}/x", headers, None, origin)
    return await people.ask("PROPFIND" if method == "ANY" else method, path, headers, body, origin)
