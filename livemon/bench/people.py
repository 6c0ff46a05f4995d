"""People who are signed in to a benchmark's livemon: one may listen in a few tabs only, and many are to listen."""

from pathlib import Path

import httpx

from livemon.access.links import make_link
from livemon.bench.process import Server
from livemon.settings import Settings
from livemon.store.store import Store


async def sign_in(server: Server, folder: Path, count: int) -> list[str]:
    """Make `count` Admins of the livemon whose data folder it is; returns their cookies."""
    store = Store(Settings(data_dir=folder, database_url=None).database)
    await store.open()
    try:
        tokens = [await make_link(store, name=f"Listener {n}") for n in range(count)]
    finally:
        await store.close()
    return [await _cookie(server, token) for token in tokens]


async def _cookie(server: Server, token: str) -> str:
    async with httpx.AsyncClient(base_url=server.url, headers={"Origin": server.url}, timeout=60) as client:
        (await client.post("/sign-in/link", json={"token": token})).raise_for_status()
        return "; ".join(f"{name}={value}" for name, value in client.cookies.items())
