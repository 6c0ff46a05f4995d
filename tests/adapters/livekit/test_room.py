"""A call in a room, without a server: the session's own RoomIO, the library's native tracks, and its API's requests.

What a LiveKit server does with them is not tried here.
"""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
from aiohttp import web
from livekit import api, rtc
from livekit.agents import CloseEvent, CloseReason
from livekit.agents.job import _JobContextVar
from livekit.agents.voice.room_io import AudioInputOptions, RoomOptions

from livemon_runtime import Runtime
from livemon_runtime.adapters.livekit import OtherRoom, watch
from tests.adapters.livekit.agents import Bot, Setting, hears, parts
from tests.adapters.livekit.offline_room import OfflineRoom, Participant
from tests.adapters.livekit.test_job import Job
from tests.adapters.livekit.test_record import TEN, entries, over, reason
from tests.adapters.supervising import take_over, talking
from tests.conftest import free_port
from tests.runtime.conftest import Livemon, eventually

SECRET = "a secret that is long enough for a signature"


@contextlib.asynccontextmanager
async def in_a_room(
    runtime: Runtime, room: OfflineRoom, *, before_start: bool = True, given: bool = True, **options: Any
) -> AsyncIterator[Bot]:
    bot = parts(Setting())
    fields: dict[str, Any] = {"call_id": "c-1", "agent_name": "Ada"}
    if given:
        fields["room"] = room
    if before_start:
        bot.call = watch(runtime, bot.session, **fields)
    audio = AudioInputOptions(auto_gain_control=False, pre_connect_audio=False)
    await bot.session.start(
        bot.desk, room=room, room_options=RoomOptions(audio_input=audio, text_input=False, **options)
    )
    if not before_start:
        bot.call = watch(runtime, bot.session, **fields)
    await eventually(lambda: hears(bot))
    try:
        yield bot
    finally:
        bot.desk.let_answer.set()
        await bot.session.aclose()
        await room.close()


@pytest.fixture
async def room() -> OfflineRoom:
    return OfflineRoom()


async def test_a_call_in_a_room_is_recorded_as_it_is_spoken(
    livemon: Livemon, runtime: Runtime, room: OfflineRoom
) -> None:
    room.call(**{"sip.phoneNumber": "+12125550184", "sip.trunkPhoneNumber": "+12125550100", "sip.ruleID": "r"})
    async with in_a_room(runtime, room) as bot:
        bot.session.say(TEN)
        await eventually(lambda: over(lambda: room.heard.bot > 700))
        bot.hearing.hear("Stop.")
        (turn, *_) = await eventually(lambda: entries(livemon, "agent"))
        room.emit("sip_dtmf_received", rtc.SipDTMF(code=5, digit="5", participant=room.remote_participants["caller"]))
        await eventually(lambda: entries(livemon, "dtmf"))
    assert turn["interrupted"] is True
    assert turn["content"].startswith("one two")
    assert "nine" not in turn["content"]
    stored = (await livemon.call("c-1"))["data"]  # type: ignore[index]
    assert (stored["from_number"], stored["to_number"]) == ("+12125550184", "+12125550100")
    assert (stored["direction"], stored["call_type"]) == ("inbound", "phone_call")


