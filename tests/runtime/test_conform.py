"""The conformance command against runtimes that keep the protocol, the SDK and the example in Node; and what people see of it."""

import asyncio
import contextlib
import json
import re
import sys
from pathlib import Path

import pytest
import redis
import redis.asyncio

from livemon_runtime import Codec
from livemon_runtime.conform.report import Report, Verdict
from livemon_runtime.conform.rules import GROUPS, SENTENCES
from tests.conftest import ValkeyProcess, free_port
from tests.node_example import install, running
from tests.runtime.conform_bot import REFUSED, Bot, Break

PROTOCOL = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text("utf-8")
WITHIN_S = 240


Run = tuple[int, str, str]


async def conform(*arguments: str) -> Run:
    """Run the command; its exit code, what it printed, and what it said meanwhile."""
    command = [sys.executable, "-m", "livemon_runtime", "conform", *arguments]
    process = await asyncio.create_subprocess_exec(*command, stdout=-1, stderr=-1)
    async with asyncio.timeout(WITHIN_S):
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


# --- whole examinations, beside each other ------------------------------------------------------------------------

ALL = ("--refused-user", REFUSED, "--destructive", "--json")
LEFT_OUT = ("--only=take-over", "--only=emptied")
UNABLE = tuple(f"--only={group}" for group in ("audio", "commands", "take-over", "grace", "ending"))


def unable(bot: Bot) -> None:
    bot.capabilities = []
    bot.made = lambda call: call.handlers.clear()


def strange(bot: Bot) -> None:
    bot.runtime.runtime_id = "front desk"


async def of_the_sdk(url: str, *arguments: str, codec: Codec = Codec.PCMU, broken: Break | None = None) -> Run:
    async with Bot(url, codec=codec, broken=broken).talking():
        return await conform("--redis", url, "--runtime", "bot", *arguments)


async def of_node(url: str, program: Path) -> Run:
    async with running(program, url, LIVEMON_REFUSES=REFUSED):
        return await conform("--redis", url, "--runtime", "node-example", *ALL)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """What the command answered, each time with a server of its own."""
    program = install(tmp_path_factory.mktemp("node"))

    async def all_of_them(urls: list[str]) -> list[Run]:
        return await asyncio.gather(
            of_the_sdk(urls[0], *ALL, codec=Codec.OPUS),
            of_the_sdk(urls[1], *ALL, codec=Codec.L16_48000),
            of_node(urls[2], program),
            of_the_sdk(urls[3], *LEFT_OUT),
            of_the_sdk(urls[4], *UNABLE, broken=unable),
            of_the_sdk(urls[5], "--only=announcing", broken=strange),
        )

    names = ("opus", "l16", "node", "left out", "unable", "strange")
    with contextlib.ExitStack() as stack:
        servers = [ValkeyProcess(free_port(), tmp_path_factory.mktemp("valkey")) for _ in names]
        for server in servers:
            server.start()
            stack.callback(server.kill)
        client = redis.Redis.from_url(servers[3].url)
        client.set("livemon:{other}:kept", 1)
        found = asyncio.run(all_of_them([server.url for server in servers]))
        assert client.get("livemon:{other}:kept") == b"1", "nobody asked for the database to be emptied"
    return dict(zip(names, found, strict=True))


@pytest.mark.parametrize("which", ["opus", "l16", "node"])
def test_a_sound_runtime_keeps_every_rule(which: str, runs: dict[str, Run]):
    """The SDK and the example in Node; only that they answer what they do not offer cannot be tried: they offer all."""
    code, printed, said = runs[which]
    report = json.loads(printed)
    verdicts = {rule["rule"]: rule["verdict"] for rule in report["rules"]}
    assert set(verdicts) == set(SENTENCES)
    others = {rule: verdict for rule, verdict in verdicts.items() if verdict != "holds"}
    assert others == {"command.unsupported": "not tried"}, printed
    assert (code, report["ok"]) == (0, True)
    assert "take-over" in said


def test_what_is_broken_is_printed_with_the_protocols_sentence_and_what_was_seen(runs: dict[str, Run]):
    code, printed, _ = runs["strange"]
    assert code == 1
    assert re.search(r"^BROKEN +runtime\.id$", printed, re.MULTILINE)
    assert f"protocol  {SENTENCES['runtime.id']}" in printed
    assert "seen      runtime_id is 'front desk'" in printed
    assert "1 broken" in printed


def test_without_destructive_nothing_is_emptied_and_what_cannot_be_tried_says_why(runs: dict[str, Run]):
    code, printed, _ = runs["left out"]
    assert code == 0
    assert re.search(r"^not tried +emptied\.call +.*--destructive", printed, re.MULTILINE)
    assert re.search(r"^not tried +claim\.refused +.*--refused-user", printed, re.MULTILINE)


def test_a_runtime_that_can_do_nothing_breaks_nothing(runs: dict[str, Run]):
    """What it does not offer it answers as unsupported, and the rest could not be tried."""
    code, printed, _ = runs["unable"]
    assert code == 0, printed
    assert re.search(r"^holds +command\.unsupported$", printed, re.MULTILINE)
    assert re.search(r"^not tried +end +", printed, re.MULTILINE)


# --- what it does not do ------------------------------------------------------------------------------------------


async def test_a_database_with_anything_else_in_it_is_never_emptied(valkey: redis.asyncio.Redis, valkey_url: str):
    await valkey.set("orders", 1)
    async with Bot(valkey_url).talking():
        code, printed, said = await conform("--redis", valkey_url, "--destructive")
    assert (code, printed) == (2, "")
    assert "'orders'" in said
    assert await valkey.get("orders") == b"1"


async def test_where_several_runtimes_have_calls_it_touches_none_until_it_is_told_whose(
    valkey: redis.asyncio.Redis, valkey_url: str
):
    async with Bot(valkey_url).talking() as one, Bot(valkey_url).talking() as two:
        keys = one.runtime.keys
        while await valkey.zcard(keys.calls) < 2:
            await asyncio.sleep(0.01)
        code, printed, said = await conform("--redis", valkey_url)
        assert (code, printed) == (2, "")
        assert one.runtime.runtime_id in said
        assert "--runtime" in said
        for bot in (one, two):
            assert await valkey.xlen(keys.commands(bot.runtime.runtime_id)) == 0
        only = ("--only=transcript", "--runtime", two.runtime.runtime_id)
        code, _, said = await conform("--redis", valkey_url, *only)
        assert code == 0
        assert f"of runtime {two.runtime.runtime_id}" in said


async def test_without_a_call_it_says_so_in_time(valkey_url: str):
    code, printed, said = await conform("--redis", valkey_url, "--wait", "0.5")
    assert (code, printed) == (2, "")
    assert "No live call" in said


async def test_a_redis_that_is_away_is_told_as_that():
    code, printed, said = await conform("--redis", "redis://127.0.0.1:1/0")
    assert (code, printed) == (2, "")
    assert "Redis failed" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("sentence", SENTENCES.values())
def test_each_rule_quotes_the_protocol(sentence: str):
    assert " ".join(sentence.split()) in " ".join(PROTOCOL.split())


def test_what_is_broken_once_stays_broken_and_nothing_at_all_is_not_good():
    report = Report(("grace",))
    assert not report.good
    report.broken("supervisor.gone", "the call goes on")
    report.holds("supervisor.gone")
    assert report.of(Verdict.BROKEN) == list(GROUPS["grace"])
