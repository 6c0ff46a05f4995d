"""One livemon node: everything that lives as long as the server's process, and who owns it.

It holds no truth; any node may die. What it does not know: HTTP, screens, and who is signed in where.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from livemon.access.errors import UnknownWorkspace
from livemon.access.oidc.errors import ProviderAway
from livemon.access.pacing import Pace, Pacing
from livemon.access.sessions import Sessions
from livemon.embedded_valkey import EmbeddedValkey
from livemon.finding import Grade
from livemon.redis_check import check_redis
from livemon.redis_client import connect
from livemon.settings import Settings
from livemon.store.audit.log import AuditLog
from livemon.store.store import Store
from livemon.supervision import keep_running
from livemon.workspace import Workspace
from livemon.workspaces import Workspaces

if TYPE_CHECKING:
    from livemon.access.oidc.provider import Provider

CHECK_AGAIN_S = 5.0

_log = structlog.get_logger("livemon")


class Node:
    """Made without I/O; `running()` starts it. The workspaces are there from then on."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.node_id = f"node-{secrets.token_hex(6)}"
        self.store = Store(settings.database)
        self.audit = AuditLog(self.store, settings.audit_key, days=settings.audit_days)
        self.sessions = Sessions(self.store, rights=settings.rights)
        self.providers = _providers(settings)
        self.pacing = Pacing(lambda: self.redis, {Pace.READ: settings.api_reads, Pace.ACT: settings.api_acts})
        self._workspaces = Workspaces(self.store, self._workspace)
        self._valkey = (
            None if settings.redis_url else EmbeddedValkey(settings.data_dir / "valkey", settings.valkey_port)
        )
        self._redis: Redis | None = None

    @property
    def public_url(self) -> str | None:
        return self.settings.public_url

    @property
    def redis_url(self) -> str:
        """Where runtimes on this machine find Redis; it may hold a password."""
        return self._valkey.url if self._valkey else self.settings.redis_url or ""

    @property
    def embeds_redis(self) -> bool:
        """Whether it is a Valkey of this process's own."""
        return self._valkey is not None

    @property
    def workspaces(self) -> Mapping[str, Workspace]:
        """By slug; one that is made while the node runs is here within seconds."""
        return self._workspaces.live

    @property
    def redis(self) -> Redis:
        assert self._redis is not None, "the node does not run"
        return self._redis

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Start everything, and end it in the reverse order. Raises `ValkeyError`, `StoreError` or `UnknownWorkspace`."""
        async with AsyncExitStack() as stack:
            if self._valkey:
                stack.push_async_callback(self._valkey.stop)
                await self._valkey.start()
            stack.push_async_callback(self.store.close)
            await self.store.open()
            await self._check_providers()
            await self.audit.open()
            stack.push_async_callback(self.audit.close)  # when everything has ended that may still have had to say
            self._redis = connect(self.redis_url)
            stack.push_async_callback(self._redis.aclose)
            await self._workspaces.open()
            await stack.enter_async_context(self._tasks())
            yield

    @asynccontextmanager
    async def _tasks(self) -> AsyncGenerator[None]:
        """Run what goes on by itself. None of it can end: what fails is logged, and started again."""
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(keep_running(name, run), name=name) for name, run in self._parts().items()]
            running.append(tasks.create_task(self._warn_of_redis(), name="redis check"))
            running.append(tasks.create_task(self._warn_of_providers(), name="providers check"))
            try:
                yield
            finally:
                for task in running:
                    task.cancel()

    def _parts(self) -> dict[str, Callable[[], Awaitable[None]]]:
        parts: dict[str, Callable[[], Awaitable[None]]] = {
            "sessions": self.sessions.run,
            "audit": self.audit.run,
            "workspaces": self._workspaces.run,
        }
        if self._valkey:
            parts["valkey"] = self._valkey.run
        return parts

    def _workspace(self, slug: str) -> Workspace:
        return Workspace(slug, self.redis, self.node_id, grace_ms=self.settings.takeover_grace * 1000)

    async def _check_providers(self) -> None:
        """That people of every provider have somewhere to come in. Raises `UnknownWorkspace`, `StoreError`."""
        known = await self.store.workspaces()
        for provider in self.providers.values():
            if provider.settings.workspace not in known:
                setting = f"LIVEMON_OIDC__{provider.slug.upper()}__WORKSPACE"
                raise UnknownWorkspace(provider.settings.workspace, setting)

    async def _warn_of_providers(self) -> None:
        """Meet each once, so that the log tells of a wrong setting before somebody wants to sign in."""
        for provider in self.providers.values():
            try:
                await provider.metadata()
            except ProviderAway as error:
                _log.warning("An identity provider cannot be used yet.", provider=provider.slug, why=str(error))

    async def _warn_of_redis(self) -> None:
        """Say once what is wrong with a Redis that is not ours, as soon as it answers."""
        waits = False
        while not self._valkey:
            try:
                findings = await check_redis(self.redis)
            except (RedisError, OSError) as error:
                if not waits:
                    _log.warning("Redis does not answer; the page says so until it does.", error=str(error))
                waits = True
                await asyncio.sleep(CHECK_AGAIN_S)
                continue
            for finding in findings:
                if finding.grade is not Grade.OK:
                    _log.warning(f"{finding.what}. {finding.advice}")
            return


def _providers(settings: Settings) -> "Mapping[str, Provider]":
    if not settings.oidc:
        return {}
    from livemon.access.oidc.provider import Provider  # a tenth of a second, for those who have one

    return {slug: Provider(slug, each) for slug, each in settings.oidc.items()}
