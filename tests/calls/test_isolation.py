"""What goes wrong with one call, or in one part, is no business of the others."""

import asyncio
import json

import pytest

from livemon.calls import rows
from livemon.calls.transcript_feed import Watched
from livemon.redis_client import connect
from livemon.supervision import keep_running
from livemon.workspace import Workspace
from livemon_runtime.keys import Keys
from tests.calls.live_part import LivePart, RawRuntime, running, until
from tests.calls.making import live
from tests.calls.test_list_feed import Browser, make_stage
from tests.calls.test_transcript_feed import drawer, heard, partial


async def test_a_row_that_cannot_be_made_stays_as_it_was_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch):
    stage = make_stage()
    stage.present("bad", agent_name="Ada")
    stage.present("good", agent_name="Bob")
    stage.feed.tick()
    of = stage.presence.of

    def refuse(call_id: str):
        if call_id == "bad":
            raise ValueError("no such thing")
        return of(call_id)

    monkeypatch.setattr(stage.presence, "of", refuse)
    browser = Browser()
    with stage.feed.connect() as outbox:
        await browser.read(outbox)
        stage.update("bad", 2, agent_name="Eve")
        stage.update("good", 2, agent_name="Cleo")
        stage.feed.tick()
        await browser.read(outbox)
    assert {row["id"]: row["agent"] for row in browser.rows.values()} == {"bad": "Ada", "good": "Cleo"}


def test_a_row_names_the_capabilities_that_there_are_and_no_others():
    given = ["end", "fly" * 1_000, "listen", *(f"x{n}" for n in range(5_000))]
    row = json.loads(rows.row(live(capabilities=given), []))
    assert row["caps"] == ["listen", "end"]


async def test_a_part_that_fails_is_started_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("livemon.supervision.RESTART_AFTER_S", 0.01)
    ran = 0

    async def run() -> None:
        nonlocal ran
        ran += 1
        raise ValueError("broken")

    async with running(keep_running("part", run)):
        await until(lambda: ran >= 3)


async def test_one_part_of_a_workspace_that_fails_ends_no_other(monkeypatch: pytest.MonkeyPatch):
    redis = connect("redis://127.0.0.1:1")
    workspace = Workspace("default", redis, "node-1")
    failed, followed, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def fail() -> None:
        failed.set()
        raise ValueError("broken")

    async def follow() -> None:
        followed.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    monkeypatch.setattr(workspace.presence, "run", fail)
    monkeypatch.setattr(workspace.calls, "run", follow)
    monkeypatch.setattr("livemon.supervision.RESTART_AFTER_S", 0.01)
    async with running(workspace.run()):
        for event in (failed, followed):
            await asyncio.wait_for(event.wait(), 60)
        failed.clear()
        await asyncio.wait_for(failed.wait(), 60)
        assert not ended.is_set()
    await redis.aclose()


async def test_an_event_that_trips_a_listener_is_dropped_and_the_next_ones_are_taken(
    part: LivePart, runtime: RawRuntime
):
    def trip(_result) -> None:
        raise ValueError("broken")

    part.calls.answered.append(trip)
    result = {"command_id": "c1", "call_id": "call-1", "ok": True}
    await part.redis.xadd(part.keys.events, {"type": "command_result", "data": json.dumps(result)})
    await runtime.announce()
    await part.call()
    assert part.dropped("event", "failed", "unknown") == 1


async def test_a_turn_that_grows_faster_than_a_screen_is_shown_less_often_and_as_it_is_now(
    part: LivePart, runtime: RawRuntime, monkeypatch: pytest.MonkeyPatch
):
    shown: list[list] = []
    update = Watched.update
    monkeypatch.setattr(Watched, "update", lambda self, one: (shown.append(one.put), update(self, one))[1])
    await runtime.announce()
    await part.call()
    async with drawer(part) as page:
        await heard(runtime, "t1", "0")
        pipeline = part.redis.pipeline(transaction=False)
        for n in range(2_000):
            entry = {"id": "t1", "role": "agent", "content": f"word {n}", "time_ms": 9_000, "final": False}
            pipeline.execute_command("SPUBLISH", Keys(part.keys.workspace).partials("call-1"), json.dumps(entry))
        await pipeline.execute()
        await page.until(lambda: page.texts() == ["word 1999"])
        await partial(runtime, "t1", "the end")
        await page.until(lambda: page.texts() == ["the end"])
    assert len(shown) < 1_000
