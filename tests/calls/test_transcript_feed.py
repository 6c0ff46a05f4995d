"""A watched call: whole from its first word, then as it is spoken, for however many watch, with one reader."""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from livemon.calls.outbox import Outbox
from livemon.calls.transcript_feed import TooManyWatched, Watched
from livemon_runtime import Runtime
from livemon_runtime.keys import Keys
from tests.calls.conftest import Nodes
from tests.calls.live_part import LivePart, RawRuntime, live_part, quick, until
from tests.calls.making import call_data
from tests.conftest import ValkeyProcess


@dataclass
class Drawer:
    """Applies messages as the page does."""

    watched: Watched
    outbox: Outbox
    call: dict | None = None
    items: dict[str, dict] = field(default_factory=dict)
    feed: str | None = None
    older: bool | None = None
    messages: list[dict] = field(default_factory=list)

    async def read(self) -> None:
        for text in await asyncio.wait_for(self.outbox.take(), 60):
            message = json.loads(text)
            self.messages.append(message)
            self._take(message)

    def _take(self, message: dict) -> None:
        if message["t"] == "call":
            self.call, self.feed = message, message["feed"]["state"]
        elif message["t"] == "reset":
            self.items = {item["id"]: item for item in message["items"]}
            self.older = message["older"]
        elif message["t"] in ("put", "older"):
            self.items |= {item["id"]: item for item in message["items"]}
            self.older = message.get("older", self.older)
        elif message["t"] == "remove":
            for item_id in message["ids"]:
                self.items.pop(item_id, None)
        elif message["t"] == "feed":
            self.feed = message["state"]

    async def until(self, look) -> None:
        """Read until it is so."""
        async with asyncio.timeout(60):
            while not look():
                await self.read()

    def texts(self) -> list[str]:
        """What is shown, in order."""
        return [item.get("content", "") for item in sorted(self.items.values(), key=lambda item: item["key"])]

    def types(self) -> list[str]:
        return [message["t"] for message in self.messages]


@asynccontextmanager
async def drawer(part: LivePart, call_id: str = "call-1"):
    live = await part.calls.find(call_id)
    assert live is not None
    async with part.transcripts.watch(live) as (watched, outbox):
        yield Drawer(watched, outbox)


async def say(runtime: RawRuntime, n: int, text: str, time_ms: int | None = None, entry_id: str = "", call_id="call-1"):
    entry = {"id": entry_id or f"t{n}", "role": "agent", "content": text, "time_ms": time_ms or n * 100}
    await runtime.append(call_id, n, **entry)


async def partial(runtime: RawRuntime, entry_id: str, text: str, time_ms: int = 9_000, **fields) -> int:
    entry = {"id": entry_id, "role": "agent", "content": text, "time_ms": time_ms, **fields}
    return await runtime.say_partial("call-1", **entry)


async def heard(runtime: RawRuntime, entry_id: str, text: str, **fields) -> None:
    """Publish a partial once the reader has subscribed."""
    await until(lambda: partial(runtime, entry_id, text, **fields))


# --- what a drawer sees


async def test_a_drawer_opened_in_mid_call_has_everything_from_the_first_word(part: LivePart, runtime: RawRuntime):
    await runtime.announce(agent_name="Ada")
    for n in range(1, 1_301):
        await say(runtime, n, f"word {n}")
    await part.call()
    async with drawer(part) as page:
        await page.until(lambda: page.items)
        assert page.types() == ["call", "reset"]
        assert (page.call["call"]["agent_name"], page.call["feed"]["state"]) == ("Ada", "live")
        assert page.texts() == [f"word {n}" for n in range(801, 1_301)], "the newest page first"
        while page.older:
            first = min(item["key"] for item in page.items.values())
            page.watched.older(page.outbox, tuple(first))
            await page.read()
        assert page.texts() == [f"word {n}" for n in range(1, 1_301)]


