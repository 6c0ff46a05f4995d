"""Every kind of somebody at the door of one livemon with two workspaces, `default` and `beside`, each with a fresh way in.

People of `default` are called «Insider» and what they look after «Undercover»; of `beside` everything is «Neighbouring». None
of it may ever be read on the other side, and nothing «Undercover» by who is refused.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

import httpx
from redis.asyncio import Redis
from sqlmodel import col, delete, update
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from livemon.access import members
from livemon.access.administration import Administration
from livemon.access.api_keys import WantedKey, make_key
from livemon.access.guard import COOKIE
from livemon.access.invitations import invite
from livemon.access.roles import CALL_RIGHTS, RIGHTS, Role
from livemon.access.sessions import Sessions, session_id_of
from livemon.access.workspaces import add_workspace
from livemon.store.audit.log import AuditLog
from livemon.store.instants import utc_now
from livemon.store.store import Store
from livemon.store.tables import ApiKey, SignInFailures
from livemon_runtime.keys import Keys
from tests.calls.live_part import RawRuntime
from tests.livemon_process import LivemonProcess
from tests.media.offers import offer, section

CALL, NEIGHBOURS_CALL = "undercover-call", "neighbouring-call"
ANSWER_WITHIN_S = 60


class Kind(StrEnum):
    """Who somebody is. Those after the first six have to be answered as one of these (`LIKE`)."""

    NOBODY = "nobody"
    MEMBER = "member"
    DEVELOPER = "developer"
    ADMIN = "admin"
    NEIGHBOUR = "developer of the other workspace"
    NEIGHBOURS_ADMIN = "admin of the other workspace"
    FORGER = "a cookie that nobody was given"
    ENDED = "session that was ended"
    EXPIRED = "session that is too old"
    IDLE = "session that nobody used for long"
    REMOVED = "session of somebody who was removed"
    DEMOTED = "session of a developer who is a member now"
    KEY = "API key with every right on calls"
    NEIGHBOURS_KEY = "API key of the other workspace"
    EXPIRED_KEY = "API key that is too old"
    REVOKED_KEY = "API key that was revoked"
    WRONG_KEY = "API key that nobody was given"


LIKE = {
    Kind.FORGER: Kind.NOBODY,
    Kind.ENDED: Kind.NOBODY,
    Kind.EXPIRED: Kind.NOBODY,
    Kind.IDLE: Kind.NOBODY,
    Kind.REMOVED: Kind.NOBODY,
    Kind.DEMOTED: Kind.MEMBER,
    Kind.EXPIRED_KEY: Kind.NOBODY,
    Kind.REVOKED_KEY: Kind.NOBODY,
    Kind.WRONG_KEY: Kind.NOBODY,
}
OF_BESIDE = (Kind.NEIGHBOUR, Kind.NEIGHBOURS_ADMIN, Kind.NEIGHBOURS_KEY)
KEYS = (Kind.KEY, Kind.NEIGHBOURS_KEY, Kind.EXPIRED_KEY, Kind.REVOKED_KEY, Kind.WRONG_KEY)
_ROLES = {
    Kind.MEMBER: Role.MEMBER,
    Kind.DEVELOPER: Role.DEVELOPER,
    Kind.ADMIN: Role.ADMIN,
    Kind.NEIGHBOUR: Role.DEVELOPER,
    Kind.NEIGHBOURS_ADMIN: Role.ADMIN,
}
_AGES = {Kind.EXPIRED: timedelta(days=8), Kind.IDLE: timedelta(hours=13)}


@dataclass
class Answer:
    """What came back: an HTTP status, a WebSocket's close code, or 0 for one that opened and spoke; and the words."""

    code: int
    text: str = ""


