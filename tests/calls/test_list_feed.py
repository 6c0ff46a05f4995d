"""The live list: a snapshot, then diffs in sequence, that together are always what the registry holds."""

import asyncio
import json
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livemon.calls.feed import CallFeed, FeedState, State
from livemon.calls.list_feed import ListFeed
from livemon.calls.outbox import LIMIT, Outbox
from livemon.calls.presence import Presence
from livemon.redis_client import connect
from livemon_runtime.keys import Keys
from livemon_runtime.protocol import Controller
from tests.calls.making import ended, event, stored

NOW = 1_700_000_000_000


@dataclass
class Stage:
    """A list whose registry is told by hand what happened; Redis is never asked."""

    calls: CallFeed
    presence: Presence
    feed: ListFeed

    def tell(self, changes) -> None:
        for listener in self.calls.changed:
            listener(changes)

    def start(self, call_id: str, **fields) -> None:
        self.tell(self.calls.registry.stored(call_id, stored(call_id, **fields), NOW, started=True))

    def present(self, call_id: str, **fields) -> None:
        self.tell(self.calls.registry.stored(call_id, stored(call_id, **fields), NOW))

    def update(self, call_id: str, rev: int = 2, **fields) -> None:
        self.tell(self.calls.registry.event(event(call_id=call_id, rev=rev, **fields), NOW))

    def end(self, call_id: str, rev: int = 1_000_000) -> None:
        self.tell(self.calls.registry.event(ended(call_id, rev=rev), NOW))

    def say_state(self, state: FeedState) -> None:
        self.calls.state = state
        for listener in self.calls.state_changed:
            listener(state)


def make_stage() -> Stage:
    redis = connect("redis://127.0.0.1:1")
    calls = CallFeed(redis, Keys())
    presence = Presence(redis, Keys(), "node-1", now=calls.now)
    return Stage(calls, presence, ListFeed(calls, presence))


@pytest.fixture
async def stage() -> Stage:
    return make_stage()


@dataclass
class Browser:
    """Applies messages as the page does, and trips over anything out of sequence."""

    rows: dict[str, dict] = field(default_factory=dict)
    seq: int | None = None
    new: list[str] = field(default_factory=list)
    state: str | None = None
    snapshots: int = 0

    async def read(self, outbox: Outbox) -> list[dict]:
        messages = [json.loads(message) for message in await asyncio.wait_for(outbox.take(), 60)]
        for message in messages:
            getattr(self, f"_{message['t']}")(message)
        return messages

    def _snapshot(self, message: dict) -> None:
        self.snapshots += 1
        self.seq, self.state = message["seq"], message["feed"]["state"]
        self.rows = {row["id"]: row for row in message["calls"]}
        assert len(self.rows) == len(message["calls"]), "a call stands twice in the snapshot"

    def _diff(self, message: dict) -> None:
        assert message["seq"] == self.seq + 1
        self.seq = message["seq"]
        assert set(message["new"]) <= {row["id"] for row in message["put"]}
        self.new += message["new"]
        for row in message["put"]:
            self.rows[row["id"]] = self.rows.get(row["id"], {}) | row
        for call_id in message["drop"]:
            del self.rows[call_id]

    def _feed(self, message: dict) -> None:
        self.state = message["state"]

    def _tick(self, message: dict) -> None: ...


# --- what is said


async def test_the_first_message_is_a_snapshot_and_says_how_the_feed_is(stage: Stage):
    stage.present("a", agent_name="Ada")
    stage.feed.tick()
    with stage.feed.connect() as outbox:
        (message,) = await Browser().read(outbox)
    assert (message["t"], message["seq"], message["feed"]) == ("snapshot", 1, {"state": "stale", "since": None})
    assert [(row["id"], row["agent"]) for row in message["calls"]] == [("a", "Ada")]


async def test_what_changed_between_two_ticks_is_one_diff_with_the_rows_as_they_are_now(stage: Stage):
    stage.present("a")
    stage.present("b")
    stage.feed.tick()
    browser = Browser()
    with stage.feed.connect() as outbox:
        await browser.read(outbox)
        stage.update("a", 2, agent_name="Ada")
        stage.update("a", 3, agent_name="Bob")
        stage.end("b")
        stage.start("c")
        stage.feed.tick()
        (message,) = await browser.read(outbox)
    assert (message["t"], message["seq"]) == ("diff", 2)
    put = {row["id"]: row for row in message["put"]}
    assert put["a"] == {"id": "a", "agent": "Bob"}, "of a row that stands there, what has changed"
    assert put["c"].keys() > {"id", "agent", "status", "caps"}, "a new row is whole"
    assert (message["new"], message["drop"]) == (["c"], ["b"])


