"""Nobody gets past the guard who is not signed in, and nothing that another site sends."""

import asyncio
import json
import shutil
from urllib.parse import parse_qs, urlsplit

import pytest
import uvicorn
import websockets
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute

from livemon.access.guard import COOKIE, Entry, Guard, cookies_of, entry_of, person_of, prefix_of
from livemon.access.sessions import session_id_of
from livemon.store.store import Store
from tests.access.wire import connect, request

PAGE = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
OURS = {"origin": "http://livemon.test"}


async def echo(scope, receive, send):
    """An application that says who asks, and accepts every socket."""
    if scope["type"] == "lifespan":
        await send({"type": "lifespan.seen"})
        return
    person = person_of(HTTPConnection(scope))
    name = (person.name if person else "nobody").encode()
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept", "name": name})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": name})


@pytest.fixture
def database_url(tmp_path, made_database):
    """One kind is enough: the guard has no SQL of its own, and that of the sessions is tested on each kind (`test_sessions`)."""
    shutil.copy(made_database, tmp_path)
    return f"sqlite+aiosqlite:///{tmp_path}/livemon.db"


@pytest.fixture
def guard(sessions):
    return Guard(echo, sessions=sessions)


@pytest.fixture
async def ada(sign_in):
    """The header of a browser that is signed in."""
    return {"cookie": f"{COOKIE}={await sign_in()}"}


# ---- who is signed in


async def test_who_is_signed_in_gets_in_and_is_known_there(guard, ada):
    assert (await request(guard, "GET", "/live", ada)).body == b"Ada"
    assert (await request(guard, "POST", "/calls/c1/end", ada | OURS)).body == b"Ada"
    socket = await connect(guard, "/feed/calls", ada | OURS)
    assert socket.messages == [{"type": "websocket.accept", "name": b"Ada"}]


async def test_a_page_asked_for_by_a_stranger_leads_to_sign_in_and_back(guard):
    answer = await request(guard, "GET", "/live/call-1?tab=a%20b&x=1", PAGE)
    target = urlsplit(answer.headers["location"])
    assert (answer.status, target.netloc, target.path) == (303, "", "/sign-in")
    assert parse_qs(target.query) == {"next": ["/live/call-1?tab=a%20b&x=1"]}
    assert answer.headers["cache-control"] == "no-store"


async def test_anything_else_asked_for_by_a_stranger_is_refused_in_the_apis_words(guard):
    for method, path, headers in [
        ("GET", "/live", {"accept": "*/*"}),
        ("GET", "/live", {}),
        ("POST", "/calls/c1/end", OURS | PAGE),
        ("DELETE", "/anything", OURS),
        ("OPTIONS", "/live", PAGE),
    ]:
        answer = await request(guard, method, path, headers)
        assert (answer.status, json.loads(answer.body)["error"]["code"]) == (401, "unauthenticated"), (method, path)
        assert json.loads(answer.body)["error"]["message"].endswith("Sign in, then try again.")
        assert answer.headers["cache-control"] == "no-store"


async def test_a_strangers_socket_is_closed_with_4401(guard):
    for path in ("/feed/calls", "/feed/calls/c1", "/no/such/socket", "/sign-out"):
        answer = await connect(guard, path, OURS)
        assert (answer.kinds, answer.close_code) == (["websocket.accept", "websocket.close"], 4401)


async def test_a_strangers_socket_to_nicegui_is_denied(guard):
    answer = await connect(guard, "/_nicegui_ws/socket.io/?EIO=4&transport=websocket", OURS)
    assert answer.kinds == ["websocket.close"]
    answer = await request(guard, "GET", "/_nicegui_ws/socket.io/?EIO=4&transport=polling")
    assert answer.status == 401


async def test_a_session_that_has_ended_lets_nobody_in(guard, ada, sessions):
    await sessions.end(session_id_of(ada["cookie"].partition("=")[2]))
    assert (await request(guard, "GET", "/live", ada)).status == 401
    assert (await connect(guard, "/feed/calls", ada | OURS)).close_code == 4401


