"""Two workspaces on one node, with calls of the same ids: nothing of one is reached from the other, whatever is guessed.

The same person belongs to both in the cases in which only the session can tell them apart.
"""

from collections.abc import AsyncIterator, Callable

import pytest

from livemon.access import members
from livemon.access.roles import Role
from livemon.redis_client import connect
from livemon_runtime import Audio, Runtime
from livemon_runtime.codecs import Codec
from livemon_runtime.keys import Keys
from tests.api import test_listen, test_take_over
from tests.api.site import Browser, Site
from tests.api.test_listen import listen, refused
from tests.api.test_take_over import press, state
from tests.calls.live_part import running, until
from tests.media import test_microphone
from tests.media.call_source import CALLER_HZ, CallSource
from tests.media.conftest import Ear
from tests.media.offers import offer, section

voice, ear = test_take_over.voice, test_listen.ear


@pytest.fixture
def site(two_workspaces: Site) -> Site:
    return two_workspaces


async def both_sides(site: Site, *call_ids: str) -> None:
    """Calls of these ids in both workspaces, each with an agent that is named after its own."""
    for call_id in call_ids:
        await site.runtime.announce(call_id, agent_name="Here")
        await site.other.runtime.announce(call_id, agent_name="There")
        await site.call(call_id)
        await there(site, call_id)


async def there(site: Site, call_id: str) -> None:
    await until(lambda: site.other.workspace.calls.get(call_id))


async def twice(site: Site) -> tuple[Browser, Browser]:
    """Ada in `default` and the same Ada in `other`, an Admin of both: two sessions."""
    return await site.sign_in(), await site.sign_in(workspace="other")


# --- rows, details, transcripts


async def test_the_list_has_ones_own_rows_whatever_starts_and_ends_beside_them(site: Site):
    await both_sides(site, "same")
    here, other = await twice(site)
    async with here.socket("/feed/calls") as mine, other.socket("/feed/calls") as theirs:
        for socket, agent in ((mine, "Here"), (theirs, "There")):
            assert [(row["id"], row["agent"]) for row in (await socket.read())["calls"]] == [("same", agent)]
        await site.other.runtime.announce("theirs-alone")
        await theirs.until(lambda message: "theirs-alone" in message.get("new", []))
        await site.other.runtime.update("same", agent_name="Changed")
        await site.other.runtime.end("same")
        await theirs.until(lambda message: "same" in message.get("drop", []))
        await site.runtime.announce("mine-alone")
        seen = await mine.until(lambda message: message["t"] != "tick")
        assert (seen["new"], seen["drop"], [row["id"] for row in seen["put"]]) == (["mine-alone"], [], ["mine-alone"])


async def test_the_same_id_is_two_calls_with_a_transcript_each(site: Site):
    await both_sides(site, "same")
    await site.runtime.append("same", 1, id="t1", role="agent", content="said here", time_ms=1)
    await site.other.runtime.append("same", 1, id="t1", role="agent", content="said there", time_ms=1)
    here, other = await twice(site)
    async with here.socket("/feed/calls/same") as mine, other.socket("/feed/calls/same") as theirs:
        for socket, agent, words in ((mine, "Here", "said here"), (theirs, "There", "said there")):
            assert (await socket.until(lambda message: message["t"] == "call"))["call"]["agent_name"] == agent
            reset = await socket.until(lambda message: message["t"] == "reset")
            assert [item["content"] for item in reset["items"]] == [words]
        await site.other.runtime.say_partial("same", id="p", role="user", content="secret", time_ms=2)
        await theirs.until(lambda message: message["t"] == "put")
        await site.runtime.append("same", 2, id="t2", role="agent", content="more", time_ms=2)
        put = await mine.until(lambda message: message["t"] not in ("tick", "call"))
        assert [item["content"] for item in put["items"]] == ["more"]


