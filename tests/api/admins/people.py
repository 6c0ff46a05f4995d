"""People of the tests' own who are signed in at `tests.api.sign_on.application`, and what is recorded of them."""

import json
from dataclasses import dataclass
from typing import Any

import httpx
from sqlmodel import col, select

from livemon.access import members
from livemon.access.guard import COOKIE
from livemon.access.links import make_link
from livemon.access.roles import Role
from livemon.access.sessions import session_id_of
from livemon.store.audit.log import AuditLog
from livemon.store.store import Store
from livemon.store.tables import AuditEntry
from tests.api.sign_on import browser
from tests.open_id import OpenId


@dataclass
class Member:
    """One who is signed in, with a browser that keeps its cookies."""

    client: httpx.AsyncClient
    user_id: str
    session_id: str

    async def post(self, path: str, body: Any = None) -> httpx.Response:
        return await self.client.post(path, json=body)

    async def all(self) -> dict[str, Any]:
        """What the Members page shows."""
        answer = await self.client.get("/members/all")
        assert answer.status_code == 200, answer.text
        return answer.json()


async def signed_in(app: Any, store: Store, name: str, role: Role = Role.ADMIN, workspace: str = "default") -> Member:
    client = browser(app, **{"user-agent": "Firefox"}).client
    token = await make_link(store, name=name, role=role, workspace=workspace)
    assert (await client.post("/sign-in/link", json={"token": token})).status_code == 200
    return Member(client, await members.find_or_create(store, name), session_id_of(client.cookies[COOKIE]))


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def recorded(audit: AuditLog, store: Store) -> list[tuple[str, str, str, str, dict[str, Any]]]:
    """Action, outcome, person, subject and detail of each entry but those of signing in by a link."""
    await audit.close()
    async with store.session() as session:
        found = (await session.exec(select(AuditEntry).order_by(col(AuditEntry.seq)))).all()
    facts = [(one.action, one.outcome, one.person, one.subject, json.loads(one.detail)) for one in found]
    return [fact for fact in facts if fact[0] != "begun" and fact[4] != {"by": "link"}]


async def invite(admin: Member, role: str = "developer", name: str = "New") -> str:
    """The token."""
    answer = await admin.post("/invitations", {"role": role, "name": name})
    assert answer.status_code == 200, answer.text
    return answer.json()["url"].partition("#token=")[2]


async def accept(client: httpx.AsyncClient, token: str, name: str = "Nina") -> httpx.Response:
    return await client.post("/join/accept", json={"token": token, "name": name})


async def join(client: httpx.AsyncClient, own: OpenId, token: str) -> httpx.Response:
    """With the provider, there and back; gives the answer to the browser that came back."""
    answer = await client.post("/join/with/own", json={"token": token})
    assert answer.status_code == 200, answer.text
    return await client.get(own.authorize(answer.json()["next"]))


async def who(client: httpx.AsyncClient) -> str | None:
    answer = await client.get("/who")
    return answer.json() if answer.status_code == 200 else None


async def rows(store: Store, table: Any) -> Any:
    async with store.session() as session:
        return (await session.exec(select(table))).all()
