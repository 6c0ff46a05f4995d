"""What bad input gets: it is counted by reason, and no other call is hurt."""

import asyncio
import contextlib
import json
import random
import socket
from collections import Counter
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from livemon_runtime import Runtime
from tests.adapters.twilio.bots import HandBot, by_hand
from tests.adapters.twilio.carrier import STREAM, Carrier, calling, sid, signed
from tests.adapters.twilio.serving import gateway, over, soon, take_over
from tests.adapters.twilio.tones import BOT, mu_law
from tests.conftest import free_port
from tests.runtime.conftest import Livemon, eventually

VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    1e308,
    2**70,
    "",
    "x",
    "\udfff",
    "=" * 7,
    "/w==",
    "A" * 3_000,
    [],
    [1],
    {},
    {"a": {}},
]
EVENTS = ["connected", "start", "media", "dtmf", "mark", "stop", "clear", "weather", "", "media\0"]
FIELDS = ["event", "streamSid", "sequenceNumber", "media", "mark", "dtmf", "start", "stop", "payload", "name", "digit"]


def odd_value(rng: random.Random, depth: int = 0) -> Any:
    if depth < 2 and rng.random() < 0.4:
        return {rng.choice(FIELDS): odd_value(rng, depth + 1) for _ in range(rng.randrange(4))}
    return rng.choice(VALUES)


def odd_message(rng: random.Random, *, stops: bool) -> str:
    """Something like a message: a good one changed in one place, any JSON, or no JSON."""
    kind = rng.random()
    if kind < 0.1:
        return rng.choice(["", "{", "[]", "null", '"media"', "{}" * 3, '{"event":', "\0", "[" * 5_000, "9" * 5_000])
    event = rng.choice(EVENTS if stops else [one for one in EVENTS if one != "stop"])
    message: dict[str, Any] = {
        "event": event,
        "streamSid": "MZ1",
        "sequenceNumber": str(rng.randrange(9)),
        "media": {"payload": "/v7+/w==", "track": "inbound"},
        "mark": {"name": f"m{rng.randrange(3)}"},
        "dtmf": {"digit": "5"},
    }
    if kind < 0.9:
        field = rng.choice(FIELDS)
        inner = rng.choice(["", "media", "mark", "dtmf"])
        (message[inner] if inner else message)[field] = odd_value(rng)
        if field == "event" and message["event"] == "stop" and not stops:
            message["event"] = "media"
    return json.dumps(message).replace("\\udfff", "?")


async def pelt(send: Any, rng: random.Random, count: int) -> None:
    for n in range(count):
        await send(odd_message(rng, stops=False))
        if n % 200 == 0:
            await asyncio.sleep(0)


async def good_call(carrier: Carrier, bot: HandBot) -> None:
    """Both sides hear each other, and marks come back."""
    heard, media = carrier.loud(BOT), len(bot.events("media"))
    name = f"good-{len(bot.marks)}"
    await bot.say(mu_law(BOT, 400))
    await bot.mark(name)
    await soon(lambda: name in bot.marks)
    await soon(lambda: carrier.loud(BOT) >= heard + 18 and len(bot.events("media")) > media + 10)