async def test_a_call_of_the_other_is_answered_as_one_that_does_not_exist(site: Site):
    await site.other.runtime.announce("theirs")
    await there(site, "theirs")
    here, _ = await twice(site)
    body = {"sdp": offer(section("0", "recvonly"), section("1", "recvonly"))}
    talk = {"sdp": offer(section("0", "sendrecv"))}
    for path, sent in (("end", {}), ("listen", body), ("take-over", talk)):
        theirs, nowhere = [await here.post(f"/calls/{one}/{path}", json=sent) for one in ("theirs", "nowhere")]
        assert refused(theirs) == (404, "not_found")
        assert theirs.text.replace("theirs", "nowhere") == nowhere.text
    closed = []
    for call_id in ("theirs", "nowhere"):
        async with here.socket(f"/feed/calls/{call_id}") as socket:
            closed.append(await socket.closed())
    assert closed == [(4404, "not_found")] * 2
    assert site.other.workspace.calls.get("theirs").listed
    assert await site.other.runtime.redis.xlen(Keys("other").commands("rt-2")) == 0


# --- ending


async def test_an_end_ends_ones_own_and_no_other_of_that_id(site: Site, valkey_url: str):
    ended: list[str] = []
    async with (
        Runtime(valkey_url, name="here") as bot_here,
        Runtime(valkey_url, name="there", workspace="other") as bot_there,
    ):
        for bot, name in ((bot_here, "here"), (bot_there, "there")):
            await bot.alive.wait()
            bot.call(call_id="same").on_end(lambda _command, name=name: ended.append(name))
        for workspace in (site.workspace, site.other.workspace):
            await until(lambda one=workspace: (it := one.calls.get("same")) and "end" in it.call.capabilities)
        here, _ = await twice(site)
        assert (await here.post("/calls/same/end")).status_code == 200
        await until(lambda: site.workspace.calls.get("same") is None)
        assert ended == ["here"]
        assert site.other.workspace.calls.get("same").listed


# --- listening


@pytest.fixture
async def sources(site: Site, valkey_url: str) -> AsyncIterator[tuple[CallSource, CallSource]]:
    """`call-1` in both workspaces, each speaking while it is listened to."""
    redis = connect(valkey_url)
    mine, theirs = CallSource(redis, "call-1", Codec.PCMU), CallSource(redis, "call-1", Codec.PCMU)
    theirs.keys = Keys("other")
    for source in (mine, theirs):
        await source.announce()
    await site.call("call-1")
    await there(site, "call-1")
    async with running(mine.run(), theirs.run()):
        yield mine, theirs
    await redis.aclose()


async def test_who_listens_hears_ones_own_and_is_seen_in_ones_own_alone(
    site: Site, sources: tuple[CallSource, CallSource], ear: Callable[[], Ear]
):
    mine, theirs = sources
    here, other = await twice(site)
    listener = ear()
    listener_id = await listen(here, listener)
    assert abs(await listener.tone("caller") - CALLER_HZ) < 20
    assert await mine.is_tapped()
    assert not await theirs.is_tapped()
    assert [one.name for one in site.workspace.presence.of("call-1")] == ["Ada"]
    assert not site.other.workspace.presence.of("call-1")

    # the same person, from the other workspace: the listener's id is no use there
    assert (await other.post(f"/listeners/{listener_id}/stop")).status_code == 204
    stranger = await site.sign_in("Mallory", workspace="other")
    assert (await stranger.post(f"/listeners/{listener_id}/stop")).status_code == 204
    assert site.workspace.listening.count("call-1") == 1
    assert (await here.post(f"/listeners/{listener_id}/stop")).status_code == 204
    assert site.workspace.listening.count("call-1") == 0


# --- taking over


