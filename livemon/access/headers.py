"""What every answer tells the browser about itself: who may frame, read, run and keep it. Pure ASGI around everything else.

One table says it all (`policy_of` and `ALWAYS`). A page that is not on the list below may run nothing but livemon's own
script files, and what is no page may do nothing at all.
"""

import re
import secrets
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HSTS_S = 365 * 24 * 3600

_OFF = (
    *("accelerometer", "browsing-topics", "camera", "display-capture", "encrypted-media", "fullscreen"),
    *("geolocation", "gyroscope", "hid", "idle-detection", "local-fonts", "magnetometer", "midi", "payment"),
    *("picture-in-picture", "publickey-credentials-get", "serial", "usb", "xr-spatial-tracking"),
)
_OURS = ("autoplay", "clipboard-write", "microphone", "screen-wake-lock")

ALWAYS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # `no-referrer` would make the Origin of our own forms `null`, which the guard refuses
    "Permissions-Policy": ", ".join([*(f"{name}=(self)" for name in _OURS), *(f"{name}=()" for name in _OFF)]),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""On every answer."""

NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""For what is no page: should a browser ever show it as one, it is dead."""

_PAGE = {
    "default-src": "'self'",
    "script-src": "'self'",
    "style-src": "'self'",
    "connect-src": "'self'",
    "img-src": "'self'",
    "media-src": "'self' blob:",
    "object-src": "'none'",
    "frame-src": "'none'",
    "worker-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}

_EVALUATES = "'unsafe-eval'"
"""NiceGUI's page is built on it: `run_javascript` and `run_method`, handlers in JavaScript and the props of elements arrive
over its socket and go through `eval`, and Vue compiles the components' templates in the browser by `new Function`. Measured
with NiceGUI 3.18: without it nothing is drawn at all. It lets no script in; that is what the nonce is for."""


_EMPTY = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
"""A style of no characters, which NiceGUI writes into its page where there are none of its components to be styled."""


class Nonce:
    """The secret by which the answer to one request knows its own inline scripts; made when it is first asked for."""

    def __init__(self) -> None:
        self.value: str | None = None

    def __str__(self) -> str:
        if self.value is None:
            self.value = secrets.token_urlsafe(18)
        return self.value


def nonce_of(connection: HTTPConnection) -> str:
    """For the `nonce` of an inline script or style of the page that answers this request."""
    return str(connection.scope["state"]["nonce"])


def policy_of(kind: str, nonce: str | None, hosts: Iterable[str] = ()) -> str:
    """The Content-Security-Policy for an answer of this content type.

    `nonce` is that of a page of NiceGUI's; `hosts` are the names under which the page's sockets may be reached: some
    browsers do not count `ws:` as «self».
    """
    if kind.partition(";")[0].strip().lower() != "text/html":
        return NOTHING
    page = dict(_PAGE)
    page["connect-src"] = " ".join(["'self'", *(f"{scheme}://{host}" for host in hosts for scheme in ("ws", "wss"))])
    if nonce is not None:
        page["script-src"] = f"'self' 'nonce-{nonce}' {_EVALUATES}"
        page["style-src"] = f"'self' 'nonce-{nonce}' {_EMPTY}"
    return "; ".join(f"{name} {value}" for name, value in page.items())


class SecurityHeaders:
    """ASGI middleware, to stand outside of everything that answers, the handling of errors included.

    `public_url` is the address that people open, if it is known.
    """

    def __init__(self, app: ASGIApp, *, public_url: str | None = None) -> None:
        self._app = app
        self._public = urlsplit(public_url) if public_url else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        nonce = Nonce()
        scope = {**scope, "state": {**scope.get("state", {}), "nonce": nonce}}

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": list(message.get("headers", []))}
                self._add(MutableHeaders(scope=message), HTTPConnection(scope), nonce)
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _add(self, headers: MutableHeaders, connection: HTTPConnection, nonce: Nonce) -> None:
        headers.update(ALWAYS)
        headers["Content-Security-Policy"] = policy_of(
            headers.get("content-type", ""), nonce.value, self._hosts(connection)
        )
        headers.setdefault("Cache-Control", "no-store")  # files say for themselves how long they may be kept
        if self._comes_by_https(connection):
            headers["Strict-Transport-Security"] = f"max-age={HSTS_S}"

    def _comes_by_https(self, connection: HTTPConnection) -> bool:
        """`localhost` is left out: it would be everything else's that runs there, on every port."""
        by_https = "https" in (connection.scope.get("scheme"), self._public.scheme if self._public else "")
        return by_https and not re.match(r"localhost(:|$)", connection.headers.get("host", ""), re.I)

    def _hosts(self, connection: HTTPConnection) -> list[str]:
        """As they may stand in a header: whatever else a client sends as its Host is left out."""
        named = [connection.headers.get("host", ""), self._public.netloc if self._public else ""]
        return [
            host
            for host in dict.fromkeys(named)
            if re.fullmatch(r"[\w.-]+(:\d+)?|\[[\da-f:.]+\](:\d+)?", host, re.A | re.I)
        ]