async def test_a_partial_grows_in_place_and_the_final_turn_replaces_it(part: LivePart, runtime: RawRuntime):
    await runtime.announce()
    await say(runtime, 1, "Hello")
    await part.call()
    async with drawer(part) as page:
        await page.until(lambda: page.items)
        await heard(runtime, "t2", "Good mor", time_ms=200)
        await page.until(lambda: page.texts() == ["Hello", "Good mor"])
        await partial(runtime, "t2", "Good morning", time_ms=200)
        await page.until(lambda: page.texts() == ["Hello", "Good morning"])
        assert page.items["t2"]["final"] is False
        await say(runtime, 2, "Good morning!")
        await page.until(lambda: page.texts() == ["Hello", "Good morning!"])
        assert page.items["t2"]["final"] is True
        await partial(runtime, "t2", "too late", time_ms=200)
        await heard(runtime, "t3", "Next", time_ms=300)
        await page.until(lambda: "t3" in page.items)
        assert page.texts() == ["Hello", "Good morning!", "Next"]
        await partial(runtime, "t3", "", time_ms=300, retracted=True)
        await page.until(lambda: page.texts() == ["Hello", "Good morning!"])


async def test_a_drawer_opened_while_somebody_speaks_to_another_watcher_sees_the_turn_so_far(
    part: LivePart, runtime: RawRuntime
):
    await runtime.announce()
    await part.call()
    async with drawer(part) as first:
        await heard(runtime, "t1", "Good mor")
        await first.until(lambda: first.texts() == ["Good mor"])
        async with drawer(part) as second:
            await second.until(lambda: second.texts() == ["Good mor"])


async def test_a_bots_words_and_tools_arrive_as_it_says_them(part: LivePart, valkey_url: str, keys: Keys):
    """The SDK is the other end."""
    async with Runtime(valkey_url, name="front-desk", workspace=keys.workspace) as bot:
        call = bot.call(call_id="call-1")
        call.agent_turn().final("Good morning")
        await part.call()
        async with drawer(part) as page:
            await page.until(lambda: page.texts() == ["Good morning"])
            call.tool_call("tool-1", "find_booking", {"name": "Grace"})
            await page.until(lambda: len(page.items) == 2)
            turn = call.user_turn()
            turn.partial("I have a boo")
            await page.until(lambda: "I have a boo" in page.texts())
            turn.final("I have a booking")
            call.tool_result("tool-1", {"found": 1})
            call.dtmf("5")
            await page.until(lambda: len(page.items) == 4 and any(item.get("result") for item in page.items.values()))
            card = next(item for item in page.items.values() if item["role"] == "tool_call_invocation")
            assert json.loads(card["result"]["content"]) == {"found": 1}
            assert "I have a booking" in page.texts()


async def test_a_change_of_the_call_is_told_and_its_end_with_how_it_ended(part: LivePart, runtime: RawRuntime):
    await runtime.announce()
    await part.call()
    async with drawer(part) as page:
        await page.until(lambda: page.call)
        await runtime.update(metadata={"order": 2**70})
        await page.until(lambda: page.call["rev"] == 2)
        assert page.call["call"]["metadata"] == {"order": str(2**70)}, "whatever number it is"
        part.presence.join("call-1", "l-1", "u-1", "Grace")
        await page.until(lambda: page.call["listeners"] == [{"user_id": "u-1", "name": "Grace"}])
        await say(runtime, 1, "Goodbye")
        await runtime.end()
        await page.until(lambda: page.call["call"]["call_status"] == "ended" and page.items)
        assert page.call["call"]["disconnection_reason"] == "user_hangup"
        assert page.texts() == ["Goodbye"], "its transcript stays"


async def test_an_ended_call_can_be_read_within_the_hour(part: LivePart, runtime: RawRuntime):
    await runtime.announce()
    await say(runtime, 1, "Goodbye")
    await runtime.end()
    await part.ended()
    async with drawer(part) as page:
        await page.until(lambda: page.items)
        assert page.texts() == ["Goodbye"]
        assert page.call["call"]["call_status"] == "ended"


async def test_a_quiet_runtime_is_told_in_the_drawer(part: LivePart, runtime: RawRuntime):
    await runtime.announce()
    await part.call()
    async with drawer(part) as page:
        await runtime.gone()
        await page.until(lambda: page.call and page.call["quiet"])
        await runtime.alive()
        await page.until(lambda: page.call["quiet"] is None)


async def test_a_call_given_up_comes_back_to_life_in_the_open_drawer(node: Nodes, runtime: RawRuntime):
    async with node(timing=quick(lost_after_s=0.3)) as part:
        await runtime.announce()
        await part.call()
        async with drawer(part) as page:
            await runtime.gone()
            await page.until(lambda: page.call and page.call["call"]["call_status"] == "ended")
            await runtime.alive()
            await runtime.announce(resumed=True)
            await say(runtime, 1, "still here")
            await page.until(lambda: page.call["call"]["call_status"] == "ongoing" and page.items)
            assert page.texts() == ["still here"]