async def test_a_change_that_no_row_shows_is_not_sent(stage: Stage):
    stage.present("a")
    stage.feed.tick()
    browser = Browser()
    with stage.feed.connect() as outbox:
        await browser.read(outbox)
        stage.update("a", 2, metadata={"internal": 1})
        stage.feed.tick()
        stage.update("a", 3, agent_name="Ada")
        stage.feed.tick()
        (message,) = await browser.read(outbox)
    assert (message["seq"], message["put"]) == (2, [{"id": "a", "agent": "Ada"}])


async def test_a_call_that_came_and_went_between_two_ticks_is_never_heard_of(stage: Stage):
    browser = Browser()
    with stage.feed.connect() as outbox:
        await browser.read(outbox)
        stage.start("a")
        stage.end("a")
        stage.feed.tick()
        stage.start("b")
        stage.feed.tick()
        (message,) = await browser.read(outbox)
    assert ([row["id"] for row in message["put"]], message["drop"], message["new"]) == (["b"], [], ["b"])


async def test_only_calls_that_have_just_started_are_highlighted(stage: Stage):
    stage.present("there-at-the-opening")
    stage.feed.tick()
    browser = Browser()
    with stage.feed.connect() as outbox:
        await browser.read(outbox)
        stage.present("resumed")
        stage.start("new")
        stage.feed.tick()
        await browser.read(outbox)
        stage.update("new", 2, agent_name="Ada")
        stage.feed.tick()
        await browser.read(outbox)
    assert browser.new == ["new"]
    assert browser.rows.keys() == {"there-at-the-opening", "resumed", "new"}


async def test_a_registered_call_has_no_row_and_is_new_once_it_is_taken_up(stage: Stage):
    browser = Browser()
    with stage.feed.connect() as outbox:
        await browser.read(outbox)
        stage.start("a", call_status="registered")
        stage.feed.tick()
        stage.update("a", 2, call_status="ongoing")
        stage.feed.tick()
        (message,) = await browser.read(outbox)
    assert (message["seq"], message["new"], list(browser.rows)) == (1, ["a"], ["a"])


async def test_who_listens_is_in_the_row(stage: Stage):
    stage.present("a")
    stage.feed.tick()
    browser = Browser()
    with stage.feed.connect() as outbox:
        await browser.read(outbox)
        stage.presence.join("a", "l-1", "u-1", "Grace")
        stage.feed.tick()
        await browser.read(outbox)
        assert browser.rows["a"]["listeners"] == [{"user_id": "u-1", "name": "Grace"}]
        stage.presence.leave("l-1")
        stage.feed.tick()
        await browser.read(outbox)
    assert browser.rows["a"]["listeners"] == []


async def test_since_when_the_caller_does_not_hear_who_has_the_call_is_in_the_row(stage: Stage):
    stage.present("a", call_status="taken_over")
    stage.feed.tick()
    browser = Browser()
    with stage.feed.connect() as outbox:
        await browser.read(outbox)
        for rev, lost_since in ((2, None), (3, NOW + 5), (4, None)):
            holder = Controller(
                user_id="u-1", name="Grace", claim_id="c-1", generation=1, since=NOW, lost_since=lost_since
            )
            held = replace(stored("a", call_status="taken_over", rev=rev), controller=holder)
            stage.tell(stage.calls.registry.stored("a", held, NOW))
            stage.feed.tick()
            await browser.read(outbox)
            assert browser.rows["a"]["holder"]["lost_since"] == lost_since


async def test_the_state_of_the_feed_is_said_at_once_and_stands_in_later_snapshots(stage: Stage):
    browser, late = Browser(), Browser()
    with stage.feed.connect() as outbox:
        await browser.read(outbox)
        stage.say_state(FeedState(State.STALE, NOW))
        (message,) = await browser.read(outbox)
        assert (message["t"], message["state"], message["since"]) == ("feed", "stale", NOW)
    with stage.feed.connect() as outbox:
        await late.read(outbox)
    assert late.state == "stale"


# --- sequence


async def test_who_connects_between_a_change_and_its_tick_neither_misses_nor_doubles_it(stage: Stage):
    stage.present("a")
    stage.feed.tick()
    stage.start("b")
    browser = Browser()
    with stage.feed.connect() as outbox:
        await browser.read(outbox)
        assert list(browser.rows) == ["a"], "the snapshot is as of the last tick"
        stage.feed.tick()
        (message,) = await browser.read(outbox)
    assert (browser.seq, sorted(browser.rows), message["new"]) == (2, ["a", "b"], ["b"])


