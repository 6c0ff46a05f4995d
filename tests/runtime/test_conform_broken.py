"""Runtimes that break one rule of the protocol each: the conformance command notices that one, and no other.

They run beside each other, each in a workspace of its own; those whose database is emptied have one of their own.
"""

import asyncio

import pytest
import redis as blocking

from livemon_runtime.conform.course import Wanted, examine
from livemon_runtime.conform.report import Report, Verdict
from livemon_runtime.conform.rules import SENTENCES
from tests.conftest import ValkeyProcess
from tests.runtime.broken_runtimes import CASES
from tests.runtime.conform_bot import (
    REFUSED,
    Bot,
)

AT_ONCE = 14
WITHIN_S = 200
"""How long one may take on a busy machine: far more than any does, and less than pytest waits for a test."""


NAMES = [f"{number}-{case.rule}" for number, case in enumerate(CASES)]


@pytest.fixture(scope="module")
def reports(request: pytest.FixtureRequest, valkey_server: ValkeyProcess) -> dict[str, Report]:
    """By name, what was found of each case that is to be tested."""
    blocking.Redis(port=valkey_server.port).flushall()
    params = [getattr(item, "callspec", None) for item in request.session.items if item.path == request.path]
    wanted = [spec.params["name"] for spec in params if spec and "name" in spec.params]
    return asyncio.run(_examine(valkey_server, wanted))


async def _examine(server: ValkeyProcess, names: list[str]) -> dict[str, Report]:
    """Those that empty a database come last: with it the server forgets everybody's scripts."""
    some = asyncio.Semaphore(AT_ONCE)
    found: dict[str, Report] = {}
    emptied = [name for name in names if ".emptied" in name.replace("-", ".")]
    for batch in ([name for name in names if name not in emptied], emptied):
        await asyncio.gather(*(_one(server, name, some, found) for name in batch))
    return found


async def _one(server: ValkeyProcess, name: str, some: asyncio.Semaphore, found: dict[str, Report]) -> None:
    number = NAMES.index(name)
    case = CASES[number]
    destructive = "emptied" in case.groups
    url = server.url.removesuffix("0") + str(len(CASES) - number if destructive else 0)
    wanted = Wanted(f"case-{number}", groups=case.groups, refused_user=REFUSED, destructive=destructive)
    async with some, asyncio.timeout(WITHIN_S), Bot(url, wanted.workspace, broken=case.broken).talking():
        found[name] = await examine(url, wanted, lambda _: None)


@pytest.mark.parametrize("name", NAMES)
def test_a_broken_rule_is_noticed_and_it_alone(name: str, reports: dict[str, Report]):
    report = reports[name]
    (rule,) = report.of(Verdict.BROKEN) or [""]
    assert rule == CASES[NAMES.index(name)].rule, report.table()
    assert SENTENCES[rule] in report.table()
    assert not report.good


def test_every_rule_has_a_runtime_that_breaks_it():
    assert {case.rule for case in CASES} == set(SENTENCES)
