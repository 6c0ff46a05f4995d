"""The conformance command against runtimes that keep the protocol: the SDK, and what people see of it."""

import asyncio
import json
import re
import sys
from pathlib import Path

import pytest
import redis.asyncio

from livemon_runtime import Codec
from livemon_runtime.conform.report import Report, Verdict
from livemon_runtime.conform.rules import GROUPS, SENTENCES
from tests.conftest import ValkeyProcess
from tests.runtime.conform_bot import REFUSED, Bot

PROTOCOL = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text("utf-8")
WITHIN_S = 240


async def conform(*arguments: str) -> tuple[int, str, str]:
    """Run the command; its exit code, what it printed, and what it said meanwhile."""
    command = [sys.executable, "-m", "livemon_runtime", "conform", *arguments]
    process = await asyncio.create_subprocess_exec(*command, stdout=-1, stderr=-1)
    async with asyncio.timeout(WITHIN_S):
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


@pytest.mark.parametrize("codec", [Codec.OPUS, Codec.L16_48000])
async def test_the_sdk_keeps_every_rule(codec: Codec, own_valkey: ValkeyProcess):
    options = ("--redis", own_valkey.url, "--refused-user", REFUSED, "--destructive", "--json", "--runtime", "bot")
    async with Bot(own_valkey.url, codec=codec).talking():
        code, printed, said = await conform(*options)
    report = json.loads(printed)
    verdicts = {rule["rule"]: rule["verdict"] for rule in report["rules"]}
    assert set(verdicts) == set(SENTENCES)
    assert {rule: verdict for rule, verdict in verdicts.items() if verdict != "holds"} == {
        "command.unsupported": "not tried"  # this bot can do everything
    }, printed
    assert (code, report["ok"]) == (0, True)
    assert "take-over" in said


async def test_what_is_broken_is_printed_with_the_protocols_sentence_and_what_was_seen(valkey_url: str):
    bot = Bot(valkey_url)
    bot.runtime.runtime_id = "front desk"
    async with bot.talking():
        code, printed, _ = await conform("--redis", valkey_url, "--only", "announcing")
    assert code == 1
    assert re.search(r"^BROKEN +runtime\.id$", printed, re.MULTILINE)
    assert f"protocol  {SENTENCES['runtime.id']}" in printed
    assert "seen      runtime_id is 'front desk'" in printed
    assert "1 broken" in printed


async def test_without_destructive_nothing_is_emptied_and_what_cannot_be_tried_says_why(
    valkey: redis.asyncio.Redis, valkey_url: str
):
    await valkey.set("livemon:{other}:kept", 1)
    async with Bot(valkey_url).talking():
        code, printed, _ = await conform("--redis", valkey_url, "--only", "take-over", "--only", "emptied")
    assert code == 0
    assert re.search(r"^not tried +emptied\.call +.*--destructive", printed, re.MULTILINE)
    assert re.search(r"^not tried +claim\.refused +.*--refused-user", printed, re.MULTILINE)
    assert await valkey.get("livemon:{other}:kept") == b"1"


async def test_a_database_with_anything_else_in_it_is_never_emptied(valkey: redis.asyncio.Redis, valkey_url: str):
    await valkey.set("orders", 1)
    async with Bot(valkey_url).talking():
        code, printed, said = await conform("--redis", valkey_url, "--destructive")
    assert (code, printed) == (2, "")
    assert "'orders'" in said
    assert await valkey.get("orders") == b"1"


async def test_without_a_call_it_says_so_in_time(valkey_url: str):
    code, printed, said = await conform("--redis", valkey_url, "--wait", "0.5")
    assert (code, printed) == (2, "")
    assert "No live call" in said


async def test_a_redis_that_is_away_is_told_as_that():
    code, printed, said = await conform("--redis", "redis://127.0.0.1:1/0")
    assert (code, printed) == (2, "")
    assert "Redis failed" in said
    assert "Traceback" not in said


async def test_a_runtime_that_can_do_nothing_breaks_nothing(valkey_url: str):
    """What it does not offer it answers as unsupported, and the rest could not be tried."""
    bot = Bot(valkey_url)
    bot.capabilities = []
    bot.made = lambda call: call.handlers.clear()
    groups = ("audio", "commands", "take-over", "grace", "ending")
    async with bot.talking():
        code, printed, _ = await conform("--redis", valkey_url, *(f"--only={group}" for group in groups))
    assert code == 0, printed
    assert re.search(r"^holds +command\.unsupported$", printed, re.MULTILINE)
    assert re.search(r"^not tried +end +", printed, re.MULTILINE)


@pytest.mark.parametrize("sentence", SENTENCES.values())
def test_each_rule_quotes_the_protocol(sentence: str):
    assert " ".join(sentence.split()) in " ".join(PROTOCOL.split())


def test_what_is_broken_once_stays_broken_and_nothing_at_all_is_not_good():
    report = Report(("grace",))
    assert not report.good
    report.broken("supervisor.gone", "the call goes on")
    report.holds("supervisor.gone")
    assert report.of(Verdict.BROKEN) == list(GROUPS["grace"])
