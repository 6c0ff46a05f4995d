"""Each act leaves its entries, through the real endpoints; one that cannot be recorded is not done, save ends and departures."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import contextmanager

import httpx
import pytest

from livemon.access import members
from livemon.access.links import make_link
from livemon.access.roles import Role
from livemon.access.sign_in_limits import MOST
from livemon.store import sqlite
from livemon.store.audit import log as log_module
from livemon.store.tables import AuditEntry
from livemon_runtime import Refusal, Runtime
from tests.api import test_listen, test_take_over
from tests.api.site import Browser, Site
from tests.api.test_listen import listen, refused
from tests.api.test_take_over import press, state
from tests.calls.live_part import until
from tests.media import test_microphone
from tests.media.conftest import Ear

ear, source = test_listen.ear, test_listen.source
voice, bot = test_take_over.voice, test_take_over.bot

HERE = "127.0.0.1"


def told(entry: AuditEntry) -> tuple[str, str, str]:
    return entry.action, entry.outcome, entry.call_id


def by(entry: AuditEntry) -> tuple[str, str, str, str]:
    return entry.workspace, entry.person_id, entry.person, entry.address


async def shown(site: Site) -> list[tuple[str, str, str]]:
    return [told(entry) for entry in await site.recorded()]


@pytest.fixture
async def taken_calls(livemon_site: Site, valkey_url: str) -> AsyncIterator[Runtime]:
    async with Runtime(valkey_url, name="front-desk") as runtime:
        yield runtime


async def end_by_page(browser: Browser, call_id: str) -> httpx.Response:
    return await browser.post(f"/calls/{call_id}/end")


# --- listening


async def test_listening_is_recorded_from_and_to(livemon_site: Site, source, ear: Callable[[], Ear]):
    ada = await livemon_site.sign_in()
    listener_id = await listen(ada, ear())
    assert await shown(livemon_site) == [("listen", "asked", "call-1")]
    await ada.post(f"/listeners/{listener_id}/stop")
    began, ended = await livemon_site.recorded()
    assert told(ended) == ("listen", "stopped", "call-1")
    assert by(began) == by(ended) == ("default", ada.user_id, "Ada", HERE)
    assert (ended.about, ended.detail) == (began.seq, f'{{"reason":"asked","since":{began.at}}}')
    assert ended.at >= began.at


async def test_why_a_listening_ended_by_itself_is_recorded(livemon_site: Site, source, ear: Callable[[], Ear]):
    ada = await livemon_site.sign_in()
    await livemon_site.sign_in("Another")
    await listen(ada, ear())
    await members.set_role(livemon_site.store, ada.user_id, "default", Role.MEMBER)
    await until(lambda: not livemon_site.workspace.listening.count("call-1"))
    assert '"reason":"session_ended"' in (await livemon_site.recorded())[-1].detail


async def test_a_listening_that_ends_with_the_right_was_not_stopped_by_the_person(
    livemon_site: Site, source, ear: Callable[[], Ear]
):
    """Though their page, which has heard of it by another request, is the first to stop."""
    ada = await livemon_site.sign_in()
    await livemon_site.sign_in("Another")
    listener_id = await listen(ada, ear())
    await members.set_role(livemon_site.store, ada.user_id, "default", Role.MEMBER)
    assert (await ada.post(f"/listeners/{listener_id}/stop")).status_code == 204
    await until(lambda: not livemon_site.workspace.listening.count("call-1"))
    assert '"reason":"session_ended"' in (await livemon_site.recorded())[-1].detail


async def test_a_listening_that_did_not_come_about_is_recorded_with_the_reason(livemon_site: Site, ear):
    ada = await livemon_site.sign_in()
    await ada.post("/calls/nobody/listen", json={"sdp": await ear().offer()})
    _, failed = await livemon_site.recorded()
    assert (told(failed), '"reason":"not_found"' in failed.detail) == (("listen", "failed", "nobody"), True)


async def test_what_is_no_calls_id_does_not_get_into_the_log(livemon_site: Site, ear):
    ada = await livemon_site.sign_in()
    await ada.post("/calls/+12125550184/listen", json={"sdp": await ear().offer()})
    for entry in await livemon_site.recorded():
        assert entry.call_id == ""
        assert "555" not in repr(
            (entry.subject, entry.detail, entry.person, entry.workspace)
        )  # a hash may have it by chance


# --- taking over


async def test_a_take_over_is_recorded_with_its_course(livemon_site: Site, bot, voice: test_microphone.Supervisor):
    ada = await livemon_site.sign_in()
    take_over_id = await press(ada, voice)
    async with ada.socket(f"/take-overs/{take_over_id}") as socket:
        await state(socket, "talking")
        bot.call.end("user_hangup")
        await state(socket, "ended")
    entries = await until(lambda: _so_many(livemon_site, 3))
    assert [entry.outcome for entry in entries] == ["asked", "talking", "ended"]
    assert {told(entry)[::2] for entry in entries} == {("take_over", "call-1")}
    assert {by(entry) for entry in entries} == {("default", ada.user_id, "Ada", HERE)}
    assert [entry.about for entry in entries] == [None, entries[0].seq, entries[0].seq]


async def test_a_take_over_that_the_runtime_refuses_is_recorded_without_its_words(livemon_site: Site, bot, voice):
    @bot.call.on_take_over
    def refuse() -> None:
        raise Refusal("The caller is paying.")

    ada = await livemon_site.sign_in()
    async with ada.socket(f"/take-overs/{await press(ada, voice)}") as socket:
        await state(socket, "cancelled")
    asked, cancelled = await until(lambda: _so_many(livemon_site, 2))
    assert told(cancelled) == ("take_over", "cancelled", "call-1")
    assert cancelled.detail == f'{{"reason":"refused","since":{asked.at}}}'


async def test_a_take_over_that_livemon_breaks_off_is_recorded(livemon_site: Site, bot, voice):
    ada = await livemon_site.sign_in()
    take_over_id = await press(ada, voice)
    async with ada.socket(f"/take-overs/{take_over_id}") as socket:
        await state(socket, "talking")
    attempt = livemon_site.workspace.take_overs.get(take_over_id, ada.user_id)
    task = next(task for task in asyncio.all_tasks() if task.get_name() == "take-over of call-1")
    task.cancel()
    await until(attempt.over.is_set)
    entries = await until(lambda: _so_many(livemon_site, 3))
    assert [entry.outcome for entry in entries] == ["asked", "talking", "broken_off"]


async def _so_many(site: Site, count: int) -> list[AuditEntry]:
    entries = await site.recorded()
    return entries if len(entries) >= count else []


# --- ending


async def test_an_end_is_recorded_with_its_outcome(livemon_site: Site, taken_calls: Runtime):
    call = taken_calls.call(call_id="call-1")
    call.on_end(lambda: None)
    await livemon_site.call("call-1")
    ada = await livemon_site.sign_in()
    assert (await end_by_page(ada, "call-1")).status_code == 200
    asked, done = await livemon_site.recorded()
    assert (told(asked), told(done)) == (("end_call", "asked", "call-1"), ("end_call", "done", "call-1"))
    assert (by(done), done.about) == (("default", ada.user_id, "Ada", HERE), asked.seq)


async def test_an_end_that_fails_is_recorded_with_the_reason(livemon_site: Site):
    await livemon_site.runtime.announce("call-1", capabilities=[])
    await livemon_site.call("call-1")
    await end_by_page(await livemon_site.sign_in(), "call-1")
    entry = (await livemon_site.recorded())[-1]
    assert (told(entry), entry.detail) == (("end_call", "failed", "call-1"), '{"reason":"unsupported"}')


# --- signing in and out, and who may not


async def use_link(site: Site, token: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=site.origin, timeout=60) as client:
        return await client.post("/sign-in/link", json={"token": token}, headers={"origin": site.origin})


async def test_signing_in_and_out_is_recorded(livemon_site: Site):
    token = await make_link(livemon_site.store, name="Maya", audit=livemon_site.audit)
    answer = await use_link(livemon_site, token)
    cookie = answer.headers["set-cookie"].split(";")[0].partition("=")[2]
    maya = Browser(livemon_site, cookie, "", "")
    await maya.post("/sign-out")
    link, came, went = await livemon_site.recorded()
    assert (told(link), link.subject, link.detail, by(link)) == (
        ("sign_in_link", "done", ""),
        "Maya",
        '{"role":"admin"}',
        ("default", "", "", ""),
    )
    assert (told(came), told(went)) == (("sign_in", "done", ""), ("sign_out", "done", ""))
    assert (came.person, came.address, came.workspace) == ("Maya", HERE, "default")
    assert by(went) == by(came)
    assert not any(token in repr(entry) or cookie in repr(entry) for entry in (link, came, went))


async def test_a_link_that_does_not_work_is_recorded_and_a_flood_of_them_is_counted(livemon_site: Site):
    for _ in range(MOST):
        assert (await use_link(livemon_site, "no-such-link")).status_code == 403
    assert (await use_link(livemon_site, "no-such-link")).status_code == 429
    entry, limited = await livemon_site.recorded()
    assert limited.detail == '{"reason":"limited"}'
    assert (told(entry), entry.person_id, entry.address) == (("sign_in", "refused", ""), "", HERE)
    assert entry.detail == '{"reason":"link_used"}'
    await livemon_site.audit.close()
    assert f'"count":{MOST - 1}' in (await livemon_site.recorded())[-1].detail


async def test_what_a_member_may_not_is_recorded(livemon_site: Site, bot):
    mo = await livemon_site.sign_in("Mo", Role.MEMBER)
    for path in ("/calls/call-1/listen", "/calls/call-1/take-over", "/calls/call-1/end"):
        assert refused(await mo.post(path, json={})) == (403, "forbidden")
    for path in ("/feed/calls", "/feed/calls/call-1"):
        async with mo.socket(path) as socket:
            assert (await socket.closed())[0] == 4403
    assert refused(await mo.get("/audit/entries")) == (403, "forbidden")
    entries = await livemon_site.recorded()
    assert [told(entry) for entry in entries] == [
        ("listen", "refused", "call-1"),
        ("take_over", "refused", "call-1"),
        ("end_call", "refused", "call-1"),
        ("access", "refused", ""),
        ("access", "refused", "call-1"),
        ("access", "refused", ""),
    ]
    assert {by(entry) for entry in entries} == {("default", mo.user_id, "Mo", HERE)}
    assert [entry.subject for entry in entries[3:]] == ["/feed/calls", "/feed/calls/{call_id}", "/audit/entries"]


async def test_a_flood_of_refusals_is_a_few_entries(livemon_site: Site):
    mo = await livemon_site.sign_in("Mo", Role.MEMBER)
    for n in range(60):
        await mo.post(f"/calls/call-{n % 30}/end")
    assert len(await livemon_site.recorded()) <= 21


async def test_to_stop_anothers_listening_is_recorded_as_refused(livemon_site: Site, source, ear):
    ada, grace = await livemon_site.sign_in(), await livemon_site.sign_in("Grace")
    listener_id = await listen(ada, ear())
    await grace.post(f"/listeners/{listener_id}/stop")
    entry = (await livemon_site.recorded())[-1]
    assert (told(entry)[:2], entry.person) == (("listen", "refused"), "Grace")


# --- what cannot be recorded


@contextmanager
def no_writes(site: Site, monkeypatch: pytest.MonkeyPatch):
    """Another process keeps the database's write lock: it can be read, and nothing be written."""
    monkeypatch.setattr(log_module, "RECORD_TIMEOUT_S", 0.3)
    other = sqlite3.connect(site.store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


async def test_listening_that_cannot_be_recorded_does_not_begin(livemon_site: Site, source, ear, monkeypatch):
    ada, offer = await livemon_site.sign_in(), await ear().offer()
    with no_writes(livemon_site, monkeypatch):
        answer = await ada.post("/calls/call-1/listen", json={"sdp": offer})
    assert refused(answer) == (503, "not_recorded")
    assert "it was not done" in answer.json()["error"]["message"]
    assert not livemon_site.workspace.listening.count("call-1")
    assert not await source.is_tapped()
    assert await livemon_site.recorded() == []


async def test_a_take_over_that_cannot_be_recorded_does_not_begin(livemon_site: Site, bot, voice, monkeypatch):
    ada, offer = await livemon_site.sign_in(), await voice.offer()
    with no_writes(livemon_site, monkeypatch):
        answer = await ada.post("/calls/call-1/take-over", json={"sdp": offer})
    assert refused(answer) == (503, "not_recorded")
    assert not livemon_site.workspace.talking._links
    assert not bot.call.agent_silent


async def test_a_link_whose_use_cannot_be_recorded_stays_good(livemon_site: Site, monkeypatch):
    token = await make_link(livemon_site.store, name="Maya")

    async def fails(*_: object) -> None:
        raise log_module.NotRecorded("for the test")

    with monkeypatch.context() as patch:
        patch.setattr(livemon_site.audit, "add", fails)
        assert refused(await use_link(livemon_site, token)) == (503, "not_recorded")
    assert (await use_link(livemon_site, token)).status_code == 200


@pytest.mark.parametrize("outage", ["locked", "closed"])
async def test_end_call_goes_on_and_is_recorded_once_the_store_is_back(
    livemon_site: Site, taken_calls: Runtime, monkeypatch, outage: str
):
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.1)
    ended = asyncio.Event()
    call = taken_calls.call(call_id="call-1")
    call.on_end(ended.set)
    await livemon_site.call("call-1")
    ada = await livemon_site.sign_in()
    if outage == "locked":
        with no_writes(livemon_site, monkeypatch):
            assert (await end_by_page(ada, "call-1")).json() == {"ok": True}
    else:
        await livemon_site.store.close()
        assert (await end_by_page(ada, "call-1")).json() == {"ok": True}
        await livemon_site.store.open()
    assert ended.is_set()
    assert await shown(livemon_site) == [("end_call", "asked", "call-1"), ("end_call", "done", "call-1")]


