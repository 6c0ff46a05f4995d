"""What a proxy says of a request (`X-Forwarded-…`): believed of the configured ones, and taken out of everybody else's.

uvicorn's own middleware believes the address and the scheme of the right ones alone, but leaves the headers where they
are, for others to read: NiceGUI and we take the path that a proxy has put before ours from `X-Forwarded-Prefix`.
"""

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

_FORWARDED = b"x-forwarded-"


class Forwarded:
    """ASGI middleware, outside everything else. `trusted`: addresses and networks with commas between, or `*`."""

    def __init__(self, app: ASGIApp, trusted: str) -> None:
        self._believing = ProxyHeadersMiddleware(app, trusted_hosts=trusted)  # pyright: ignore[reportArgumentType]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            client = scope.get("client")
            if (client[0] if client else None) not in self._believing.trusted_hosts:
                headers = [header for header in scope["headers"] if not header[0].startswith(_FORWARDED)]
                scope = {**scope, "headers": headers}
        await self._believing(scope, receive, send)  # pyright: ignore[reportArgumentType]