# --- incarnations and outages


async def test_a_new_incarnation_is_read_from_its_beginning(part: LivePart, runtime: RawRuntime):
    await runtime.announce()
    await say(runtime, 1, "old")
    await part.call()
    async with drawer(part) as page:
        await page.until(lambda: page.texts() == ["old"])
        again = runtime.redis.pipeline(transaction=True)
        again.delete(runtime.keys.transcript("call-1"))
        entry = {"id": "n1", "role": "agent", "content": "new", "time_ms": 1}
        again.xadd(runtime.keys.transcript("call-1"), {"data": json.dumps(entry)}, id="1-0")
        await again.execute()
        await runtime.announce(resumed=True)
        await page.until(lambda: page.texts() == ["new"])
        await say(runtime, 2, "and on")
        await page.until(lambda: page.texts() == ["new", "and on"])
        assert page.types().count("reset") == 2


async def test_after_flushall_the_open_drawer_has_the_whole_transcript_again(
    part: LivePart, valkey, valkey_url: str, keys: Keys, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("livemon_runtime.heartbeat.HEARTBEAT_S", 0.5)
    async with Runtime(valkey_url, name="front-desk", workspace=keys.workspace) as bot:
        call = bot.call(call_id="call-1")
        words = [f"word {n}" for n in range(50)]
        for word in words:
            call.agent_turn().final(word)
        await part.call()
        async with drawer(part) as page:
            await page.until(lambda: len(page.items) == 50)
            was = page.call["incarnation"]
            await valkey.flushall()
            await page.until(lambda: page.call["incarnation"] != was)
            call.agent_turn().final("after")
            await page.until(lambda: "after" in page.texts() and len(page.items) == 51)
            assert page.texts() == [*words, "after"]


async def test_through_an_outage_of_redis_the_drawer_stays_and_catches_up(own_valkey: ValkeyProcess, keys: Keys):
    async with (
        Runtime(own_valkey.url, name="front-desk", workspace=keys.workspace) as bot,
        live_part(own_valkey.url, keys) as part,
    ):
        call = bot.call(call_id="call-1")
        call.agent_turn().final("before")
        await part.call()
        async with drawer(part) as page:
            await page.until(lambda: page.texts() == ["before"])
            call.user_turn().partial("I was say")
            await page.until(lambda: page.texts() == ["before", "I was say"])
            await asyncio.to_thread(own_valkey.stop)
            await page.until(lambda: page.feed == "stale")
            assert "before" in page.texts()
            call.agent_turn().final("meanwhile")
            await asyncio.to_thread(own_valkey.start)
            await page.until(lambda: page.feed == "live" and page.texts() == ["before", "meanwhile"])
            assert page.types().count("reset") == 1, "it is not shown anew"


async def test_what_became_of_a_turn_while_the_channel_was_cut_is_not_shown_as_still_being_spoken(
    part: LivePart, runtime: RawRuntime
):
    """A retraction that was published meanwhile is heard by nobody."""
    await runtime.announce()
    await part.call()
    async with drawer(part) as page:
        await heard(runtime, "t1", "Uh")
        await page.until(lambda: page.texts() == ["Uh"])
        for client in await runtime.redis.client_list(_type="pubsub"):
            await runtime.redis.client_kill_filter(_id=client["id"])
        await page.until(lambda: page.texts() == [])
        await heard(runtime, "t1", "Uh, hello")
        await page.until(lambda: page.texts() == ["Uh, hello"])


# --- malformed


async def test_malformed_entries_and_partials_are_dropped_and_counted_and_the_rest_is_shown(
    part: LivePart, runtime: RawRuntime
):
    await runtime.announce()
    await part.call()
    key = runtime.keys.transcript("call-1")
    for n, fields in enumerate([{"data": "rubbish"}, {"no": "data"}, {"data": "{}"}, {"data": "x" * 300_000}], 1):
        await runtime.redis.xadd(key, fields, id=f"{n}-0")
    await runtime.append("call-1", 5, id="big", role="dtmf", digit="5", time_ms=1, strength=2**70)
    await say(runtime, 6, "x" * 16_001)
    await say(runtime, 7, "whole")
    async with drawer(part) as page:
        await page.until(lambda: len(page.items) == 2)
        assert (page.items["big"]["strength"], page.items["t7"]["content"]) == (str(2**70), "whole")
        await until(lambda: runtime.redis.execute_command("SPUBLISH", runtime.keys.partials("call-1"), b"\xff"))
        await runtime.say_partial("call-1", id="p", role="dtmf", digit="1", time_ms=1)
        await heard(runtime, "p2", "after")
        await page.until(lambda: "after" in page.texts())
    assert part.dropped("entry", "malformed", "rt-1") == 4
    assert part.dropped("entry", "too_large", "rt-1") == 1
    assert part.dropped("partial", "malformed", "rt-1") == 2


# --- readers


async def test_two_watchers_have_one_reader_which_leaves_redis_with_the_last(part: LivePart, runtime: RawRuntime):
    await runtime.announce()
    await say(runtime, 1, "Hello")
    await part.call()
    async with drawer(part) as first:
        async with drawer(part) as second:
            await first.until(lambda: first.texts() == ["Hello"])
            await second.until(lambda: second.texts() == ["Hello"])
            assert first.watched is second.watched
            assert len(part.transcripts) == 1
            assert await until(lambda: partial(runtime, "t2", "Good")) == 1, "one subscription hears it for both"
            await first.until(lambda: "Good" in first.texts())
            await second.until(lambda: "Good" in second.texts())
        assert len(part.transcripts) == 1
        await say(runtime, 2, "Good day")
        await first.until(lambda: "Good day" in first.texts())
    assert len(part.transcripts) == 0
    await until(lambda: _nobody(runtime))


async def _nobody(runtime: RawRuntime) -> bool:
    return await partial(runtime, "t9", "anyone?") == 0


async def test_calls_that_nobody_watches_are_not_read(part: LivePart, runtime: RawRuntime):
    await runtime.announce("a")
    await runtime.announce("b")
    await part.call("b")
    async with drawer(part, "a") as page:
        await page.until(lambda: page.call)
        assert await runtime.say_partial("b", id="p", role="agent", content="Hi", time_ms=1) == 0
        assert len(part.transcripts) == 1


async def test_a_node_reads_no_more_than_it_may(part: LivePart, runtime: RawRuntime, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("livemon.calls.transcript_feed.MAX_WATCHED", 1)
    await runtime.announce("a")
    await runtime.announce("b")
    await part.call("b")
    async with drawer(part, "a"):
        with pytest.raises(TooManyWatched, match="close one"):
            async with drawer(part, "b"):
                pass
        async with drawer(part, "a") as second:
            await second.until(lambda: second.call)


async def test_a_slow_watcher_gets_the_call_and_its_newest_page_anew(part: LivePart, runtime: RawRuntime):
    await runtime.announce()
    await part.call()
    async with drawer(part) as slow, drawer(part) as quick_one:
        await slow.until(lambda: "reset" in slow.types())
        for n in range(1, 101):
            await say(runtime, n, f"word {n}")
            await quick_one.until(lambda n=n: len(quick_one.items) == n)
        slow.messages.clear()
        await slow.read()
        assert slow.types() == ["call", "reset"]
        assert slow.texts() == [f"word {n}" for n in range(1, 101)]


async def test_a_silent_call_says_that_the_connection_lives(
    node: Nodes, runtime: RawRuntime, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("livemon.calls.transcript_feed.TICK_S", 0.02)
    monkeypatch.setattr("livemon.calls.transcript_feed.SILENCE_MS", 60)
    async with node() as part:
        await runtime.announce()
        await part.call()
        async with drawer(part) as page:
            await page.until(lambda: "tick" in page.types())
            assert page.messages[-1]["now"] > 1_700_000_000_000


async def test_a_call_that_the_list_has_not_heard_of_yet_can_be_watched(part: LivePart, runtime: RawRuntime):
    """Its event was lost: it is found in Redis, and told about like any other from its next change on."""
    runtime.revs["call-1"] = ("i1", 0)
    await runtime.write("call_started", call_data(), told=False)
    await say(runtime, 1, "Hello")
    async with drawer(part) as page:
        await page.until(lambda: page.texts() == ["Hello"])
        await runtime.update(agent_name="Ada")
        await page.until(lambda: page.call["call"].get("agent_name") == "Ada")