async def test_a_take_over_is_neither_seen_nor_stopped_from_the_other(
    site: Site, valkey_url: str, voice: test_microphone.Supervisor
):
    here, other = await twice(site)
    stranger = await site.sign_in("Mallory", workspace="other")
    async with (
        Runtime(valkey_url, name="here") as bot_here,
        Runtime(valkey_url, name="there", workspace="other") as bot_there,
    ):
        calls = []
        for bot in (bot_here, bot_there):
            call = bot.call(call_id="call-1", audio=Audio(caller="l16/16000", agent="l16/16000"))
            call.on_take_over(lambda _supervisor: None)
            calls.append(call)
        await site.call("call-1")
        await there(site, "call-1")
        take_over_id = await press(here, voice)
        async with here.socket(f"/take-overs/{take_over_id}") as socket:
            await state(socket, "talking")
            for browser in (other, stranger):
                assert (await browser.post(f"/take-overs/{take_over_id}/cancel")).status_code == 204
                async with browser.socket(f"/take-overs/{take_over_id}") as watching:
                    assert await watching.closed() == (4404, "not_found")
            assert len(site.workspace.talking._links) == 1
            mine, theirs = calls
            assert mine.controller
            assert mine.agent_silent
            assert theirs.controller is None
            assert not theirs.agent_silent
            assert site.other.workspace.calls.get("call-1").controller is None


async def test_nobody_resumes_by_the_other_workspace_what_they_have_here(
    site: Site, valkey_url: str, voice: test_microphone.Supervisor
):
    """A claim's id is no key to the call of the same id beside it."""
    here, other = await twice(site)
    async with (
        Runtime(valkey_url, name="here") as bot_here,
        Runtime(valkey_url, name="there", workspace="other") as bot_there,
    ):
        for bot in (bot_here, bot_there):
            bot.call(call_id="call-1", audio=Audio(caller="l16/16000", agent="l16/16000")).on_take_over(lambda _: None)
        await site.call("call-1")
        await there(site, "call-1")
        take_over_id = await press(here, voice)
        async with here.socket(f"/take-overs/{take_over_id}") as socket:
            claim_id = (await state(socket, "talking"))["claim_id"]
            second = test_microphone.Supervisor()
            try:
                going_on = await press(other, second, resume=True, mine=[claim_id])
                async with other.socket(f"/take-overs/{going_on}") as watching:
                    assert (await state(watching, "cancelled"))["reason"] == "agent"
            finally:
                await second.close()
            assert not bot_there.calls()[0].agent_silent
            assert bot_here.calls()[0].agent_silent
            assert site.workspace.calls.get("call-1").controller.claim_id == claim_id


# --- what was done, and by whom


async def test_the_audit_log_shows_ones_own_by_every_filter_and_in_the_file(site: Site):
    await site.runtime.announce("same", capabilities=[])
    await site.other.runtime.announce("same", capabilities=[])
    await site.call("same")
    await there(site, "same")
    here, other = await twice(site)
    theirs_alone = await site.sign_in("Nora", workspace="other")
    for browser in (here, other, theirs_alone):
        await browser.post("/calls/same/end")
    recorded = await site.recorded()
    theirs = {one.seq for one in recorded if one.workspace == "other"}
    assert {(one.workspace, one.person) for one in recorded} == {
        ("default", "Ada"),
        ("other", "Ada"),
        ("other", "Nora"),
    }
    mine = {one.seq for one in recorded if one.workspace == "default"}
    assert mine <= {one["seq"] for one in (await here.get("/audit/entries")).json()["entries"]}
    newest = max(one.seq for one in recorded) + 1
    asked = ("", "?person=Ada", f"?person={here.user_id}", f"?person={theirs_alone.user_id}", "?person=nora")
    for query in (*asked, "?call=same", "?action=end_call", "?since=0", f"?before={newest}", "?person=%25"):
        found = (await here.get(f"/audit/entries{query}")).json()["entries"]
        assert all(one["person_id"] != theirs_alone.user_id for one in found), query
        assert not theirs & {one["seq"] for one in found}, query
        file = (await here.get(f"/audit/export.csv{query}")).text
        assert ",other," not in file, query
        assert "Nora" not in file, query


async def test_a_role_here_is_no_role_there(site: Site):
    ada = await site.sign_in("Ada", Role.MEMBER)
    await members.set_role(site.store, ada.user_id, "other", Role.ADMIN)
    await both_sides(site, "same")
    assert (await ada.post("/calls/same/end")).status_code == 403
    assert (await ada.get("/audit/entries")).status_code == 403
    async with ada.socket("/feed/calls") as socket:
        assert await socket.closed() == (4403, "forbidden")