@pytest.mark.parametrize(
    "path",
    [
        *("/sign-in", "/sign-in/link", "/sign-in/keycloak", "/sign-in/keycloak/callback"),
        *("/healthz", "/metrics", "/favicon.ico", "/assets/a.js"),
    ],
)
async def test_what_is_open_is_open_and_asks_no_database(path, database_url, ada):
    class NoSessions:
        def __call__(self):
            raise AssertionError("the database was asked")

    guard = Guard(echo, sessions=NoSessions())
    assert (await request(guard, "GET", path, ada)).body == b"nobody"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "/live",
        "/sign-in/",
        "/sign-in/keycloak/",
        "/sign-in//callback",
        "/sign-in/keycloak/callback/",
        "/sign-in/a/b/callback",
        "/sign-in/keycloak/elsewhere",
        "/sign-inn",
        "/sign-out",
        "/assets",
        "/assetsx/a.js",
        "/healthz/more",
        "/_nicegui/0.0.0/static/x.js",
        "/_nicegui/auto/static/x/report.pdf",
        "/_nicegui/client/abc/upload/4",
        "/_nicegui_ws/socket.io/",
        "//assets/a.js",
        "/live/../assets/a.js",
        "*",
    ],
)
def test_everything_else_is_for_those_who_are_signed_in(path):
    assert entry_of(path) is Entry.SIGNED_IN


async def test_a_client_cannot_bring_a_person_along(guard, sign_in):
    forged = {"state": {"person": "Ada"}}
    assert (await request(guard, "GET", "/assets/a.js", **forged)).body == b"nobody"
    assert (await request(guard, "GET", "/live", {"x-person": "Ada", "person": "Ada"})).status == 401


async def test_the_servers_state_is_passed_on_and_never_written_to(sessions, ada):
    seen = {}

    async def remember(scope, receive, send):
        seen.update(scope["state"])

    state = {"of": "the server"}
    await request(Guard(remember, sessions=sessions), "GET", "/live", ada, state=state)
    assert seen["of"] == "the server"
    assert state == {"of": "the server"}


async def test_the_lifespan_passes(guard):
    sent = []

    async def send(message):
        sent.append(message)

    await guard({"type": "lifespan"}, None, send)
    assert sent == [{"type": "lifespan.seen"}]


async def test_sessions_may_be_made_after_the_guard(sessions, ada):
    made = []
    guard = Guard(echo, sessions=lambda: made[0])
    made.append(sessions)
    assert (await request(guard, "GET", "/live", ada)).body == b"Ada"


async def test_a_database_that_does_not_answer_lets_nobody_in_and_says_so(guard, ada, store: Store):
    await store.close()
    answer = await request(guard, "GET", "/live", ada | PAGE)
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (503, "store_away")
    assert (await connect(guard, "/feed/calls", ada | OURS)).close_code == 1013
    assert (await request(guard, "GET", "/sign-in")).status == 200


def test_without_a_guard_nobody_is_anybody():
    assert person_of(HTTPConnection({"type": "http", "headers": []})) is None


async def test_another_servers_request_needs_no_origin_where_it_is_meant_for_servers(guard, ada):
    """It has none, and proves by itself who it is from; a cookie that comes along is looked at by nobody."""
    path = "/sign-in/keycloak/back-channel-logout"
    for headers in ({}, ada, {"origin": "https://evil.example"}):
        assert (await request(guard, "POST", path, headers)).body == b"nobody"
    assert (await connect(guard, path)).close_code == 4403
    for other in ("/sign-in/keycloak", "/sign-in/keycloak/callback", "/sign-in/link", f"{path}/"):
        assert (await request(guard, "POST", other, ada)).status == 403


# ---- where it leads


@pytest.mark.parametrize(
    ("asked", "leads_to"),
    [
        ("/", "/"),
        ("//evil.example/x", "/evil.example/x"),
        ("/\\evil.example", "/evil.example"),
        ("/\\/evil.example", "/evil.example"),
        ("/live?next=//evil.example", "/live?next=//evil.example"),
        ("/live/%2F%2Fevil.example%0d%0aSet-Cookie:x", "/live/%2F%2Fevil.example%0d%0aSet-Cookie:x"),
        ("/live/" + "x" * 5_000, None),
    ],
)
async def test_the_way_back_never_leaves_this_server(guard, asked, leads_to):
    location = (await request(guard, "GET", asked, PAGE)).headers["location"]
    assert location.startswith("/sign-in")
    assert "\r" not in location
    assert parse_qs(urlsplit(location).query).get("next") == ([leads_to] if leads_to else None)


