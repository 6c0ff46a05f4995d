"""Who may not see numbers, or not read: told so by the server, each kind of message encoded once for all who get it."""

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livemon.calls import list_feed, transcript_feed
from livemon.calls.sight import Sight
from livemon.masking.text import MASK
from tests.calls.conftest import Nodes
from tests.calls.live_part import LivePart, RawRuntime, until
from tests.calls.test_list_feed import OPS, Browser, Following, make_stage
from tests.calls.test_transcript_feed import Drawer, heard, partial, say
from tests.masking.readable import digits_in_a_row

PHONE = "+12125550184"
CARD = "4242 4242 4242 4242"
MASKED = Sight(unmasked=False)
WITHHELD = Sight(read=False, unmasked=False)

# --- the list


async def read_raw(outbox) -> str:
    return "".join(await asyncio.wait_for(outbox.take(), 20))


async def test_no_number_is_in_any_message_to_who_may_not_see_numbers():
    stage = make_stage()
    stage.present("a", from_number=PHONE)
    stage.feed.tick()
    async with stage.feed.connect_masked() as outbox:
        first = await read_raw(outbox)
        stage.start("b", to_number=PHONE, agent_name=f"Agent {PHONE}")
        stage.update("a", 2, from_number=PHONE, agent_name="Ada")
        stage.feed.tick()
        second = await read_raw(outbox)
    assert (json.loads(first)["masked"], json.loads(first)["calls"][0]["from"]) == (True, MASK)
    put = {row["id"]: row for row in json.loads(second)["put"]}
    assert put["a"] == {"id": "a", "agent": "Ada"}
    assert (put["b"]["to"], put["b"]["agent"]) == (MASK, f"Agent +{MASK}")
    assert "2125550184" not in first + second


async def test_a_change_that_masking_hides_is_not_told_and_leaves_no_gap():
    stage = make_stage()
    stage.present("a", from_number=PHONE)
    stage.feed.tick()
    browser = Browser()
    async with stage.feed.connect_masked() as outbox:
        await browser.read(outbox)
        stage.update("a", 2, from_number="+12125550199")
        stage.feed.tick()
        stage.update("a", 3, from_number="+12125550199", agent_name="Ada")
        stage.feed.tick()
        (message,) = await browser.read(outbox)
    assert message["put"] == [{"id": "a", "agent": "Ada"}]


async def test_a_diff_is_encoded_once_for_all_of_one_sight():
    stage = make_stage()
    async with AsyncExitStack() as stack:
        plain = [stack.enter_context(stage.feed.connect()) for _ in range(3)]
        masked = [await stack.enter_async_context(stage.feed.connect_masked()) for _ in range(3)]
        for outbox in plain + masked:
            await outbox.take()
        stage.start("a", from_number=PHONE)
        stage.feed.tick()
        messages = [(await outbox.take())[0] for outbox in plain + masked]
    assert len({id(message) for message in messages[:3]}) == len({id(message) for message in messages[3:]}) == 1
    assert messages[0] != messages[3]


async def test_nothing_is_masked_while_nobody_needs_it(monkeypatch: pytest.MonkeyPatch):
    stage, masked = make_stage(), []

    def mask_row(encoded: bytes) -> bytes:
        masked.append(encoded)
        return encoded

    monkeypatch.setattr(list_feed, "mask_row", mask_row)
    stage.present("a")
    stage.feed.tick()
    async with stage.feed.connect_masked():
        async with stage.feed.connect_masked():
            assert len(masked) == 1
        stage.update("a", 2, agent_name="Ada")
        stage.feed.tick()
        assert len(masked) == 2
    stage.update("a", 3, agent_name="Bob")
    stage.feed.tick()
    assert len(masked) == 2


