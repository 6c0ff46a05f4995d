"""Starting and stopping Live Listen over HTTP: who may, what is refused, and that it ends with what allowed it."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from livemon.access import members
from livemon.access.guard import COOKIE
from livemon.access.roles import CALL_RIGHTS, Right, Role
from livemon.api.listen import MAX_BODY
from livemon.media.listening import Answer
from livemon.redis_client import connect
from livemon_runtime.codecs import Codec
from tests.api.site import Browser, Site
from tests.calls.live_part import running, until
from tests.media.call_source import AGENT_HZ, CALLER_HZ, CallSource
from tests.media.conftest import Ear

NOBODY_LISTENS = 0


@pytest.fixture
async def ear() -> AsyncIterator[Callable[[], Ear]]:
    ears: list[Ear] = []

    def make() -> Ear:
        ears.append(Ear())
        return ears[-1]

    yield make
    for made in ears:
        await made.close()


@pytest.fixture
async def source(livemon_site: Site, valkey_url: str) -> AsyncIterator[CallSource]:
    """A call that speaks while it is listened to."""
    redis = connect(valkey_url)
    call = CallSource(redis, "call-1", Codec.PCMU)
    await call.announce()
    await livemon_site.call("call-1")
    async with running(call.run()):
        yield call
    await redis.aclose()


async def listen(browser: Browser, ear: Ear) -> str:
    """Listen; answers the listener's id."""
    answer = await browser.post("/calls/call-1/listen", json={"sdp": await ear.offer()})
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert said["voices"] == ["caller", "agent", "supervisor"]
    await ear.accept(Answer(**said))
    return said["listener_id"]


def listeners(site: Site) -> int:
    return site.workspace.listening.count("call-1")


def refused(answer) -> tuple[int, str]:
    error = answer.json()["error"]
    assert error["message"].endswith(".")
    return answer.status_code, error["code"]


async def test_both_voices_are_heard_until_it_is_stopped(livemon_site: Site, source: CallSource, ear):
    ada, listener = await livemon_site.sign_in(), ear()
    listener_id = await listen(ada, listener)
    assert abs(await listener.tone("caller") - CALLER_HZ) < 20
    assert abs(await listener.tone("agent") - AGENT_HZ) < 20
    assert [one.name for one in livemon_site.workspace.presence.of("call-1")] == ["Ada"]
    assert (await ada.post(f"/listeners/{listener_id}/stop")).status_code == 204
    assert listeners(livemon_site) == NOBODY_LISTENS
    assert not await source.is_tapped()


async def test_stopping_what_is_gone_already_is_fine(livemon_site: Site):
    ada = await livemon_site.sign_in()
    for _ in range(2):
        assert (await ada.post("/listeners/nobody/stop")).status_code == 204


async def test_nobody_can_stop_anothers_listening(livemon_site: Site, source: CallSource, ear):
    ada, grace = await livemon_site.sign_in(), await livemon_site.sign_in("Grace")
    listener_id = await listen(ada, ear())
    assert refused(await grace.post(f"/listeners/{listener_id}/stop")) == (403, "forbidden")
    assert listeners(livemon_site) == 1


async def test_who_has_lost_the_role_is_not_heard_anything_any_more_and_may_still_stop(
    livemon_site: Site, source: CallSource, ear
):
    await livemon_site.sign_in("Another")
    grace = await livemon_site.sign_in("Grace", Role.DEVELOPER)
    listener_id = await listen(grace, ear())
    await members.set_role(livemon_site.store, grace.user_id, "default", Role.MEMBER)
    await until(lambda: listeners(livemon_site) == NOBODY_LISTENS)
    assert (await grace.post(f"/listeners/{listener_id}/stop")).status_code == 204
    assert refused(await grace.post("/calls/call-1/listen", json={"sdp": "v=0"})) == (403, "forbidden")


async def test_who_has_lost_the_right_to_listen_alone_hears_no_more(livemon_site: Site, source: CallSource, ear):
    livemon_site.rights[Role.MEMBER] = CALL_RIGHTS - {Right.LISTEN}
    await livemon_site.sign_in("Another")
    grace, listener = await livemon_site.sign_in("Grace", Role.DEVELOPER), ear()
    await listen(grace, listener)
    assert abs(await listener.tone("caller") - CALLER_HZ) < 20
    await members.set_role(livemon_site.store, grace.user_id, "default", Role.MEMBER)
    await until(lambda: listeners(livemon_site) == NOBODY_LISTENS)
    assert refused(await grace.post("/calls/call-1/listen", json={"sdp": "v=0"})) == (403, "forbidden")
    async with grace.socket("/feed/calls/call-1") as socket:
        assert (await socket.read())["t"] == "call", "what the role still has goes on"


async def test_listening_ends_with_the_session_and_leaves_others_alone(livemon_site: Site, source: CallSource, ear):
    ada, grace = await livemon_site.sign_in(), await livemon_site.sign_in("Grace")
    other = ear()
    await listen(ada, ear())
    await listen(grace, other)
    await livemon_site.sessions.end(ada.session_id)
    await until(lambda: [one.name for one in livemon_site.workspace.presence.of("call-1")] == ["Grace"])
    assert abs(await other.tone("caller") - CALLER_HZ) < 20


async def test_an_offer_with_a_microphone_is_refused(livemon_site: Site, source: CallSource, ear):
    sdp = (await ear().offer()).replace("a=recvonly", "a=sendrecv")
    answer = await (await livemon_site.sign_in()).post("/calls/call-1/listen", json={"sdp": sdp})
    assert refused(answer) == (400, "microphone_refused")
    assert listeners(livemon_site) == NOBODY_LISTENS


@pytest.mark.parametrize(
    "body", [b"", b"rubbish", b"[]", b'{"sdp": 1}', b'{"sdp": "v=0"}', b"\xff", b"x" * (MAX_BODY + 1)]
)
async def test_a_body_that_is_no_offer_is_refused(livemon_site: Site, source: CallSource, body: bytes):
    answer = await (await livemon_site.sign_in()).post("/calls/call-1/listen", content=body)
    assert refused(answer) == (400, "bad_request")


async def test_a_body_that_never_ends_is_given_up(livemon_site: Site, source, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("livemon.api.body.BODY_TIMEOUT_S", 0.2)
    ada = await livemon_site.sign_in()
    reader, writer = await asyncio.open_connection("127.0.0.1", livemon_site.port)
    head = f"POST /calls/call-1/listen HTTP/1.1\r\nHost: 127.0.0.1:{livemon_site.port}\r\nOrigin: {livemon_site.origin}"
    writer.write(f'{head}\r\nCookie: {COOKIE}={ada.cookie}\r\nContent-Length: 500\r\n\r\n{{"sdp": "'.encode())
    async with asyncio.timeout(60):
        answer = await reader.readuntil(b"\r\n\r\n") + await reader.readuntil(b"}}")
    writer.close()
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"it did not arrive whole" in answer


@pytest.mark.parametrize("name", ["nobody", "a%20b", "call-1:transcript"])
async def test_a_call_that_is_not_there_is_not_found(livemon_site: Site, source: CallSource, ear, name: str):
    answer = await (await livemon_site.sign_in()).post(f"/calls/{name}/listen", json={"sdp": await ear().offer()})
    assert refused(answer) == (404, "not_found")


async def test_a_call_without_audio_cannot_be_listened_to(livemon_site: Site, ear):
    await livemon_site.runtime.announce("call-2")
    await livemon_site.call("call-2")
    answer = await (await livemon_site.sign_in()).post("/calls/call-2/listen", json={"sdp": await ear().offer()})
    assert refused(answer) == (409, "unsupported")
