"""Which security headers an answer has, by its kind; and that no script is let into a page that livemon did not write."""

import re

import pytest
from nicegui.client import templates
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse

from livemon.access.headers import SecurityHeaders, nonce_of, policy_of
from livemon.main import _Application
from livemon.page_template import give_nonces
from tests.access.wire import connect, request

ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
SEALED = {
    **{"object-src": "'none'", "frame-src": "'none'", "worker-src": "'none'", "base-uri": "'none'"},
    **{"form-action": "'self'", "frame-ancestors": "'none'", "default-src": "'self'", "img-src": "'self'"},
    "media-src": "'self' blob:",
}


def directives(answer) -> dict[str, str]:
    pairs = (part.strip().partition(" ") for part in answer.headers["content-security-policy"].split(";"))
    return {name: value for name, _, value in pairs}


@pytest.fixture
def app() -> _Application:
    """livemon's application, with an answer of each kind."""
    app = _Application(None)

    @app.get("/page")
    async def page() -> HTMLResponse:
        return HTMLResponse("<h1>page</h1>")

    @app.get("/nicegui")
    async def of_nicegui(request: Request) -> HTMLResponse:
        return HTMLResponse(f'<script nonce="{nonce_of(request)}">1</script>')

    @app.get("/file")
    async def file() -> PlainTextResponse:
        return PlainTextResponse("file", headers={"Cache-Control": "public, max-age=60"})

    @app.get("/elsewhere")
    async def elsewhere() -> RedirectResponse:
        return RedirectResponse("/page", 303)

    @app.get("/api")
    async def api() -> JSONResponse:
        return JSONResponse({})

    @app.get("/broken")
    async def broken() -> None:
        raise KeyError("nobody has caught this")

    return app


@pytest.mark.parametrize(
    ("path", "status"), [("/page", 200), ("/nicegui", 200), ("/api", 200), ("/elsewhere", 303), ("/lost", 404)]
)
async def test_every_answer_says_what_all_say(app, path, status):
    answer = await request(app, "GET", path)
    assert answer.status == status
    assert {name: answer.headers[name] for name in ALWAYS} == ALWAYS
    assert answer.headers["cache-control"] == "no-store"
    assert directives(answer)["frame-ancestors"] == "'none'"
    permissions = answer.headers["permissions-policy"].split(", ")
    assert {"microphone=(self)", "camera=()", "geolocation=()", "display-capture=()"} <= set(permissions)
    assert {policy for policy in permissions if not policy.endswith("=()")} == {
        f"{name}=(self)" for name in ("autoplay", "clipboard-write", "microphone", "screen-wake-lock")
    }
    assert "strict-transport-security" not in answer.headers


async def test_an_error_that_nobody_has_caught_says_it_too(app):
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/broken",
        "raw_path": b"/broken",
        "query_string": b"",
        "headers": [],
    }
    with pytest.raises(KeyError):  # for the server to log
        await app({**scope, "http_version": "1.1", "scheme": "http", "root_path": ""}, receive, send)
    assert sent[0]["status"] == 500
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    assert {name: headers[name] for name in ALWAYS} == ALWAYS
    assert "default-src 'none'" in headers["content-security-policy"]


async def test_what_is_no_page_may_do_nothing(app):
    for path in ("/api", "/elsewhere", "/file"):
        assert directives(await request(app, "GET", path)) == {
            **{"default-src": "'none'", "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'"},
        }, path


async def test_a_plain_page_runs_our_own_files_and_nothing_else(app):
    said = directives(await request(app, "GET", "/page"))
    assert {name: said[name] for name in SEALED} == SEALED
    assert (said["script-src"], said["style-src"]) == ("'self'", "'self'")


async def test_niceguis_page_runs_what_it_brings_itself_by_a_nonce_that_is_new_each_time(app):
    answers = [await request(app, "GET", "/nicegui") for _ in range(2)]
    nonces = [re.search(r'nonce="([\w-]{24})"', answer.body.decode())[1] for answer in answers]
    assert nonces[0] != nonces[1]
    for answer, nonce in zip(answers, nonces, strict=True):
        said = directives(answer)
        assert {name: said[name] for name in SEALED} == SEALED
        assert said["script-src"] == f"'self' 'nonce-{nonce}' 'unsafe-eval'"
        assert said["style-src"].startswith(f"'self' 'nonce-{nonce}' 'sha256-")
        assert "unsafe-inline" not in answer.headers["content-security-policy"]