async def test_a_long_list_is_masked_little_by_little_while_calls_come_change_and_go():
    stage = make_stage()
    count = 3 * list_feed.MASKED_AT_ONCE
    for n in range(count):
        stage.present(f"call-{n}", from_number=PHONE)
    stage.feed.tick()
    browser, turns = Browser(), 0
    async with AsyncExitStack() as stack:
        connecting = asyncio.ensure_future(stack.enter_async_context(stage.feed.connect_masked()))
        while not connecting.done():
            await asyncio.sleep(0)
            stage.end(f"call-{turns}")
            stage.end(f"call-{count - turns - 1}")
            stage.update(f"call-{count // 2 + turns}", 2, from_number=PHONE, agent_name="Ada")
            stage.start(f"new-{turns}", from_number=PHONE)
            stage.feed.tick()
            turns += 1
        await browser.read(await connecting)
        assert turns > 2, "others had their turn"
        calls = {one.call.call_id: one.call for one in stage.calls.registry}
        assert browser.rows.keys() == calls.keys()
        assert {call_id: row["agent"] for call_id, row in browser.rows.items()} == {
            call_id: call.agent_name for call_id, call in calls.items()
        }
        assert {row["from"] for row in browser.rows.values()} == {MASK}


async def test_a_list_in_which_nothing_changes_for_masked_eyes_says_that_it_lives(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(list_feed, "SILENCE_MS", 0)
    stage = make_stage()
    stage.present("a", from_number=PHONE)
    stage.feed.tick()
    async with stage.feed.connect_masked() as outbox:
        await outbox.take()
        stage.update("a", 2, from_number="+12125550199")
        stage.feed.tick()
        assert json.loads((await outbox.take())[0])["t"] == "tick"


class FollowingMasked(Following):
    """Of the three, the third sees everything masked."""

    async def connect(self, which: str) -> None:
        if which != "3":
            await super().connect(which)
        elif which not in self.pages:
            stack = AsyncExitStack()
            outbox = await stack.enter_async_context(self.stage.feed.connect_masked())
            outbox._limit = self.limit
            self.pages[which] = (Browser(), stack, outbox)

    async def disconnect(self, which: str) -> None:
        if which != "3":
            await super().disconnect(which)
        elif which in self.pages:
            await self.pages.pop(which)[1].aclose()


@settings(max_examples=150)
@given(st.lists(OPS, max_size=80), st.integers(1, 8))
def test_whoever_sees_it_masked_has_what_the_registry_has_however_slowly_they_read(ops, limit: int):
    async def follow() -> None:
        following = FollowingMasked(limit)
        for what, which in ops:
            await following.do(what, which)
        await following.compare()

    asyncio.run(follow())


# --- a call


class Ear(Drawer):
    """A drawer that keeps what it was sent, letter for letter."""

    raw: str = ""

    async def read(self) -> None:
        for text in await asyncio.wait_for(self.outbox.take(), 30):
            self.raw += text
            message = json.loads(text)
            self.messages.append(message)
            self._take(message)


@asynccontextmanager
async def drawer(part: LivePart, sight: Sight):
    live = await part.calls.find("call-1")
    assert live is not None
    async with part.transcripts.watch(live, sight) as (watched, outbox):
        yield Ear(watched, outbox)


async def test_a_masked_reader_is_told_no_number_in_any_message(part: LivePart, runtime: RawRuntime):
    await runtime.announce(from_number=PHONE, metadata={"card": CARD})
    for n in range(1, 602):
        await say(runtime, n, f"My card is {CARD}" if n % 2 else "Thank you")
    await part.call()
    async with drawer(part, MASKED) as page, drawer(part, Sight()) as other:
        await page.until(lambda: page.items)
        assert page.call["masked"] is True
        assert (page.call["call"]["from_number"], page.call["call"]["metadata"]) == (MASK, {"card": MASK})
        page.watched.older(page.outbox, tuple(min(item["key"] for item in page.items.values())))
        await page.until(lambda: len(page.items) == 601)
        await heard(runtime, "t602", f"It is {CARD}", time_ms=90_000)
        await page.until(lambda: page.items.get("t602", {}).get("content") == f"It is {MASK}")
        await say(runtime, 602, f"It is {CARD}!", 90_000)
        await page.until(lambda: page.items["t602"]["content"] == f"It is {MASK}!")
        await runtime.update(from_number=PHONE, agent_name=f"Ada {PHONE}")
        await page.until(lambda: page.call["call"].get("agent_name"))
        assert "4242" not in page.raw
        assert PHONE[1:] not in page.raw
        await other.until(lambda: other.items.get("t602", {}).get("content") == f"It is {CARD}!")
        assert other.call["masked"] is False


async def test_who_may_not_read_is_told_the_call_alone_and_that_the_rest_is_withheld(
    part: LivePart, runtime: RawRuntime
):
    await runtime.announce()
    await say(runtime, 1, "A secret")
    await part.call()
    async with drawer(part, WITHHELD) as page, drawer(part, Sight()) as reader:
        await page.until(lambda: "reset" in page.types())
        assert page.messages[-1] == {"t": "reset", "items": [], "older": False, "withheld": True}
        await reader.until(lambda: reader.texts() == ["A secret"])
        await heard(runtime, "t2", "Another se", time_ms=200)
        await reader.until(lambda: "Another se" in reader.texts())
        await say(runtime, 2, "Another secret", 200)
        await heard(runtime, "t3", "Uh", time_ms=300)
        await partial(runtime, "t3", "", time_ms=300, retracted=True)
        await reader.until(lambda: "remove" in reader.types() or "Another secret" in reader.texts())
        page.watched.older(page.outbox, (10**9, 0))
        await page.until(lambda: "older" in page.types())
        assert page.messages[-1] == {"t": "older", "items": [], "older": False, "withheld": True}
        await runtime.update(agent_name="Ada")
        await page.until(lambda: page.call["call"].get("agent_name") == "Ada")
        assert set(page.types()) <= {"call", "reset", "older", "tick"}
        assert "secret" not in page.raw


async def test_a_transcript_that_nobody_may_read_is_not_read(part: LivePart, runtime: RawRuntime):
    await runtime.announce()
    await say(runtime, 1, "Hello")
    await part.call()
    async with drawer(part, WITHHELD) as page:
        await page.until(lambda: page.call)
        assert len(part.transcripts) == 0
        for _ in range(2):
            async with drawer(part, MASKED) as reader:
                await reader.until(lambda reader=reader: reader.texts() == ["Hello"])
                assert len(part.transcripts) == 1
            assert len(part.transcripts) == 0
            await until(lambda: _nobody_hears(runtime))


async def _nobody_hears(runtime: RawRuntime) -> bool:
    return await partial(runtime, "t9", "anyone?") == 0


async def test_who_reads_nothing_hears_that_the_call_lives_while_others_read(
    node: Nodes, runtime: RawRuntime, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(transcript_feed, "TICK_S", 0.02)
    monkeypatch.setattr(transcript_feed, "SILENCE_MS", 60)
    async with node() as part:
        await runtime.announce()
        await part.call()
        async with drawer(part, WITHHELD) as page, drawer(part, Sight()) as reader:
            await reader.until(lambda: reader.watched.loaded)
            told = asyncio.create_task(page.until(lambda: "tick" in page.types()))
            n = 0
            while not told.done():  # there is always something new to read
                n += 1
                await say(runtime, n, "and on")
                await reader.until(lambda n=n: f"t{n}" in reader.items)
            await told


async def test_an_item_is_encoded_once_for_all_of_one_sight(part: LivePart, runtime: RawRuntime):
    await runtime.announce()
    await part.call()
    async with AsyncExitStack() as stack:
        sights = [Sight(), Sight(), MASKED, MASKED]
        pages = [await stack.enter_async_context(drawer(part, sight)) for sight in sights]
        for page in pages:
            await page.until(lambda page=page: "reset" in page.types())
        await say(runtime, 1, CARD)
        texts = [(await asyncio.wait_for(page.outbox.take(), 30))[0] for page in pages]
    assert texts[0] is texts[1]
    assert texts[2] is texts[3]
    assert digits_in_a_row(json.loads(texts[2])["items"][0]["content"]) == 0


async def test_an_id_with_a_number_in_it_is_another_for_a_masked_reader_and_removed_by_that(
    part: LivePart, runtime: RawRuntime
):
    await runtime.announce()
    await part.call()
    async with drawer(part, MASKED) as page:
        await heard(runtime, "turn-1700000000", "Uh")
        await page.until(lambda: page.items)
        await partial(runtime, "turn-1700000000", "", retracted=True)
        await page.until(lambda: not page.items)
        assert "turn-1700000000" not in page.raw
