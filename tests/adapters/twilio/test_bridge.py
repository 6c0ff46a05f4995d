"""A call between Twilio's documented messages and a real Pipecat bot that knows nothing of livemon."""

from pipecat.frames.frames import TTSSpeakFrame

from livemon_runtime import Runtime
from tests.adapters.twilio.bots import by_hand, pipecat
from tests.adapters.twilio.carrier import calling, sid
from tests.adapters.twilio.serving import Listener, ended, gateway, soon
from tests.adapters.twilio.tones import BOT, CALLER, mu_law
from tests.runtime.conftest import Livemon, eventually


async def test_both_ends_hear_each_other_and_the_call_is_in_the_list(livemon: Livemon, runtime: Runtime) -> None:
    async with (
        pipecat() as server,
        gateway(runtime, server.url, agent_name="Ada") as serving,
        calling(
            serving.port, **{"from": "+12125550184", "to": "+12125550100", "direction": "inbound", "key": "v"}
        ) as carrier,
    ):
        bot = await server.bot()
        assert bot.start["start"]["customParameters"]["key"] == "v"
        await bot.worker.queue_frame(TTSSpeakFrame("Good morning to you all."))
        await soon(lambda: carrier.loud(BOT) > 40)
        await soon(lambda: bot.hearing.pitches.count(CALLER) > 20)
        stored = await eventually(lambda: livemon.call(sid()))
        assert await livemon.listed() == [sid()]
    call = stored["data"]
    assert (call["from_number"], call["to_number"], call["direction"]) == ("+12125550184", "+12125550100", "inbound")
    assert (call["agent_name"], call["call_type"]) == ("Ada", "phone_call")
    assert set(call["audio"].values()) == {"pcmu"}
    assert call["capabilities"] == ["listen", "take_over", "end"]
    assert "key" not in call["metadata"]


async def test_a_call_without_parameters_is_there_all_the_same(livemon: Livemon, runtime: Runtime) -> None:
    async with by_hand() as server, gateway(runtime, server.url) as serving, calling(serving.port):
        stored = await eventually(lambda: livemon.call(sid()))
    assert "from_number" not in stored["data"]
    assert "direction" not in stored["data"]


async def test_what_passes_is_the_text_that_came(livemon: Livemon, runtime: Runtime) -> None:
    odd = '{ "event":"weather" , "streamSid":"MZ1","sky":{"blue":[1,2]}}'
    async with (
        by_hand() as server,
        gateway(runtime, server.url) as serving,
        calling(serving.port, voice=None) as carrier,
    ):
        bot = await server.bot()
        await bot.socket.send(odd)
        await carrier.socket.send(odd)
        await soon(lambda: carrier.events("weather") and bot.events("weather"))
        assert carrier.events("weather")[0] == bot.events("weather")[0] == {
            "event": "weather", "streamSid": "MZ1", "sky": {"blue": [1, 2]},
        }  # fmt: skip
        await bot.mark("one")
        await soon(lambda: bot.marks == ["one"])
        await bot.send("clear")
        await soon(lambda: carrier.events("clear"))
    assert runtime.counters["twilio_sequence_gap"] == 0


async def test_the_transcript_says_why_it_has_no_words_and_has_the_keys(livemon: Livemon, runtime: Runtime) -> None:
    async with by_hand() as server, gateway(runtime, server.url) as serving, calling(serving.port) as carrier:
        bot = await server.bot()
        await carrier.press("5")
        await carrier.press("#")
        await soon(lambda: len(bot.events("dtmf")) == 2)
        await eventually(lambda: two_keys(livemon))
    note, *keys = await livemon.transcript(sid())
    assert note["role"] == "note"
    assert "speech-to-text" in note["content"]
    assert [(entry["role"], entry["digit"]) for entry in keys] == [("dtmf", "5"), ("dtmf", "#")]


async def two_keys(livemon: Livemon) -> bool:
    return len(await livemon.transcript(sid())) == 3