async def test_behind_a_path_of_a_proxy_all_addresses_have_it(guard, ada):
    answer = await request(guard, "GET", "/live/c1", PAGE | {"x-forwarded-prefix": "/calls"})
    assert answer.headers["location"] == "/calls/sign-in?next=/calls/live/c1"
    rooted = {"root_path": "/calls"}
    answer = await request(guard, "GET", "/calls/live/c1", PAGE, **rooted)
    assert answer.headers["location"] == "/calls/sign-in?next=/calls/live/c1"
    assert (await request(guard, "GET", "/calls/sign-in", **rooted)).status == 200
    assert (await request(guard, "GET", "/calls/live", **rooted)).status == 401
    assert (await request(guard, "GET", "/calls/assets/x.js", **rooted)).status == 200


@pytest.mark.parametrize("prefix", ["//evil.example", "https://evil.example", "/a\\b", "calls", "/a//b", "/ä", "/a?b"])
def test_a_prefix_that_could_lead_elsewhere_is_none(prefix):
    headers = [(b"x-forwarded-prefix", prefix.encode("latin-1"))]
    assert prefix_of(HTTPConnection({"type": "http", "headers": headers})) == ""


async def test_a_prefix_that_is_none_never_gets_to_the_application(sessions, ada):
    """NiceGUI writes it into its page as it comes."""
    seen = []

    async def note(scope, receive, send):
        seen.append(dict(scope["headers"]).get(b"x-forwarded-prefix"))
        await echo(scope, receive, send)

    guard = Guard(note, sessions=sessions)
    for prefix in ("/calls", "/</script><script>alert(1)</script>", "//evil.example"):
        await request(guard, "GET", "/live", ada | {"x-forwarded-prefix": prefix})
    assert seen == [b"/calls", None, None]


# ---- from where it comes

ORIGINS = [
    ("http://livemon.test", "livemon.test", True),
    ("https://livemon.test", "livemon.test", True),  # a proxy that ends TLS
    ("HTTP://LIVEMON.test", "livemon.TEST", True),
    ("http://livemon.test:80", "livemon.test", True),
    ("https://livemon.test", "livemon.test:443", True),
    ("http://localhost:8080", "localhost:8080", True),
    ("http://[::1]:8080", "[::1]:8080", True),
    ("http://livemon.test:8080", "livemon.test", False),
    ("http://localhost:3000", "localhost:8080", False),
    ("http://localhost:8080", "127.0.0.1:8080", False),
    ("https://evil.example", "livemon.test", False),
    ("https://livemon.test.evil.example", "livemon.test", False),
    ("https://evil.example/livemon.test", "livemon.test", False),
    ("https://evil.example@livemon.test", "livemon.test", False),
    ("https://livemon.test@evil.example", "livemon.test", False),
    ("https://sub.livemon.test", "livemon.test", False),
    ("null", "livemon.test", False),
    ("", "livemon.test", False),
    ("file://livemon.test", "livemon.test", False),
    ("livemon.test", "livemon.test", False),
    ("http://livemon.test:port", "livemon.test:port", False),
    ("http://[", "[", False),
    (b"http://\xff\xfe", b"\xff\xfe\x00", False),
    (None, "livemon.test", False),
    ("http://livemon.test", None, False),
    (["http://livemon.test", "https://evil.example"], "livemon.test", False),
    ("https://evil.example", ["livemon.test", "evil.example"], False),
]


@pytest.mark.parametrize(("origin", "host", "ours"), ORIGINS)
async def test_only_our_own_pages_open_sockets_and_change_things(guard, ada, origin, host, ours):
    headers = ada | {name: value if value is not None else [] for name, value in (("origin", origin), ("host", host))}
    for method in ("POST", "PUT", "PATCH", "DELETE", "ODD"):
        answer = await request(guard, method, "/calls/c1/end", headers)
        assert answer.status == (200 if ours else 403), method
    if not ours:
        error = json.loads(answer.body)["error"]
        assert error["code"] == "cross_site"
        assert "LIVEMON_PUBLIC_URL" in error["message"]
    socket = await connect(guard, "/feed/calls", headers)
    assert socket.kinds[-1] == ("websocket.accept" if ours else "websocket.close")
    assert ours or socket.close_code == 4403
    assert (await connect(guard, "/_nicegui_ws/socket.io/", headers)).kinds == socket.kinds[-1:]
    assert (
        await request(guard, "GET", "/live", headers)
    ).status == 200  # reading is for any origin: no answer is shown to it