async def test_what_may_be_kept_says_so_itself(app):
    assert (await request(app, "GET", "/file")).headers["cache-control"] == "public, max-age=60"


@pytest.mark.parametrize(
    ("host", "sockets"),
    [
        ("livemon.test", "ws://livemon.test wss://livemon.test"),
        ("127.0.0.1:8080", "ws://127.0.0.1:8080 wss://127.0.0.1:8080"),
        ("[::1]:8080", "ws://[::1]:8080 wss://[::1]:8080"),
        ("evil; script-src *", ""),
        ("evil *", ""),
        ("a, b", ""),
        (b"\xff", ""),
        ("x\r\nSet-Cookie: a", ""),
    ],
)
async def test_a_page_connects_to_its_own_host_alone_whatever_that_is_said_to_be(app, host, sockets):
    said = directives(await request(app, "GET", "/page", {"host": host}))
    assert said["connect-src"] == f"'self' {sockets}".strip()
    assert said["script-src"] == "'self'"


async def test_behind_a_proxy_that_hides_the_host_a_page_connects_to_the_public_one():
    app = SecurityHeaders(HTMLResponse("page"), public_url="https://calls.example.com:8443/livemon")
    said = directives(await request(app, "GET", "/", {"host": "10.0.0.7"}))
    assert "wss://calls.example.com:8443" in said["connect-src"].split()


async def test_https_is_insisted_on_where_people_come_by_it():
    plain, public = (SecurityHeaders(HTMLResponse(""), public_url=url) for url in (None, "https://calls.example.com"))
    assert "strict-transport-security" not in (await request(plain, "GET", "/")).headers
    for answer in (await request(plain, "GET", "/", scheme="https"), await request(public, "GET", "/")):
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
    local = await request(plain, "GET", "/", {"host": "localhost:8443"}, scheme="https")
    assert "strict-transport-security" not in local.headers
    http = SecurityHeaders(HTMLResponse(""), public_url="http://calls.example.com")
    assert "strict-transport-security" not in (await request(http, "GET", "/")).headers


async def test_sockets_pass():
    async def accept(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})

    assert (await connect(SecurityHeaders(accept), "/feed/calls")).messages == [{"type": "websocket.accept"}]


@pytest.mark.parametrize("kind", ["text/html", "TEXT/HTML; charset=utf-8", " text/html ;x"])
def test_a_page_is_known_by_its_content_type(kind):
    assert "script-src 'self';" in policy_of(kind, None)


async def test_a_script_that_got_into_niceguis_page_by_a_value_has_no_nonce():
    give_nonces()
    give_nonces()
    pages = []

    async def render(scope, receive, send):
        evil = "<script>evil()</script><style>evil{}</style>"
        values = dict.fromkeys(("head_html", "body_html", "elements", "vue_scripts", "js_imports", "prefix"), evil)
        more = {"translations": {}, "js_imports_urls": [], "request": Request(scope)}
        pages.append(templates.env.get_template("index.html").render(**values, **more))
        await HTMLResponse(pages[0])(scope, receive, send)

    said = directives(await request(SecurityHeaders(render), "GET", "/"))
    nonce = re.search(r"'nonce-([\w-]+)'", said["script-src"])[1]
    scripts = re.findall(r"<script(?![^>]*\ssrc=)([^>]*)>(.{0,6})", pages[0], re.DOTALL)
    assert len([each for each in scripts if f'nonce="{nonce}"' in each[0]]) >= 4
    assert {attributes for attributes, text in scripts if text == "evil()"} == {""}
    assert all(f'nonce="{nonce}"' in attributes for attributes, text in scripts if text != "evil()")
    assert pages[0].count("<style>evil") == pages[0].count("<script>evil")