@dataclass
class Everybody:
    """One running livemon, and what its operator has at hand."""

    process: LivemonProcess
    store: Store
    sessions: Sessions
    audit: AuditLog

    # --- ways in

    async def user(self, kind: Kind, name: str = "Insider") -> str:
        """Somebody new, a Developer unless the kind says otherwise; gives the id."""
        name, workspace = ("Neighbouring", "beside") if kind in OF_BESIDE else (name, "default")
        user_id = await members.find_or_create(self.store, f"{name} {secrets.token_hex(4)}")
        await members.set_role(self.store, user_id, workspace, _ROLES.get(kind, Role.DEVELOPER))
        return user_id

    async def headers(self, kind: Kind) -> dict[str, str]:
        """What such a one sends along; every time by a session or key of its own."""
        if kind is Kind.NOBODY:
            return {}
        if kind is Kind.FORGER:
            return {"cookie": f"{COOKIE}={secrets.token_urlsafe(32)}"}
        if kind in KEYS:
            return {"authorization": f"Bearer {await self._key(kind)}"}
        return {"cookie": f"{COOKIE}={await self._cookie(kind)}"}

    async def _cookie(self, kind: Kind, name: str = "Insider") -> str:
        user_id = await self.user(kind, name)
        workspace = "beside" if kind in OF_BESIDE else "default"
        age = _AGES.get(kind, timedelta())
        opening = Sessions(self.store, now=lambda: utc_now() - age)
        cookie = await opening.open(user_id, workspace, device="Firefox", address="192.0.2.7")
        if kind is Kind.ENDED:
            await self.sessions.end(session_id_of(cookie))
        elif kind is Kind.REMOVED:
            await members.remove(self.store, user_id, workspace)
        elif kind is Kind.DEMOTED:
            await members.set_role(self.store, user_id, workspace, Role.MEMBER)
        return cookie

    async def _key(self, kind: Kind) -> str:
        if kind is Kind.WRONG_KEY:
            return f"lmk_{secrets.token_hex(8)}_{secrets.token_urlsafe(32)}"
        admin = await self.admin(Kind.NEIGHBOURS_ADMIN if kind is Kind.NEIGHBOURS_KEY else Kind.ADMIN)
        wanted = WantedKey("robot", [right.value for right in CALL_RIGHTS], 1)
        made = await make_key(admin, wanted)
        over = {Kind.EXPIRED_KEY: {"expires_at": 1}, Kind.REVOKED_KEY: {"revoked_at": 1}}.get(kind)
        if over:
            async with self.store.session() as session:
                await session.exec(update(ApiKey).where(col(ApiKey.id) == made.id).values(**over))
                await session.commit()
        return made.key

    async def admin(self, kind: Kind) -> Administration:
        """A signed-in Admin of the one workspace or the other, to make things with."""
        person = await self.sessions.find(await self._cookie(kind))
        assert person is not None
        assert person.rights == RIGHTS[Role.ADMIN]
        return Administration(self.store, self.audit, person, "192.0.2.7")

    # --- what there is in `default`, fresh for every request

    async def named(self, parameter: str) -> str:
        """A real id for a route's parameter."""
        if parameter == "call_id":
            return CALL
        if parameter == "user_id":
            return await self.user(Kind.DEVELOPER, "Undercover")
        if parameter == "session_id":
            return session_id_of(await self._cookie(Kind.DEVELOPER, "Undercover"))
        if parameter == "invitation_id":
            return (await invite(await self.admin(Kind.ADMIN), Role.MEMBER, "Undercover guest"))[0]
        if parameter == "key_id":
            return (await self._key(Kind.KEY)).split("_")[1]
        return "x"

    # --- asking

    async def ask(self, method: str, path: str, headers: dict[str, str], body: Any, origin: str | None) -> Answer:
        """One request as a browser sends it; `origin`: another site's, None for our own."""
        await self._forget_failures()
        sent = {**headers, "origin": origin or self.process.url}
        if method == "GET" and origin is None:
            del sent["origin"]
        async with httpx.AsyncClient(base_url=self.process.url, timeout=ANSWER_WITHIN_S) as client:
            answer = await client.request(method, path, headers=sent, json=body if method == "POST" else None)
        return Answer(answer.status_code, answer.text)

    async def open(self, path: str, headers: dict[str, str], origin: str | None, body: Any = None) -> Answer:
        """One socket: what it says first, or why it is closed; or, if it is told `body` first, why it is closed then."""
        await self._forget_failures()
        url = self.process.url.replace("http", "ws", 1) + path
        try:
            async with connect(
                url,
                origin=origin or self.process.url,
                additional_headers=headers,
                max_size=None,
                open_timeout=ANSWER_WITHIN_S,
            ) as socket:
                if body is not None:
                    await socket.send(json.dumps(body))
                    await socket.recv()
                first = await socket.recv()
                return Answer(0, first if isinstance(first, str) else first.decode())
        except ConnectionClosed as closed:
            return Answer(closed.rcvd.code if closed.rcvd else 1006, closed.rcvd.reason if closed.rcvd else "")
        except InvalidStatus as refused:
            return Answer(refused.response.status_code)

    async def _forget_failures(self) -> None:
        """Whoever asks, it is from this one address, which must not be shut out for the forgers and strangers here."""
        async with self.store.session() as session:
            await session.exec(delete(SignInFailures))
            await session.commit()


