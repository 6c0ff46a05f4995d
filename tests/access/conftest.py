"""An open store, a clock to be turned forward, and people who are signed in."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from livemon.access import members
from livemon.access.administration import Administration
from livemon.access.api_keys import NewKey, WantedKey, make_key
from livemon.access.roles import Role
from livemon.access.sessions import POLL_S, Sessions
from livemon.store.audit.log import AuditLog
from livemon.store.store import Store


class Clock:
    """Stands still until it is turned forward."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, **by: float) -> None:
        self.moment += timedelta(**by)


SignIn = Callable[..., Awaitable[str]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    store = Store(database_url)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def other_store(store: Store, database_url: str) -> AsyncIterator[Store]:
    """The same database, as another node or the command line has it open."""
    other = Store(database_url)
    await other.open()
    yield other
    await other.close()


@pytest.fixture
async def audit(store: Store, tmp_path: Path) -> AuditLog:
    """The store's log, open."""
    log = AuditLog(store, tmp_path / "audit.key")
    await log.open()
    return log


@pytest.fixture
def poll_s() -> float:
    """How often the store is looked at; a test that measures nothing asks for more by parametrize."""
    return POLL_S


@pytest.fixture
def sessions(store: Store, clock: Clock, poll_s: float) -> Sessions:
    return Sessions(store, now=clock, poll_s=poll_s)


@pytest.fixture
def sign_in(store: Store, sessions: Sessions) -> SignIn:
    """Sign somebody in, as an Admin called Ada unless said otherwise; gives the cookie."""

    async def sign_in(name: str = "Ada", role: Role | None = Role.ADMIN) -> str:
        user_id = await members.find_or_create(store, name, email=f"{name.lower()}@example.org")
        if role is not None:
            await members.set_role(store, user_id, "default", role)
        return await sessions.open(user_id, "default", device="Firefox", address="192.0.2.7")

    return sign_in


MakeKey = Callable[..., Awaitable[NewKey]]


@pytest.fixture
def make(store: Store, sessions: Sessions, sign_in: SignIn, audit: AuditLog, clock: Clock) -> MakeKey:
    """Have Ada, an Admin, make an API key."""

    async def make(name: str = "Wallboard", rights: tuple[str, ...] = ("watch", "end"), days: int = 30) -> NewKey:
        ada = await sessions.find(await sign_in())
        assert ada is not None
        return await make_key(Administration(store, audit, ada, "", clock), WantedKey(name, rights, days))

    return make