@pytest.mark.parametrize("silenced", [False, True], ids=["agent", "taken over"])
async def test_ten_thousand_odd_messages_from_both_sides_hurt_nothing(
    livemon: Livemon, runtime: Runtime, silenced: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING", "livemon_runtime")
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    async with by_hand() as server, gateway(runtime, server.url) as serving, calling(serving.port) as good:
        well = await server.bot()
        async with calling(serving.port, 2, voice=None) as bad:
            ill = await server.bot()
            if silenced:
                await take_over(livemon, runtime, sid(2))
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(pelt(bad.socket.send, rng, 6_000))
                tasks.create_task(pelt(ill.socket.send, rng, 6_000))
                tasks.create_task(good_call(good, well))
            await good_call(good, well)
            await eventually(lambda: over(lambda: runtime.counters["twilio_bot_no_json"] > 100))
            if silenced:
                assert {m["streamSid"] for m in bad.received if m["event"] == "media"} <= {STREAM}, (
                    "not the hold tone's alone"
                )
                assert len(bad.events("clear")) == 1
        counted = {name: count for name, count in runtime.counters.items() if name.startswith("twilio")}
        assert {
            "twilio_bot_no_json",
            "twilio_bot_bad_media",
            "twilio_carrier_no_json",
            "twilio_carrier_bad_dtmf",
        } <= set(counted)
        assert counted.get("twilio_call_failed", 0) == 0
        assert counted.get("twilio_pump_failed", 0) == 0
        assert "Traceback" not in caplog.text
        told = Counter(
            record.getMessage().split(" (")[0] for record in caplog.records if "dropped" in record.getMessage()
        )
        assert max(told.values()) <= 2, f"the log was flooded: {told}"


@pytest.mark.parametrize(
    "first",
    [
        ["hello"],
        ["[]"],
        ['{"event":"start"}'],
        ['{"event":"start","start":{"callSid":"CA1"}}'],
        ['{"event":"connected"}'] * 9,
        ['{"event":"start","start":{"callSid":7,"streamSid":["x"],"customParameters":[]}}'],
    ],
)
async def test_what_does_not_begin_as_a_call_is_closed_and_nobody_hears_of_it(
    livemon: Livemon, runtime: Runtime, first: list[str]
) -> None:
    async with by_hand() as server, gateway(runtime, server.url) as serving:
        url = f"ws://127.0.0.1:{serving.port}/media"
        async with connect(url, additional_headers=signed(url)) as socket:
            with contextlib.suppress(ConnectionClosed):
                for text in first:
                    await socket.send(text)
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(socket.recv(), 60)
        await soon(lambda: serving.calls == 0)
        assert server.made.empty()
    assert sum(count for name, count in runtime.counters.items() if name.startswith("twilio")) == 1
    assert await livemon.listed() == []


async def test_a_stream_that_says_nothing_is_closed_in_time(livemon: Livemon, runtime: Runtime) -> None:
    async with by_hand() as server, gateway(runtime, server.url, start_timeout=0.3) as serving:
        url = f"ws://127.0.0.1:{serving.port}/media"
        async with connect(url, additional_headers=signed(url)) as socket:
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(socket.recv(), 60)
    assert runtime.counters["twilio_no_start"] == 1


async def test_a_start_with_names_that_livemon_cannot_have_passes_all_the_same(
    livemon: Livemon, runtime: Runtime
) -> None:
    async with by_hand() as server, gateway(runtime, server.url) as serving:
        url = f"ws://127.0.0.1:{serving.port}/media"
        start = {
            "callSid": "CA 1/\u00e9" * 60,
            "streamSid": "MZ",
            "customParameters": {"from": "x" * 9_000, "to": "\x00"},
        }
        async with connect(url, additional_headers=signed(url)) as socket:
            await socket.send(json.dumps({"event": "start", "start": start}))
            bot = await server.bot()
            assert bot.events("start")[0]["start"] == start
            await eventually(livemon.listed)


async def test_a_message_that_is_too_large_ends_that_call_alone(livemon: Livemon, runtime: Runtime) -> None:
    async with by_hand() as server, gateway(runtime, server.url) as serving, calling(serving.port) as good:
        well = await server.bot()
        async with calling(serving.port, 2) as bad:
            await server.bot()
            await bad.socket.send("x" * 70_000)
            await soon(bad.closed.is_set)
        await good_call(good, well)


async def test_more_calls_than_allowed_are_refused_before_the_bot_hears_of_them(
    livemon: Livemon, runtime: Runtime
) -> None:
    async with by_hand() as server, gateway(runtime, server.url, max_calls=1) as serving, calling(serving.port):
        await server.bot()
        with pytest.raises(InvalidStatus) as refused:
            async with calling(serving.port, 2):
                pass
        assert refused.value.response.status_code == 503
        assert server.made.empty()


async def test_gaps_in_twilios_numbering_are_counted(livemon: Livemon, runtime: Runtime) -> None:
    async with (
        by_hand() as server,
        gateway(runtime, server.url) as serving,
        calling(serving.port, voice=None) as carrier,
    ):
        bot = await server.bot()
        carrier._sequence += 7
        await carrier.press("1")
        await soon(lambda: bot.events("dtmf"))
    assert runtime.counters["twilio_sequence_gap"] == 7


async def test_a_bot_that_takes_nothing_loses_what_is_too_much_and_the_call_stands(
    livemon: Livemon, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livemon_runtime.adapters.twilio.bot_line._MOST_WAITING", 20)
    async with (
        by_hand() as server,
        gateway(runtime, server.url) as serving,
        calling(serving.port, voice=None) as carrier,
    ):
        bot = await server.bot()
        bot.socket.transport.pause_reading()
        large = json.dumps({"event": "weather", "rain": "x" * 50_000})
        for _ in range(400):
            await carrier.socket.send(large)
        await soon(lambda: runtime.counters["twilio_bot_slow"] > 0)
        bot.socket.transport.resume_reading()
        await soon(lambda: bot.events("weather"))
        assert not carrier.closed.is_set()


async def test_a_bot_that_cannot_be_reached_is_named_without_its_secrets(
    livemon: Livemon, runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING", "livemon_runtime")
    bot = f"ws://ada:PASSWORD@127.0.0.1:{free_port()}/ws?key=SECRET"
    async with gateway(runtime, bot) as serving, calling(serving.port) as carrier:
        await soon(carrier.closed.is_set)
        bot = f"ws://127.0.0.1:{serving.port}/none?key=SECRET"
        async with gateway(runtime, bot) as another, calling(another.port, 2) as carrier:
            await soon(carrier.closed.is_set)
    assert runtime.counters["twilio_bot_unreachable"] == 2
    assert "/ws: " in caplog.text
    assert "PASSWORD" not in caplog.text
    assert "SECRET" not in caplog.text


async def test_the_kernel_is_asked_to_notice_a_line_of_twilios_that_is_gone(livemon: Livemon, runtime: Runtime) -> None:
    async with by_hand() as server, gateway(runtime, server.url) as serving, calling(serving.port):
        await server.bot()
        (bridge,) = serving._bridges
        line = bridge._carrier.get_extra_info("socket")
        assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 15
        assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 45_000