async def until_followed(people: Everybody) -> None:
    """Until the node knows both calls, also that of the workspace which was only just made."""
    for kind, call_id in ((Kind.ADMIN, CALL), (Kind.NEIGHBOURS_ADMIN, NEIGHBOURS_CALL)):
        headers = await people.headers(kind)
        async with asyncio.timeout(60):
            while (answer := await people.open(f"/feed/calls/{call_id}", headers, None)).code != 0:
                assert answer.code in (1013, 4404), answer


@asynccontextmanager
async def everybody(process: LivemonProcess, redis_url: str) -> AsyncIterator[Everybody]:
    """The people of a livemon that runs on that Redis, with a call in each of two workspaces."""
    store = Store(process.database_url)
    await store.open()
    if "beside" not in await store.workspaces():
        await add_workspace(store, "beside", name="Neighbouring place")
    audit = AuditLog(store, process.folder / "data" / "audit.key")
    await audit.open()
    redis = Redis.from_url(redis_url)
    here = RawRuntime(redis, Keys("default"), "rt-here")
    there = RawRuntime(redis, Keys("beside"), "rt-there")
    for runtime, name, call_id in ((here, "Undercover", CALL), (there, "Neighbouring", NEIGHBOURS_CALL)):
        await runtime.alive()
        await runtime.announce(call_id, agent_name=f"{name} agent", capabilities=[])
        await runtime.append(call_id, 1, id="t1", role="agent", content=f"{name} words", time_ms=1)
    people = Everybody(process, store, Sessions(store), audit)
    await until_followed(people)
    yield people
    await redis.aclose()
    await store.close()


LISTEN = {"sdp": offer(section("0", "recvonly"), section("1", "recvonly"))}
JOIN = {"type": "join", "access_token": "lmt_default.x", **LISTEN}
TALK = {"sdp": offer(section("0", "sendrecv"))}


def secrets_of_others(kind: Kind) -> tuple[str, ...]:
    """The words that such a one must never read."""
    return ("Undercover", "Insider") if kind in OF_BESIDE else ("Neighbouring",)


def names_in(template: str) -> list[str]:
    """The parameters of a route's path."""
    return [part.strip("{}").partition(":")[0] for part in template.split("/") if part.startswith("{")]


def known(found: dict[str, Any]) -> list[str]:
    """What the table is to name: `POST /path`, `SOCKET /path`, `MOUNT /path`, whatever NiceGUI's version."""
    heads = {"websocket": ["SOCKET"], "mount": ["MOUNT"]}
    methods = heads.get(found["kind"]) or [one for one in found["methods"] if one != "HEAD"]
    if not methods:
        methods = ["ANY" if found["kind"] == "http" else found["kind"]]  # it answers to whatever method
    return [f"{method} {found['template']}" for method in methods]
