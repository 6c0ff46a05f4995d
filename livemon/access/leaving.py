"""Sessions whose people want out while the store is away: over at once at this node, and in the store once it is back."""

import asyncio
from collections.abc import Iterable

import structlog
from sqlmodel import col, update

from livemon.store.errors import StoreError
from livemon.store.instants import Now, to_ms
from livemon.store.store import Store
from livemon.store.tables import Session

RETRY_S = 1.0
MOST = 10_000

_log = structlog.get_logger(__name__)


async def end_in(store: Store, session_ids: Iterable[str], *, at: int) -> None:
    """End those that run. Raises `StoreError`."""
    running = (col(Session.id).in_(list(session_ids)), col(Session.ended_at).is_(None))
    async with store.session() as session:
        await session.exec(update(Session).where(*running).values(ended_at=at, id_token=None))
        await session.commit()


class Leaving:
    """Those of one node. `run` has to be running for the store to learn of them."""

    def __init__(self, store: Store, now: Now) -> None:
        self._store, self._now = store, now
        self._left: dict[str, None] = {}
        self._any = asyncio.Event()

    def __contains__(self, session_id: str) -> bool:
        return session_id in self._left

    def add(self, session_id: str) -> None:
        """Let this one be over. What does not fit is said in the log, and ends by itself in time."""
        if len(self._left) >= MOST:
            _log.error("A session that somebody has left goes on in the database: too many wait for it.")
            return
        self._left[session_id] = None
        self._any.set()

    async def run(self) -> None:
        """Tell the store, as soon as it answers; for ever."""
        while True:
            await self._any.wait()
            several = list(self._left)[:100]
            try:
                await end_in(self._store, several, at=to_ms(self._now()))
            except StoreError as error:
                _log.warning("Sessions that people have left will be ended once the database answers.", why=str(error))
                await asyncio.sleep(RETRY_S)
                continue
            for session_id in several:
                del self._left[session_id]
            if not self._left:
                self._any.clear()