@pytest.mark.parametrize(("before_start", "given"), [(True, True), (True, False), (False, True), (False, False)])
async def test_the_supervisor_has_a_track_of_their_own_and_the_agents_is_muted(
    livemon: Livemon, runtime: Runtime, room: OfflineRoom, before_start: bool, given: bool
) -> None:
    room.call()
    async with in_a_room(runtime, room, before_start=before_start, given=given) as bot:
        background = rtc.LocalAudioTrack.create_audio_track("background", rtc.AudioSource(24_000, 1))
        await room.local_participant.publish_track(background, rtc.TrackPublishOptions())
        bot.session.say(TEN, allow_interruptions=False)
        await eventually(lambda: over(lambda: room.heard.bot > 200))
        await take_over(livemon, runtime, bot)
        ms = room.heard.bot
        late = rtc.LocalAudioTrack.create_audio_track("late", rtc.AudioSource(24_000, 1))
        await room.local_participant.publish_track(late, rtc.TrackPublishOptions())
        await room.local_participant.publish_dtmf(code=1, digit="1")
        bot.session.say("Please hold the line.")
        bot.hearing.hear("Hello?")
        async with talking(livemon, bot):
            await eventually(lambda: over(lambda: room.heard.supervisor > 1_000))
        tracks = {one.track.name: one.track.muted for one in room.local_participant.track_publications.values()}
    assert tracks == {"roomio_audio": True, "background": True, "late": True, "livemon-supervisor": False}
    assert room.heard.bot == ms
    assert bot.thinking.runs == 0
    assert room.local_participant.tones == []
    assert "Hello?" in await livemon.contents("c-1")


async def test_a_room_that_does_not_take_the_supervisors_voice_refuses_the_take_over(
    livemon: Livemon, runtime: Runtime, room: OfflineRoom
) -> None:
    room.call()
    async with in_a_room(runtime, room) as bot:
        room.local_participant.refuses = True
        await eventually(lambda: livemon.call("c-1"))
        await livemon.claim("c-1", "k-1")
        told = await livemon.ask(
            runtime,
            "c-1",
            "take_over",
            claim_id="k-1",
            generation=1,
            grace_ms=30_000,
            deadline=await livemon.now() + 5_000,
        )
        assert not bot.call.agent_silent
    assert not told["ok"]
    assert "the caller would hear nobody" in told["error"]["message"]


async def test_a_caller_who_hangs_up_ends_the_call_and_nobody_else_does(
    livemon: Livemon, runtime: Runtime, room: OfflineRoom
) -> None:
    caller = room.call()
    async with in_a_room(runtime, room) as bot:
        await eventually(lambda: livemon.call("c-1"))
        other = Participant("other", rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD)
        room.come(other)
        room.leave(other)
        bot.hearing.hear("I need a table.")
        await eventually(lambda: entries(livemon, "agent"))
        assert not bot.call.ended
        room.leave(caller)
        await eventually(lambda: reason(livemon, "user_hangup"))


async def test_a_caller_who_leaves_the_supervisor_ends_the_call_though_the_session_would_stay(
    livemon: Livemon, runtime: Runtime, room: OfflineRoom
) -> None:
    caller = room.call()
    async with in_a_room(runtime, room, close_on_disconnect=False) as bot:
        await take_over(livemon, runtime, bot)
        room.leave(caller, rtc.DisconnectReason.SIGNAL_CLOSE)
        assert not bot.call.ended, "they may come back"
        room.come(caller)
        room.leave(caller)
        await eventually(lambda: reason(livemon, "user_hangup"))


async def test_another_room_than_the_sessions_is_refused_in_words(
    livemon: Livemon, runtime: Runtime, room: OfflineRoom
) -> None:
    room.call()
    bot = parts(Setting())
    await bot.session.start(bot.desk, room=room, room_options=RoomOptions(text_input=False))
    with pytest.raises(OtherRoom, match="'call-1', not in 'call-2'"):
        watch(runtime, bot.session, room=OfflineRoom("call-2"))
    await bot.session.aclose()
    await room.close()


# --- the end


