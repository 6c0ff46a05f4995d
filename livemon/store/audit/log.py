"""The audit log as everything else of livemon uses it: `record` before an act, `note` for what came of it.

`record` raises if the entry cannot be written: the act is then not done. `note` never does, and never waits: for ending a
call and leaving one, and for outcomes. What it takes waits in memory until the store is back; `run` writes it.
"""

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import structlog
from sqlalchemy.exc import IntegrityError
from sqlmodel.ext.asyncio.session import AsyncSession

from livemon.metrics import AUDIT_LOST, AUDIT_WAITING
from livemon.store.errors import StoreError
from livemon.store.instants import Now, to_ms, utc_now
from livemon.store.store import Store

from . import ledger, witness
from .acts import Act, Action, Outcome
from .errors import KeyUnusable, NotRecorded
from .key import AuditKey, make_key, read_key
from .refusals import Refusals
from .retention import retain
from .witness import Witness
from .witness_keeper import WitnessKeeper

RECORD_TIMEOUT_S = 5.0
"""For one entry, the wait for others of this node included; SQLite's wait for another writer comes on top."""
RETRY_S = 1.0
MAX_WAITING = 10_000
AT_ONCE = 100
LOOK_S = 5.0
"""How often windows of refusals are looked at."""
RETAIN_S = 3_600.0
DRAIN_S = 10.0

_log = structlog.get_logger(__name__)


@dataclass(eq=False, slots=True)
class Noted:
    """An act, when it was done (ms), the one that it follows up; and the entry's number, once it is written."""

    act: Act
    at: int
    about: "Noted | None" = None
    seq: int | None = None
    told: bool = False


