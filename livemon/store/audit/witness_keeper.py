"""Keeps a node's own witness: the newest entry that it has written, in a file beside the key.

A witness that the log contradicts is never overwritten, so that `livemon audit verify` goes on finding it.
"""

import asyncio
from pathlib import Path

import structlog
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from livemon.store.store import Store
from livemon.store.tables import AuditCheckpoint, AuditEntry

from . import witness
from .ledger import End
from .witness import Witness

EVERY_S = 1.0

_log = structlog.get_logger(__name__)


class WitnessKeeper:
    """`saw` what is committed; `run` writes the newest of it to the file, no more than once a second."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._newest: Witness | None = None
        self._kept: Witness | None = None
        self._holds = True
        self._any = asyncio.Event()

    async def open(self, store: Store, end: End | None) -> None:
        """See whether the log still has what the file says that it had. Raises `StoreError`."""
        try:
            known = await asyncio.to_thread(witness.read, self._path)
        except (ValueError, OSError) as error:
            _log.error(
                "The audit log's witness cannot be read, and is left alone.", why=str(error), path=str(self._path)
            )
            self._holds = False
            return
        async with store.session() as session:
            self._holds = known is None or await _stands(session, known, end)
        if not self._holds:
            _log.error(
                "The audit log is not the one that this node has written: run `livemon audit verify`. If another database "
                "was put in place on purpose, remove the witness.",
                witness=str(self._path),
            )

    def saw(self, newest: Witness) -> None:
        if self._newest is None or newest.seq > self._newest.seq:
            self._newest = newest
            self._any.set()

    async def run(self) -> None:
        while True:
            await self._any.wait()
            self._any.clear()
            await self.keep()
            await asyncio.sleep(EVERY_S)

    async def keep(self) -> None:
        """Write the newest to the file, if there is anything new."""
        newest = self._newest
        if not self._holds or newest is None or newest == self._kept:
            return
        try:
            await asyncio.to_thread(witness.write, self._path, newest)
        except OSError as error:
            _log.warning("The audit log's witness could not be written.", why=str(error), path=str(self._path))
            return
        self._kept = newest


async def _stands(session: AsyncSession, known: Witness, end: End | None) -> bool:
    if end is None or known.seq > end.seq:
        return False
    entry = select(AuditEntry.hash).where(col(AuditEntry.seq) == known.seq)
    found = (await session.exec(entry)).first()
    if found is not None:
        return found == known.hash
    gone = select(AuditCheckpoint.id).where(col(AuditCheckpoint.gone) >= known.seq).limit(1)
    return (await session.exec(gone)).first() is not None