@contextlib.asynccontextmanager
async def server(monkeypatch: pytest.MonkeyPatch, answers: list[web.Response]) -> AsyncIterator[list[Any]]:
    """What a LiveKit server is asked over HTTP, and what it answers."""
    asked: list[Any] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append((request.path, dict(request.headers), await request.read()))
        return answers.pop(0)

    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    monkeypatch.setenv("LIVEKIT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("LIVEKIT_API_KEY", "key")
    monkeypatch.setenv("LIVEKIT_API_SECRET", SECRET)
    yield asked
    await runner.cleanup()


def refusal(code: str, status: int) -> web.Response:
    return web.json_response({"code": code, "msg": "no"}, status=status)


async def test_end_deletes_the_room_by_the_servers_api(
    livemon: Livemon, runtime: Runtime, room: OfflineRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.call()
    async with (
        server(monkeypatch, [web.Response(content_type="application/protobuf")]) as asked,
        in_a_room(runtime, room),
    ):
        await eventually(lambda: livemon.call("c-1"))
        assert (await livemon.ask(runtime, "c-1", "end"))["ok"]
        await eventually(lambda: reason(livemon, "manual_stopped"))
    ((path, headers, body),) = asked
    assert path == "/twirp/livekit.RoomService/DeleteRoom"
    assert api.DeleteRoomRequest.FromString(body).room == "call-1"
    claims = jwt.decode(headers["Authorization"].removeprefix("Bearer "), SECRET, algorithms=["HS256"])
    assert claims["iss"] == "key"
    assert claims["video"]["roomCreate"] is True, "what deleting a room needs"


async def test_a_room_that_is_gone_already_is_ended(
    livemon: Livemon, runtime: Runtime, room: OfflineRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.call()
    async with server(monkeypatch, [refusal("not_found", 404)]), in_a_room(runtime, room):
        await eventually(lambda: livemon.call("c-1"))
        assert (await livemon.ask(runtime, "c-1", "end"))["ok"]
        await eventually(lambda: reason(livemon, "manual_stopped"))


async def test_a_server_that_does_not_delete_the_room_leaves_the_call_as_it_is_and_says_so(
    livemon: Livemon, runtime: Runtime, room: OfflineRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.call()
    async with server(monkeypatch, [refusal("unauthenticated", 401)]), in_a_room(runtime, room) as bot:
        await eventually(lambda: livemon.call("c-1"))
        told = await livemon.ask(runtime, "c-1", "end")
        assert not bot.call.ended
        bot.hearing.hear("I need a table.")
        await eventually(lambda: entries(livemon, "agent"))
    assert not told["ok"]
    assert "may still be connected (unauthenticated" in told["error"]["message"]


async def test_a_process_that_does_not_know_its_server_says_what_to_set(
    livemon: Livemon, runtime: Runtime, room: OfflineRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "LIVEKIT_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    room.call()
    async with in_a_room(runtime, room):
        await eventually(lambda: livemon.call("c-1"))
        told = await livemon.ask(runtime, "c-1", "end")
    assert not told["ok"]
    assert "LIVEKIT_URL" in told["error"]["message"]


async def test_a_session_that_closes_under_a_supervisor_hangs_up_on_the_caller(
    livemon: Livemon, runtime: Runtime, room: OfflineRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.call()
    async with server(monkeypatch, [web.Response(content_type="application/protobuf")]) as asked:
        async with in_a_room(runtime, room) as bot:
            await take_over(livemon, runtime, bot)
            await bot.session.aclose()
            await eventually(lambda: over(lambda: asked))
        await eventually(lambda: reason(livemon, "agent_hangup"))


async def test_a_job_that_shuts_down_under_a_supervisor_waits_until_the_caller_is_hung_up_on(
    livemon: Livemon, runtime: Runtime, room: OfflineRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.call()
    async with (
        server(monkeypatch, [web.Response(content_type="application/protobuf") for _ in range(2)]) as asked,
        in_a_room(runtime, room) as bot,
    ):
        await take_over(livemon, runtime, bot)
        job = Job()
        token = _JobContextVar.set(job)  # type: ignore[arg-type]
        bot.session.emit("close", CloseEvent(reason=CloseReason.JOB_SHUTDOWN))
        _JobContextVar.reset(token)
        (shut_down,) = job.callbacks
        await shut_down()
        assert asked