class AuditLog:
    """One node's hand on the log. `open` it once the store is open; `key_path` names the key's file."""

    def __init__(self, store: Store, key_path: Path, *, days: int = 365, now: Now = utc_now) -> None:
        """`days`: how long an entry is kept."""
        self._store, self._key_path, self._days, self._now = store, key_path, days, now
        self._key: AuditKey | None = None
        self._one_at_a_time = asyncio.Lock()  # in the database they would wait for each other all the same
        self._asked: list[Noted] = []
        self._waiting: deque[Noted] = deque()
        self._flushing = asyncio.Lock()
        self._any = asyncio.Event()
        self._refusals = Refusals()
        self._witness = WitnessKeeper(witness_path(key_path))

    @property
    def waiting(self) -> int:
        """How many entries wait to be written."""
        return len(self._waiting)

    async def open(self) -> None:
        """Read the key, or make one for a log that has none; its first entry says that it begins.

        Raises `KeyUnusable` if the log was sealed with another key, `StoreError`.
        """
        async with self._store.session() as session:
            end = await ledger.end_of(session)
        key = await asyncio.to_thread(read_key, self._key_path)
        if end is not None and end.seal:
            if key is None:
                raise KeyUnusable.missing(self._key_path)
            if key.id != end.key_id:
                raise KeyUnusable.other(self._key_path)
        self._key = key or await asyncio.to_thread(make_key, self._key_path)
        await self._witness.open(self._store, end)
        if end is not None and not end.seal:
            await self._begin(self._key)

    async def record(self, act: Act, about: Noted | None = None) -> Noted:
        """Write the entry before its act is done. Raises `NotRecorded`, a `StoreError`: then it must not be done."""
        noted = Noted(act, to_ms(self._now()), about)
        self._asked.append(noted)
        try:
            async with asyncio.timeout(RECORD_TIMEOUT_S), self._one_at_a_time:
                if noted.seq is None:  # whoever was before has not written it along
                    others = [one for one in self._asked if one.seq is None and one is not noted]
                    await self._write([noted, *others[:AT_ONCE]])
        except (StoreError, IntegrityError, TimeoutError) as error:
            _log.error("An act was refused: it could not be recorded.", **_facts(act), why=_why(error))
            raise NotRecorded(_why(error)) from error
        finally:
            self._asked.remove(noted)
        return noted

    async def add(self, session: AsyncSession, act: Act) -> None:
        """Write the entry within the transaction that does the act: both are there, or neither is.

        The transaction must have written something before, or have read nothing. Raises `NotRecorded`, `StoreError`.
        """
        try:
            await ledger.append(session, self._have_key(), act, at=to_ms(self._now()))
        except IntegrityError as error:
            raise NotRecorded(_why(error)) from error

    def note(self, act: Act, about: Noted | None = None) -> Noted:
        """Have the entry written as soon as can be, whatever happens to the act; in the order of the calls."""
        noted = Noted(act, to_ms(self._now()), about)
        if len(self._waiting) >= MAX_WAITING:
            AUDIT_LOST.inc()
            _log.error("An act will not be in the audit log: too many wait for the store.", **_facts(act))
            return noted
        self._waiting.append(noted)
        AUDIT_WAITING.set(len(self._waiting))
        self._any.set()
        return noted

    def refuse(self, act: Act) -> None:
        """Note that somebody may not; the same refusal, again and again, is counted and not repeated."""
        if (told := self._refusals.add(act, to_ms(self._now()))) is not None:
            self.note(told)

    async def run(self) -> None:
        """Write what is noted, keep the witness, and remove what is older than it may be; for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._write_on(), name="audit entries")
            tasks.create_task(self._count_on(), name="audit refusals")
            tasks.create_task(self._retain_on(), name="audit retention")
            tasks.create_task(self._witness.run(), name="audit witness")

    async def close(self) -> None:
        """Write what still waits, for as long as `DRAIN_S` at most; what is left is said in the server's log."""
        for act in self._refusals.due():
            self.note(act)
        with suppress(StoreError, IntegrityError, TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await self._flush()
        for noted in self._waiting:
            AUDIT_LOST.inc()
            _log.error("An act will not be in the audit log: livemon ends, the store is away.", **_facts(noted.act))
        await self._witness.keep()

    # --- writing

    def _have_key(self) -> AuditKey:
        if self._key is None:
            raise NotRecorded("the audit log is not open")
        return self._key

    async def _write(self, several: list[Noted]) -> None:
        """All of them or none, one after the other; `_one_at_a_time` is held. Raises `StoreError`, `IntegrityError`."""
        key = self._have_key()
        newest: Witness | None = None
        try:
            async with self._store.session(timeout=RECORD_TIMEOUT_S) as session:
                for noted in several:
                    about = noted.about.seq if noted.about else None
                    newest = await ledger.append(session, key, noted.act, at=noted.at, about=about)
                    noted.seq = newest.seq
                await session.commit()
        except BaseException:
            for noted in several:
                noted.seq = None
            raise
        if newest is not None:
            self._witness.saw(newest)

    async def _begin(self, key: AuditKey) -> None:
        """The first entry, unless another node has just written it."""
        async with self._store.session() as session:
            if not (await ledger.lock(session)).seal:
                act = Act(Action.BEGUN, Outcome.DONE)
                self._witness.saw(await ledger.append(session, key, act, at=to_ms(self._now())))
                await session.commit()

    async def _flush(self) -> None:
        async with self._flushing:
            while several := list(islice(self._waiting, AT_ONCE)):
                async with self._one_at_a_time:
                    await self._write(several)
                for _ in several:
                    self._waiting.popleft()
                AUDIT_WAITING.set(len(self._waiting))

    async def _write_on(self) -> None:
        while True:
            await self._any.wait()
            self._any.clear()
            try:
                await self._flush()
            except (StoreError, IntegrityError) as error:
                for noted in self._waiting:
                    if not noted.told:
                        noted.told = True
                        _log.error("An act waits to be recorded.", **_facts(noted.act), why=_why(error))
                await asyncio.sleep(RETRY_S)
                self._any.set()

    async def _count_on(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            for act in self._refusals.due(to_ms(self._now())):
                self.note(act)

    async def _retain_on(self) -> None:
        while True:
            try:
                await self.retain()
            except (StoreError, IntegrityError) as error:
                _log.warning("Old entries of the audit log could not be removed; tried again later.", why=_why(error))
            await asyncio.sleep(RETAIN_S)

    async def retain(self) -> int:
        """Remove the entries that are older than `days`, day by day; how many. Raises `StoreError`."""
        return await retain(self._store, self._have_key(), self._days, now=self._now)


def witness_path(key_path: Path) -> Path:
    """Where the node's own witness stands."""
    return key_path.with_name("audit.witness")


def read_witness(key_path: Path) -> Witness | None:
    """The node's own. Raises `ValueError`, `OSError`."""
    return witness.read(witness_path(key_path))


def _facts(act: Act) -> dict[str, str]:
    facts = {"by": act.person_id, "call_id": act.call_id, "subject": act.subject, "workspace": act.workspace}
    return {"action": act.action.value, "outcome": act.outcome.value, **{k: v for k, v in facts.items() if v}}


def _why(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {RECORD_TIMEOUT_S:g} s"
    if isinstance(error, IntegrityError):
        return f"the database does not take it ({error.orig}): run `livemon audit verify`"
    return error.why if isinstance(error, NotRecorded) else str(error)
