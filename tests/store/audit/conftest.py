"""A log in a file of its own, a clock to be turned forward, and somebody with the database's file in hand."""

import sqlite3
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from livemon.store.audit import verification
from livemon.store.audit.acts import Act, Action, Outcome
from livemon.store.audit.examination import Kind, Report
from livemon.store.audit.key import read_key
from livemon.store.audit.log import AuditLog, read_witness
from livemon.store.audit.witness import Witness
from livemon.store.store import Store


class Clock:
    """Stands still until it is turned forward."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, **by: float) -> None:
        self.moment += timedelta(**by)


Tamper = Callable[..., None]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "livemon.db"


@pytest.fixture
def url(file: Path) -> str:
    """SQLite, whose file can be had in hand; what each database does for itself is in `test_databases`."""
    return f"sqlite+aiosqlite:///{file}"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def key_path(file: Path) -> Path:
    return file.parent / "audit.key"


@pytest.fixture
async def log(store: Store, key_path: Path, clock: Clock) -> AuditLog:
    """Open; its first entry, number 1, says that it begins. Kept for 30 days."""
    log = AuditLog(store, key_path, days=30, now=clock)
    await log.open()
    return log


@pytest.fixture
async def other_log(url: str, log: AuditLog, key_path: Path, clock: Clock) -> AsyncIterator[AuditLog]:
    """The same log, as another node has it open."""
    store = Store(url)
    await store.open()
    other = AuditLog(store, key_path, days=30, now=clock)
    await other.open()
    yield other
    await store.close()


@pytest.fixture
def tamper(file: Path) -> Tamper:
    """Run statements on the file as somebody does who means it: the guards against slips are dropped before."""

    def tamper(*statements: str) -> None:
        with sqlite3.connect(file) as connection:
            triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
            for (name,) in triggers:
                connection.execute(f"DROP TRIGGER {name}")
            for statement in statements:
                connection.execute(statement)
        connection.close()

    return tamper


def listening(n: int, outcome: Outcome = Outcome.ASKED) -> Act:
    return Act(Action.LISTEN, outcome, "default", "u1", "Ada", call_id=f"call-{n}", address="192.0.2.7")


async def fill(log: AuditLog, count: int) -> None:
    """So many entries, from number 2 on."""
    for n in range(count):
        await log.record(listening(n))


async def examine(store: Store, key_path: Path, *witnesses: Witness) -> Report:
    """As `livemon audit verify` does."""
    own = read_witness(key_path)
    return await verification.verify(store, read_key(key_path), [*witnesses, *([own] if own else [])])


def found(report: Report) -> list[tuple[Kind, int, int]]:
    return [(problem.kind, problem.first, problem.last) for problem in report.problems]