async def test_who_connects_before_a_tick_and_reads_after_it_gets_it_in_the_snapshot_alone(stage: Stage):
    with stage.feed.connect() as outbox:
        stage.start("a")
        stage.feed.tick()
        browser = Browser()
        (message,) = await browser.read(outbox)
        assert (message["t"], message["seq"]) == ("snapshot", 1)
        stage.start("b")
        stage.feed.tick()
        await browser.read(outbox)
    assert sorted(browser.rows) == ["a", "b"]


async def test_a_snapshot_made_for_one_is_not_given_to_another_after_a_tick(stage: Stage):
    first, second = Browser(), Browser()
    with stage.feed.connect() as one, stage.feed.connect() as other:
        await first.read(one)
        stage.start("a")
        stage.feed.tick()
        await second.read(other)
        await first.read(one)
    assert first.rows == second.rows
    assert first.seq == second.seq == 1


async def test_a_slow_reader_gets_a_fresh_snapshot_instead_of_a_backlog(stage: Stage):
    stage.present("a")
    stage.feed.tick()
    browser = Browser()
    with stage.feed.connect() as outbox:
        await browser.read(outbox)
        for rev in range(2, LIMIT + 10):
            stage.update("a", rev, agent_name=f"Ada {rev}")
            stage.feed.tick()
        (message,) = await browser.read(outbox)
        assert message["t"] == "snapshot"
        stage.update("a", 1_000, agent_name="at last")
        stage.feed.tick()
        await browser.read(outbox)
    assert (browser.rows["a"]["agent"], browser.snapshots) == ("at last", 2)


OPS = st.one_of(
    st.tuples(st.sampled_from(["start", "present", "end", "join", "leave", "update"]), st.sampled_from("abcde")),
    st.tuples(st.sampled_from(["connect", "disconnect", "read", "read"]), st.sampled_from("123")),
    st.tuples(st.just("tick"), st.just("")),
)


class Following:
    """Three browsers that come, read and go when they like, while calls change."""

    def __init__(self, limit: int) -> None:
        self.stage, self.limit, self.step = make_stage(), limit, 0
        self.pages: dict[str, tuple[Browser, AbstractContextManager[Outbox], Outbox]] = {}

    async def do(self, what: str, which: str) -> None:
        self.step += 1
        if what == "tick":
            self.stage.feed.tick()
        elif what in ("start", "present", "end"):
            getattr(self.stage, what)(which)
        elif what == "update":
            self.stage.update(which, self.step + 1, agent_name=f"Ada {self.step}")
        elif what == "join":
            self.stage.presence.join(which, which, f"u-{self.step}", "Grace")
        elif what == "leave":
            self.stage.presence.leave(which)
        else:
            await getattr(self, what)(which)

    async def connect(self, which: str) -> None:
        if which not in self.pages:
            context = self.stage.feed.connect()
            outbox = context.__enter__()
            outbox._limit = self.limit
            self.pages[which] = (Browser(), context, outbox)

    async def disconnect(self, which: str) -> None:
        if which in self.pages:
            self.pages.pop(which)[1].__exit__(None, None, None)

    async def read(self, which: str) -> None:
        if which in self.pages and self.pages[which][2]._ready.is_set():
            await self.pages[which][0].read(self.pages[which][2])

    async def compare(self) -> None:
        self.stage.feed.tick()
        calls = {one.call.call_id: one for one in self.stage.calls.registry}
        for which, (browser, _, _) in self.pages.items():
            await self.read(which)
            assert browser.rows.keys() == calls.keys()
            for call_id, row in browser.rows.items():
                assert row["agent"] == calls[call_id].call.agent_name
                listeners = [one.user_id for one in self.stage.presence.of(call_id)]
                assert [one["user_id"] for one in row["listeners"]] == listeners


@settings(max_examples=150)
@given(st.lists(OPS, max_size=80), st.integers(1, 8))
def test_whenever_a_browser_comes_and_however_slowly_it_reads_it_has_what_the_registry_has(ops, limit: int):
    async def follow() -> None:
        following = Following(limit)
        for what, which in ops:
            await following.do(what, which)
        await following.compare()

    asyncio.run(follow())


# --- running


async def test_while_it_runs_a_change_is_sent_by_itself(stage: Stage):
    running = asyncio.create_task(stage.feed.run())
    browser = Browser()
    try:
        with stage.feed.connect() as outbox:
            await browser.read(outbox)
            stage.start("a")
            await browser.read(outbox)
            stage.start("b")
            await browser.read(outbox)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert (sorted(browser.rows), browser.seq) == (["a", "b"], 2)


async def test_a_silent_list_says_that_it_lives(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("livemon.calls.list_feed.SILENCE_MS", 50)
    running = asyncio.create_task(stage.feed.run())
    try:
        with stage.feed.connect() as outbox:
            await Browser().read(outbox)
            (message,) = await Browser().read(outbox)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert message["t"] == "tick"
