"""The supervisor who has the caller: their voice to the bot, whether they are there, and what becomes of the call if not."""

import asyncio
import json
import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis.asyncio

from livemon_runtime import Audio, Call, Runtime, Supervisor
from livemon_runtime.limits import PACKETS_PER_S
from livemon_runtime.rtp import RtpPacket
from livemon_runtime.scripts import script
from tests.conftest import ValkeyProcess
from tests.runtime.conftest import Livemon, eventually
from tests.runtime.lossy_proxy import lossy_proxy


class Bot:
    """A bot that does as the README says, and remembers."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.heard: list[bytes] = []
        self.silent: list[bool] = []
        self.lost: list[bool] = []
        self.met: list[str] = []
        call.on_take_over(self.meet)

    def meet(self, supervisor: Supervisor) -> None:
        self.met.append(supervisor.name)
        supervisor.on_audio(self.heard.append)
        supervisor.on_silence(self.silent.append)
        supervisor.on_lost(self.lost.append)


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livemon_runtime.heartbeat.HEARTBEAT_S", 0.3)


@pytest.fixture
async def bot(livemon: Livemon, runtime: Runtime) -> Bot:
    made = Bot(runtime.call(call_id="c-1", audio=Audio(caller="pcmu", agent="pcmu")))
    await eventually(lambda: livemon.call("c-1"))
    return made


async def take_over(
    livemon: Livemon, runtime: Runtime, bot: Bot, claim_id: str = "k-1", generation: int = 1, grace_ms: int = 30_000
) -> None:
    await livemon.claim("c-1", claim_id, generation=generation)
    asked = {"claim_id": claim_id, "generation": generation, "grace_ms": grace_ms}
    assert (await livemon.ask(runtime, bot.call, "take_over", **asked))["ok"]
    await eventually(lambda: subscribed(livemon, claim_id))


async def subscribed(livemon: Livemon, claim_id: str) -> bool:
    (_, count) = await livemon.redis.execute_command("PUBSUB", "SHARDNUMSUB", livemon.keys.supervisor("c-1", claim_id))
    return count > 0


def packet(sequence: int, payload: bytes | None = None, ssrc: int = 7) -> bytes:
    return RtpPacket(0, sequence & 0xFFFF, sequence * 160, ssrc, payload or b"%d" % sequence).pack()


async def speak(livemon: Livemon, *packets: bytes, claim_id: str = "k-1") -> None:
    for each in packets:
        await livemon.redis.execute_command("SPUBLISH", livemon.keys.supervisor("c-1", claim_id), each)


async def holder(livemon: Livemon) -> dict[str, Any]:
    stored = await livemon.redis.hget(livemon.keys.call("c-1"), "controller")
    return json.loads(stored) if stored else {}


async def true(look: Any) -> bool:
    return bool(look())


async def test_a_bot_that_can_be_taken_over_says_so_by_itself(livemon: Livemon, runtime: Runtime, bot: Bot):
    assert bot.call.record.call.capabilities == ["listen", "take_over"]


async def test_the_voice_comes_in_order_and_once(livemon: Livemon, runtime: Runtime, bot: Bot):
    await take_over(livemon, runtime, bot)
    await speak(livemon, packet(65_534), packet(65_535), packet(65_535), packet(65_536), packet(65_534), packet(65_537))
    await eventually(lambda: true(lambda: len(bot.heard) == 4))
    assert bot.heard == [b"65534", b"65535", b"65536", b"65537"]
    assert runtime.counters["supervisor_repeated"] == 2
    assert bot.silent == [True]


async def test_pcm_comes_as_this_machine_and_the_bots_have_it(livemon: Livemon, runtime: Runtime):
    audio = Audio(caller="opus", agent="opus", supervisor="l16/16000")
    bot = Bot(runtime.call(call_id="c-1", audio=audio))
    await eventually(lambda: livemon.call("c-1"))
    await take_over(livemon, runtime, bot)
    await speak(livemon, packet(1, struct.pack(">3h", 1, -2, 300)))
    await eventually(lambda: true(lambda: bot.heard))
    assert bot.heard == [struct.pack("<3h", 1, -2, 300)]


async def test_before_the_yes_and_on_another_claims_channel_nothing_is_heard(
    livemon: Livemon, runtime: Runtime, bot: Bot
):
    await speak(livemon, packet(1))
    await take_over(livemon, runtime, bot)
    await speak(livemon, packet(2), claim_id="k-0")
    await speak(livemon, packet(3))
    await eventually(lambda: true(lambda: bot.heard))
    assert bot.heard == [b"3"]


async def test_what_is_no_packet_hurts_nothing(livemon: Livemon, runtime: Runtime, bot: Bot):
    await take_over(livemon, runtime, bot)
    await speak(livemon, b"", b"\x00", b"\x80" * 2_000, packet(1)[:12], packet(5))
    await eventually(lambda: true(lambda: bot.heard))
    assert bot.heard == [b"5"]
    assert sum(count for reason, count in runtime.counters.items() if reason.startswith("supervisor_")) == 4


async def test_a_bot_that_fails_at_his_voice_keeps_the_call(livemon: Livemon, runtime: Runtime, bot: Bot):
    heard: list[bytes] = []

    async def play(frame: bytes) -> None:
        heard.append(frame)
        raise OSError("the line is down")

    bot.call.on_take_over(lambda supervisor: supervisor.on_audio(play) and None)
    await take_over(livemon, runtime, bot)
    await speak(livemon, packet(1), packet(2))
    await eventually(lambda: true(lambda: len(heard) == 2))
    await eventually(lambda: true(lambda: runtime.counters["supervisor_frame_failed"] == 2))
    assert not bot.call.ended


async def test_more_packets_than_the_protocol_allows_are_dropped_and_counted(
    livemon: Livemon, runtime: Runtime, bot: Bot, monkeypatch: pytest.MonkeyPatch
):
    await take_over(livemon, runtime, bot)
    now = runtime.clock.monotonic()
    monkeypatch.setattr(
        runtime.clock, "monotonic", lambda: now
    )  # no time passes: it is the burst alone that gets through
    await speak(livemon, *(packet(n, b"x") for n in range(2 * PACKETS_PER_S + 5)))
    await eventually(lambda: true(lambda: runtime.counters["supervisor_too_many"] == 5))
    assert runtime.counters["supervisor_repeated"] == 0


async def awaits_what_was_cancelled(_: bytes) -> None:
    own = asyncio.ensure_future(asyncio.Event().wait())
    own.cancel()
    await own


async def never_returns(_: bytes) -> None:
    await asyncio.Event().wait()


def fails(_: bytes) -> None:
    raise OSError("the line is down")


@pytest.mark.parametrize("hook", [awaits_what_was_cancelled, never_returns, fails])
async def test_whatever_the_bot_does_at_a_frame_who_is_gone_is_lost_and_then_the_call_ends(
    livemon: Livemon, runtime: Runtime, bot: Bot, monkeypatch: pytest.MonkeyPatch, hook: Any
):
    monkeypatch.setattr("livemon_runtime.watch.LOST_AFTER_S", 0.5)
    called = asyncio.Event()

    def play(frame: bytes) -> Any:
        called.set()
        return hook(frame)

    @bot.call.on_take_over
    def meet(supervisor: Supervisor) -> None:
        supervisor.on_audio(play)
        supervisor.on_lost(bot.lost.append)

    await take_over(livemon, runtime, bot, grace_ms=3_000)
    await speak(livemon, *(packet(n) for n in range(50)))
    await asyncio.wait_for(called.wait(), 60)
    await eventually(lambda: true(lambda: bot.call.ended))
    assert bot.lost[-1] is True
    assert bot.call.record.call.disconnection_reason == "supervisor_lost"
    said = [event["data"]["controller"] for event in await livemon.events("call_updated")]
    assert any(controller and controller.get("lost_since") for controller in said)


async def test_a_hook_that_ends_its_own_task_at_the_hang_up_ends_the_call_all_the_same(
    livemon: Livemon, runtime: Runtime, bot: Bot
):
    @bot.call.on_end
    async def hang_up() -> None:
        task = asyncio.current_task()
        assert task
        task.cancel()
        await asyncio.Event().wait()

    await take_over(livemon, runtime, bot, grace_ms=300)
    await eventually(lambda: true(lambda: bot.call.ended))
    assert bot.call.record.call.disconnection_reason == "supervisor_lost"


async def test_who_is_not_heard_is_said_to_be_lost_and_then_heard_again(
    livemon: Livemon, runtime: Runtime, bot: Bot, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("livemon_runtime.watch.LOST_AFTER_S", 0.2)
    await take_over(livemon, runtime, bot)
    lost = await eventually(lambda: lost_since(livemon))
    assert abs(lost - await livemon.now()) < 20_000
    rev = (await livemon.call("c-1"))["rev"]
    await speak(livemon, packet(1))
    await eventually(lambda: heard_again(livemon))
    assert int((await livemon.call("c-1"))["rev"]) > int(rev)
    assert bot.lost[:2] == [True, False]
    assert (await holder(livemon))["claim_id"] == "k-1"


async def lost_since(livemon: Livemon) -> int | None:
    return (await holder(livemon)).get("lost_since")


async def heard_again(livemon: Livemon) -> bool:
    return "lost_since" not in await holder(livemon)


async def test_nobody_heard_for_the_grace_time_ends_the_call_and_hangs_up(livemon: Livemon, runtime: Runtime, bot: Bot):
    hung_up = asyncio.Event()

    @bot.call.on_end
    def hang_up() -> None:
        hung_up.set()
        bot.call.end()  # as a bot does whose line is closed

    await take_over(livemon, runtime, bot, grace_ms=300)
    await eventually(lambda: livemon.status("c-1") if bot.call.ended else true(lambda: False))
    assert hung_up.is_set()
    assert bot.call.record.call.disconnection_reason == "supervisor_lost"
    assert bot.silent == [True], "the agent never comes back"


async def test_who_speaks_keeps_the_call_longer_than_the_grace_time(livemon: Livemon, runtime: Runtime, bot: Bot):
    await take_over(livemon, runtime, bot, grace_ms=1_000)
    for sequence in range(1, 31):
        await speak(livemon, packet(sequence))
        await asyncio.sleep(0.05)
    assert not bot.call.ended
    assert len(bot.heard) == 30


async def test_who_follows_is_heard_and_the_one_before_no_more(livemon: Livemon, runtime: Runtime, bot: Bot):
    await take_over(livemon, runtime, bot)
    await speak(livemon, packet(1))
    await take_over(livemon, runtime, bot, "k-2", 2)
    await eventually(lambda: gone(livemon, "k-1"))
    await speak(livemon, packet(2))
    await speak(livemon, packet(3, ssrc=8), claim_id="k-2")
    await eventually(lambda: true(lambda: len(bot.heard) == 2))
    assert bot.heard == [b"1", b"3"]
    assert bot.met == ["Grace", "Grace"]


async def gone(livemon: Livemon, claim_id: str) -> bool:
    return not await subscribed(livemon, claim_id)


async def test_the_calls_end_leaves_his_channel(livemon: Livemon, runtime: Runtime, bot: Bot):
    await take_over(livemon, runtime, bot)
    bot.call.end("user_hangup")
    await eventually(lambda: gone(livemon, "k-1"))


async def test_a_redis_that_is_emptied_takes_the_caller_from_nobody(
    livemon: Livemon, runtime: Runtime, bot: Bot, valkey: redis.asyncio.Redis
):
    await take_over(livemon, runtime, bot)
    before = await livemon.call("c-1")
    await valkey.flushall()
    await eventually(lambda: announced_again(livemon, before))
    assert (await holder(livemon))["claim_id"] == "k-1"
    await speak(livemon, packet(9))
    await eventually(lambda: true(lambda: bot.heard))
    assert bot.silent == [True]


async def announced_again(livemon: Livemon, before: dict[str, Any] | None) -> bool:
    now = await livemon.call("c-1")
    return bool(now and before and now["incarnation"] != before["incarnation"])


@pytest.fixture
async def adopted(valkey_url: str, livemon: Livemon) -> AsyncIterator[Bot]:
    """A call that a supervisor had before this process."""
    async with Runtime(valkey_url, name="before") as before:
        first = Bot(before.call(call_id="c-1", audio=Audio(caller="pcmu", agent="pcmu")))
        await eventually(lambda: livemon.call("c-1"))
        await take_over(livemon, before, first)
        await before._stop()  # it dies with its call
        async with Runtime(valkey_url, name="after") as after:
            yield Bot(after.call(call_id="c-1", audio=Audio(caller="pcmu", agent="pcmu")))


async def test_a_process_that_adopts_a_held_call_hears_its_supervisor(livemon: Livemon, adopted: Bot):
    await eventually(lambda: true(lambda: adopted.met))
    await eventually(lambda: subscribed(livemon, "k-1"))
    await speak(livemon, packet(4))
    await eventually(lambda: true(lambda: adopted.heard))
    assert adopted.met == ["Grace"]
    assert adopted.call.agent_silent


async def test_a_bot_that_still_meets_whose_call_it_adopted_follows_who_has_it_since(livemon: Livemon, adopted: Bot):
    met: list[str] = []
    may_go_on = asyncio.Event()

    @adopted.call.on_take_over
    async def meet(supervisor: Supervisor) -> None:
        met.append(supervisor.claim_id)
        supervisor.on_audio(adopted.heard.append)
        if supervisor.claim_id == "k-1":
            await may_go_on.wait()  # it looks something up

    await eventually(lambda: true(lambda: met))
    assert adopted.call.agent_silent
    await eventually(lambda: subscribed(livemon, "k-1"))
    await take_over(livemon, adopted.call._runtime, adopted, "k-2", 2)
    may_go_on.set()
    await livemon.now()  # by now it has met k-1
    await speak(livemon, packet(1), claim_id="k-1")
    await speak(livemon, packet(2), claim_id="k-2")
    await eventually(lambda: true(lambda: adopted.heard))
    assert (met, adopted.heard) == (["k-1", "k-2"], [b"2"])
    assert (await holder(livemon))["claim_id"] == "k-2"


async def test_an_accept_whose_answer_was_late_is_not_followed_after_the_next_one(
    livemon: Livemon, valkey_server: ValkeyProcess
):
    async with (
        lossy_proxy(valkey_server.port) as proxy,
        Runtime(proxy.url, name="remote", handler_timeout=60) as remote,
    ):
        bot = Bot(remote.call(call_id="c-1", audio=Audio(caller="pcmu", agent="pcmu")))
        await eventually(lambda: livemon.call("c-1"))
        silencing, may_go_on = asyncio.Event(), asyncio.Event()

        @bot.call.on_agent_silenced
        async def silence(silent: bool) -> None:
            silencing.set()
            await may_go_on.wait()

        await livemon.claim("c-1", "k-1", lasts_ms=30_000)
        proxy.lose_answer_to(script("accept").sha.encode(), then_away=True)
        first = {"claim_id": "k-1", "generation": 1, "grace_ms": 30_000, "deadline": await livemon.now() + 30_000}
        await livemon.send(remote.runtime_id, "c-1", "take_over", **first)
        await asyncio.wait_for(silencing.wait(), 60)  # while it is not known
        proxy.come_back()
        await eventually(lambda: subscribed(livemon, "k-1"))
        await take_over(livemon, remote, bot, "k-2", 2)
        may_go_on.set()
        await remote._commands.quiet()
        await speak(livemon, packet(1), claim_id="k-1")
        await speak(livemon, packet(2), claim_id="k-2")
        await eventually(lambda: true(lambda: bot.heard))
        assert bot.heard == [b"2"]


@pytest.mark.parametrize("bad", [b'{"user_id": "u", "name": "n"}', b"[]", b"{", b"\xff", b"?"])
async def test_a_stored_controller_that_is_none_is_none_and_hurts_no_other_call(
    livemon: Livemon, runtime: Runtime, bot: Bot, bad: bytes
):
    left = {"incarnation": "x", "rev": 3, "data": "{}", "runtime": "rt-before", "controller": bad}
    await livemon.redis.hset(livemon.keys.call("c-2"), mapping=left)
    call = runtime.call(call_id="c-2", audio=Audio(caller="pcmu", agent="pcmu"))
    key = livemon.keys.call("c-2")
    await eventually(lambda: equal(livemon.redis.hget(key, "runtime"), runtime.runtime_id.encode()))
    assert await livemon.redis.hget(key, "controller") == b""
    assert runtime.counters["controller_malformed"] == 1
    assert not call.agent_silent
    await take_over(livemon, runtime, bot)
    assert (await holder(livemon))["claim_id"] == "k-1"


async def equal(asked: Any, wanted: Any) -> bool:
    return await asked == wanted


# --- the script


async def run(livemon: Livemon, call: Call, claim_id: str, silent_ms: int | None, incarnation: str = "") -> list[Any]:
    command = call.record.scripts.supervisor(incarnation or call.record.incarnation, claim_id, silent_ms)
    return await livemon.redis.execute_command(*command)


async def test_the_script_says_it_once_and_only_of_who_has_the_call(livemon: Livemon, runtime: Runtime, bot: Bot):
    await take_over(livemon, runtime, bot)
    call = bot.call
    status, rev, controller = await run(livemon, call, "k-1", 3_000)
    assert status == b"ok"
    assert (await livemon.now()) - json.loads(controller)["lost_since"] >= 3_000
    assert (await run(livemon, call, "k-1", 3_500))[:2] == [b"ok", rev], "twice is once"
    assert (await run(livemon, call, "k-0", 3_000))[0] == b"other"
    assert (await run(livemon, call, "k-1", 3_000, "another"))[0] == b"announce"
    assert "lost_since" not in json.loads((await run(livemon, call, "k-1", None))[2])
