"""What a proxy says of a request is believed if it is one of ours, and nobody else's is even seen."""

import pytest

from livemon.access.forwarded import Forwarded

SAID = {
    "x-forwarded-for": "203.0.113.9",
    "x-forwarded-proto": "https",
    "x-forwarded-prefix": "/calls",
    "x-forwarded-host": "evil.example",
}
HEADERS = [(name.encode(), value.encode()) for name, value in {"host": "livemon.test", **SAID}.items()]


async def seen(client, trusted, kind="http", headers=HEADERS):
    """The request as the application gets it."""
    scopes = []

    async def app(scope, _receive, _send):
        scopes.append(scope)

    scheme = {"http": "http", "websocket": "ws"}[kind]
    await Forwarded(app, trusted)({"type": kind, "client": client, "scheme": scheme, "headers": headers}, None, None)
    (scope,) = scopes
    return scope["client"], scope["scheme"], [name.decode() for name, _ in scope["headers"]]


@pytest.mark.parametrize(
    ("client", "trusted"),
    [
        (("127.0.0.1", 1), "127.0.0.1"),
        (("10.1.2.3", 1), "127.0.0.1, 10.0.0.0/8"),
        (("::1", 1), "::1"),
        (("192.0.2.1", 1), "*"),
    ],
)
async def test_one_of_ours_is_believed(client, trusted):
    assert await seen(client, trusted) == (("203.0.113.9", 0), "https", ["host", *SAID])
    assert (await seen(client, trusted, "websocket"))[1] == "wss"


@pytest.mark.parametrize(
    ("client", "trusted"),
    [
        (("192.0.2.1", 1), "127.0.0.1"),
        (("11.1.2.3", 1), "10.0.0.0/8"),
        (("127.0.0.1", 1), ""),
        (None, "127.0.0.1"),
    ],
)
async def test_of_anybody_else_nothing_is_seen(client, trusted):
    for kind, scheme in (("http", "http"), ("websocket", "ws")):
        assert await seen(client, trusted, kind) == (client, scheme, ["host"])


async def test_what_somebody_writes_before_the_proxy_is_not_their_address():
    """A proxy appends where the request came from."""
    headers = [(b"x-forwarded-for", b"127.0.0.1, 1.2.3.4"), (b"x-forwarded-for", b"203.0.113.9")]
    assert (await seen(("127.0.0.1", 1), "127.0.0.1", headers=headers))[0] == ("203.0.113.9", 0)