async def test_a_page_that_came_without_tls_changes_nothing_where_livemon_is_reached_over_it(guard, ada):
    """Whoever is on the way can put a page of their own at http://livemon.test."""
    headers = ada | {"host": "livemon.test"}
    for origin, status in (
        ("https://livemon.test", 200),
        ("http://livemon.test", 403),
        ("http://livemon.test:443", 403),
    ):
        answer = await request(guard, "POST", "/x", headers | {"origin": origin}, scheme="https")
        assert answer.status == status, origin
        socket = await connect(guard, "/feed/calls", headers | {"origin": origin}, scheme="wss")
        assert socket.kinds[-1] == ("websocket.accept" if status == 200 else "websocket.close"), origin


async def test_nobody_is_signed_in_or_out_by_another_site(guard, ada):
    evil = {"origin": "https://evil.example"}
    for path in ("/sign-in/link", "/sign-out", "/_nicegui/client/abc/upload/4", "/_nicegui_ws/socket.io/"):
        assert (await request(guard, "POST", path, ada | evil)).status == 403


async def test_the_public_address_is_ours_too_whatever_the_host_header_says(sessions, ada):
    guard = Guard(echo, sessions=sessions, public_url="https://calls.example.com/live")
    inside = ada | {"host": "10.0.0.7:8080"}
    for origin, status in [
        ("https://calls.example.com", 200),
        ("https://calls.example.com:443", 200),
        ("http://10.0.0.7:8080", 200),
        ("http://calls.example.com", 403),
        ("https://calls.example.com:8443", 403),
        ("https://other.example.com", 403),
    ]:
        assert (await request(guard, "POST", "/x", inside | {"origin": origin})).status == status, origin


# ---- cookies of every sort


@pytest.mark.parametrize(
    "cookie",
    [
        b"",
        b";;;=;==",
        COOKIE.encode(),
        f"{COOKIE}=".encode(),
        f"{COOKIE}=\xff\xfe\x00".encode("latin-1"),
        f'{COOKIE}="'.encode(),
        f"{COOKIE}={'x' * 100_000}".encode(),
        b"a=b; " * 50_000,
        f"{COOKIE}=wrong; ".encode() * 100,
        "livemon_session=ünïcödé".encode(),
        b"\x00\x01\x02",
    ],
)
async def test_garbage_in_place_of_a_cookie_is_nobody(guard, sign_in, cookie):
    await sign_in()
    assert (await request(guard, "GET", "/live", {"cookie": cookie})).status == 401


async def test_our_cookie_is_found_among_others(guard, ada):
    ours = ada["cookie"]
    for cookie in (
        f"a=1; {ours}; b=2",
        f"{ours};",
        f'a="x;y"; {ours}',
        ["a=1", ours],
        f"{COOKIE}=stale; {ours}",
        f"x{COOKIE}=1;{ours}",
        ours.replace("=", '="', 1) + '"',
    ):
        assert (await request(guard, "GET", "/live", {"cookie": cookie})).body == b"Ada", cookie


def test_of_many_cookies_of_our_name_a_few_are_looked_at():
    header = "; ".join(f"{COOKIE}=c{n}" for n in range(50)).encode()
    assert cookies_of(HTTPConnection({"type": "http", "headers": [(b"cookie", header)]})) == ["c0", "c1", "c2", "c3"]


# ---- on a real wire


async def test_a_browser_sees_why_its_socket_was_closed(sessions, ada):
    """Refused before it is accepted, a socket shows a browser 1006 and nothing else."""

    async def who(websocket):
        await websocket.accept()
        await websocket.send_text(person_of(websocket).name)
        await websocket.close()

    async def page(request):
        return PlainTextResponse("page")

    app = Starlette(routes=[WebSocketRoute("/feed", who), Route("/live", page)])
    server = uvicorn.Server(uvicorn.Config(Guard(app, sessions=sessions), port=0, log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(60):
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        url, origin = f"ws://127.0.0.1:{port}/feed", f"http://127.0.0.1:{port}"
        for asks_with, code in [
            ({"origin": origin}, 4401),
            ({"origin": "http://evil.example", "additional_headers": ada}, 4403),
            ({"additional_headers": ada}, 4403),
        ]:
            async with websockets.connect(url, **asks_with) as socket:
                await socket.wait_closed()
                assert socket.close_code == code
        async with websockets.connect(url, origin=origin, additional_headers=ada) as socket:
            assert await socket.recv() == "Ada"
        server.should_exit = True
        await serving