async def test_listening_may_be_left_while_the_store_is_away(livemon_site: Site, source, ear):
    ada = await livemon_site.sign_in()
    listener_id = await listen(ada, ear())
    await livemon_site.store.close()
    assert (await ada.post(f"/listeners/{listener_id}/stop")).status_code == 204
    assert not livemon_site.workspace.listening.count("call-1")
    assert refused(await ada.post("/calls/call-1/listen", json={"sdp": "v=0"})) == (503, "store_away")
    await livemon_site.store.open()
    assert [entry.outcome for entry in await livemon_site.recorded()] == ["asked", "stopped"]


async def test_with_the_store_away_a_stranger_and_one_who_has_signed_out_end_nothing(
    livemon_site: Site, taken_calls: Runtime
):
    taken_calls.call(call_id="call-1").on_end(lambda: None)
    await livemon_site.call("call-1")
    ada, mo = await livemon_site.sign_in(), await livemon_site.sign_in("Mo", Role.MEMBER)
    stranger = Browser(livemon_site, "made-up", "", "")
    await livemon_site.sessions.end(ada.session_id)
    await livemon_site.store.close()
    assert refused(await end_by_page(ada, "call-1")) == (503, "store_away")
    assert refused(await end_by_page(stranger, "call-1")) == (503, "store_away")
    assert refused(await end_by_page(mo, "call-1")) == (403, "forbidden")
    await livemon_site.store.open()
    assert livemon_site.workspace.calls.get("call-1").listed
