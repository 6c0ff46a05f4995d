"""livemon's sign-in endpoints with real providers behind them, and browsers that go there and back."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from fastapi import FastAPI, Request

from livemon.access.guard import COOKIE, Guard, person_of
from livemon.access.oidc.provider import Provider
from livemon.access.sessions import Sessions
from livemon.api import invitations, joining, members, sign_in, single_sign_on
from livemon.api.errors import ApiError, answer_api_error
from livemon.store.audit.log import AuditLog
from livemon.store.store import Store
from tests.open_id import OpenId

ORIGIN = "http://livemon.test"


def application(
    store: Store, sessions: Sessions, audit: AuditLog, providers: dict[str, Provider], public_url: str | None = None
):
    app = FastAPI()
    app.add_middleware(Guard, sessions=sessions, public_url=public_url)
    app.add_exception_handler(ApiError, answer_api_error)
    parts = {"store": store, "sessions": sessions, "audit": audit, "providers": providers}
    host = SimpleNamespace(**parts, workspaces={}, public_url=public_url)
    app.include_router(sign_in.router(host))
    app.include_router(single_sign_on.router(host))
    app.include_router(members.router(host))
    app.include_router(invitations.router(host))
    app.include_router(joining.router(host))

    @app.get("/who")
    async def who(request: Request) -> str:
        person = person_of(request)
        assert person is not None
        return f"{person.name}, {person.role.value}"

    return app


@dataclass
class Browser:
    """Somebody's, which keeps its cookies. `async with`, as httpx's client."""

    client: httpx.AsyncClient
    slug: str = "own"

    async def leave(self, **query: str) -> httpx.Response:
        """A press on the button: the answer leads to the provider."""
        return await self.client.get(f"/sign-in/{self.slug}", params=query)

    async def sign_in(self, provider: OpenId, **query: str) -> httpx.Response:
        """There and back; gives the answer to the browser that came back."""
        left = await self.leave(**query)
        assert left.status_code == 303, left.text
        return await self.client.get(provider.authorize(left.headers["location"]))

    async def who(self) -> str | None:
        answer = await self.client.get("/who")
        return answer.json() if answer.status_code == 200 else None

    @property
    def session(self) -> str | None:
        return self.client.cookies.get(COOKIE)


def browser(app: Any, base: str = ORIGIN, slug: str = "own", address: str = "192.0.2.7", **headers: str) -> Browser:
    transport = httpx.ASGITransport(app, client=(address, 50_000))
    return Browser(httpx.AsyncClient(transport=transport, base_url=base, headers={"origin": base, **headers}), slug)


def problem(answer: httpx.Response) -> str | None:
    """What the sign-in page is going to say; None if somebody was signed in."""
    assert answer.status_code == 303, answer.text
    target = urlsplit(answer.headers["location"])
    return parse_qs(target.query)["problem"][0] if target.path == "/sign-in" else None