async def test_a_listener_hears_both_as_the_caller_does_and_nothing_is_sent_for_it_but_marks_to_twilio(
    livemon: Livemon, runtime: Runtime
) -> None:
    async with by_hand() as server, gateway(runtime, server.url) as serving, calling(serving.port) as carrier:
        bot = await server.bot()
        await eventually(lambda: livemon.call(sid()))
        async with Listener(livemon, runtime) as ear:
            await soon(lambda: ear.pitches("caller").count(CALLER) > 10)
            await bot.say(mu_law(BOT, 3_000))  # a burst, as bots send
            await soon(lambda: ear.pitches("agent").count(BOT) > 50)
            assert ear.pitches("agent").count(BOT) <= carrier.loud(BOT) + 15, "the listener is ahead of the caller"
            await bot.send("clear")
            await soon(lambda: carrier.events("clear"))
            said = carrier.loud(BOT)
            await bot.say(mu_law(CALLER, 400))  # another pitch: what is said after the barge-in
            await soon(lambda: CALLER in ear.pitches("agent"))
        assert said < 140, "the burst was over before it was cleared: nothing was tried"
        assert abs(ear.pitches("agent").count(BOT) - said) <= 15, "what was cleared was published"
        times = [at for at, _ in ear.packets["agent"]]
        assert times[40] - times[0] > 0.5, "the burst went to the listener as a burst"
        assert bot.marks == [], "a mark of the gateway's own reached the bot"
        assert any(message["mark"]["name"].startswith("livemon-") for message in carrier.events("mark"))


async def test_while_nobody_listens_twilio_gets_not_one_message_more_than_the_bot_sends(
    livemon: Livemon, runtime: Runtime
) -> None:
    async with by_hand() as server, gateway(runtime, server.url) as serving, calling(serving.port) as carrier:
        bot = await server.bot()
        for _ in range(20):
            await bot.say(mu_law(BOT, 200))
        await bot.mark("end")
        await soon(lambda: bot.marks == ["end"])
    assert [message["event"] for message in carrier.received] == ["media"] * 20 + ["mark"]


async def test_the_bots_own_signature_is_made_over_its_own_address(livemon: Livemon, runtime: Runtime) -> None:
    from tests.adapters.twilio.carrier import signed

    async with by_hand() as server, gateway(runtime, server.url) as serving, calling(serving.port):
        await server.bot()
        assert server.headers[0]["X-Twilio-Signature"] == signed(server.url)["X-Twilio-Signature"]


# --- how it ends


async def test_the_caller_hangs_up(livemon: Livemon, runtime: Runtime) -> None:
    async with by_hand() as server, gateway(runtime, server.url) as serving, calling(serving.port) as carrier:
        bot = await server.bot()
        await carrier.stop()
        await eventually(lambda: ended(livemon, "user_hangup"))
        await soon(bot.closed.is_set)
        assert [message["event"] for message in bot.received][-1] == "stop"
        await soon(lambda: serving.calls == 0)


async def test_the_bot_hangs_up(livemon: Livemon, runtime: Runtime) -> None:
    async with by_hand() as server, gateway(runtime, server.url) as serving, calling(serving.port) as carrier:
        bot = await server.bot()
        await bot.socket.close()
        await eventually(lambda: ended(livemon, "agent_hangup"))
        await soon(carrier.closed.is_set)
        assert carrier.socket.close_code == 1000


async def test_twilios_stream_breaks_off(livemon: Livemon, runtime: Runtime) -> None:
    async with by_hand() as server, gateway(runtime, server.url) as serving, calling(serving.port) as carrier:
        bot = await server.bot()
        carrier.socket.transport.abort()
        await eventually(lambda: ended(livemon, "error_carrier_lost"))
        await soon(bot.closed.is_set)


async def test_a_bot_that_cannot_be_reached_closes_twilios_stream_in_order(livemon: Livemon, runtime: Runtime) -> None:
    async with gateway(runtime, "ws://127.0.0.1:1/bot") as serving, calling(serving.port) as carrier:
        await soon(carrier.closed.is_set)
        assert carrier.socket.close_code == 1000
        await eventually(lambda: ended(livemon, "error_bot_unreachable"))
    assert runtime.counters["twilio_bot_unreachable"] == 1


async def test_a_whole_pipecat_bot_ends_its_call(livemon: Livemon, runtime: Runtime) -> None:
    async with pipecat() as server, gateway(runtime, server.url) as serving, calling(serving.port) as carrier:
        bot = await server.bot()
        await bot.worker.stop_when_done()
        await eventually(lambda: ended(livemon, "agent_hangup"))
        await soon(carrier.closed.is_set)


async def test_the_same_call_once_more_has_an_id_of_its_own(livemon: Livemon, runtime: Runtime) -> None:
    async with by_hand() as server, gateway(runtime, server.url) as serving:
        for _ in range(2):
            async with calling(serving.port) as carrier:
                await server.bot()
                await carrier.stop()
                await soon(lambda: serving.calls == 0)
        await eventually(lambda: ended(livemon, "user_hangup", f"{sid()}-2"))
