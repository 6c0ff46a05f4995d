"""A browser's side of ASGI, in full view: one request or one socket, its raw answer."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Answer:
    """What the application sent, in order."""

    messages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def status(self) -> int:
        return self.messages[0]["status"]

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages)

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.messages[0]["headers"]}

    @property
    def kinds(self) -> list[str]:
        return [message["type"] for message in self.messages]

    @property
    def close_code(self) -> int:
        return self.messages[-1]["code"]


def headers_of(pairs: dict[str, str | bytes | list]) -> list[tuple[bytes, bytes]]:
    """A list as value is a header sent several times."""
    found = []
    for name, values in pairs.items():
        for value in values if isinstance(values, list) else [values]:
            found.append((name.encode(), value.encode("latin-1") if isinstance(value, str) else value))
    return found


async def request(app, method: str, path: str, headers: dict | None = None, **scope: Any) -> Answer:
    """One http request without a body."""
    return await _send(app, {"type": "http", "method": method, **_scope(path, headers), **scope}, "http.request")


async def connect(app, path: str, headers: dict | None = None, **scope: Any) -> Answer:
    """One WebSocket, whose browser leaves once it is connected."""
    more = {"type": "websocket", "scheme": "ws", "subprotocols": [], **_scope(path, headers), **scope}
    return await _send(app, more, "websocket.connect")


def _scope(target: str, headers: dict | None) -> dict[str, Any]:
    raw, _, query = target.partition("?")
    return {
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "http",
        "path": raw,
        "raw_path": raw.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "client": ("192.0.2.7", 50_000),
        "server": ("livemon.test", 80),
        "state": {"of": "the server"},
        "headers": headers_of({"host": "livemon.test", **(headers or {})}),
    }


async def _send(app, scope: dict[str, Any], first: str) -> Answer:
    answer = Answer()
    left = iter([{"type": first, "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        return next(left, {"type": f"{scope['type']}.disconnect", "code": 1001})

    async def send(message: dict[str, Any]) -> None:
        answer.messages.append(message)

    await app(scope, receive, send)
    return answer
