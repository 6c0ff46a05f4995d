"""Two livemons on one PostgreSQL and one Valkey, and people who have browsers, or nothing but their cookie, at either."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from livemon.access.guard import COOKIE
from livemon.access.roles import Role
from tests.conftest import free_port
from tests.livemon_process import LivemonProcess
from tests.node.test_postgres import share_key

GENEROUS_S = 60


@contextlib.contextmanager
def two_nodes(database_url: str, redis_url: str, folder: Path) -> Iterator[list[LivemonProcess]]:
    settings = {"LIVEMON_DATABASE_URL": database_url, "LIVEMON_REDIS_URL": redis_url}
    made = [LivemonProcess(free_port(), folder / name, settings) for name in ("one", "two")]
    share_key(*made)
    try:
        for node in made:
            node.begin()
        for node in made:
            node.await_words("Ctrl-C")
        yield made
    finally:
        for node in made:
            node.kill()


@dataclass
class Asker:
    """Somebody at one node without a page of livemon's: a cookie, and whatever they like to ask."""

    node: LivemonProcess
    cookie: str

    async def post(self, path: str, body: object = None) -> httpx.Response:
        headers = {"Origin": self.node.url, "Cookie": f"{COOKIE}={self.cookie}"}
        async with httpx.AsyncClient(base_url=self.node.url, headers=headers, timeout=GENEROUS_S) as client:
            return await client.post(path, json=body)

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(
            base_url=self.node.url, headers={"Cookie": f"{COOKIE}={self.cookie}"}, timeout=GENEROUS_S
        ) as client:
            return await client.get(path)

    def at(self, node: LivemonProcess) -> "Asker":
        """The same session at another node."""
        return Asker(node, self.cookie)

    async def gives(self, name: str, role: Role | None) -> None:
        """As an Admin: that role to somebody, or (None) none and no place here."""
        members = (await self.get("/members/all")).json()["members"]
        (user_id,) = [one["user_id"] for one in members if one["name"] == name]
        what = ("remove", None) if role is None else ("role", {"role": role.value})
        answer = await self.post(f"/members/{user_id}/{what[0]}", what[1])
        assert answer.status_code == 204, answer.text


async def asker(node: LivemonProcess, name: str, role: Role = Role.ADMIN) -> Asker:
    return Asker(node, await node.cookie(name, role))
