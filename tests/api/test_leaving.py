"""Who wants out gets out, whatever the store and its log can do; and what another site's page wants is refused, and recorded."""

import json

import httpx
import pytest

from livemon.store import sqlite
from livemon.store.audit import log as log_module
from livemon.store.tables import Session
from tests.api.site import Browser, Site
from tests.api.test_listen import refused
from tests.api.test_recording import HERE, by, no_writes, shown, told
from tests.calls.live_part import until


@pytest.mark.parametrize("outage", ["locked", "closed"])
async def test_who_wants_out_gets_out_and_that_is_recorded_once_the_store_is_back(
    livemon_site: Site, monkeypatch, outage: str
):
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.1)
    ada, grace = await livemon_site.sign_in(), await livemon_site.sign_in("Grace")
    async with livemon_site.sessions.hold(ada.session_id, right=None) as held:
        if outage == "locked":
            with no_writes(livemon_site, monkeypatch):
                answer = await ada.post("/sign-out")
        else:
            await livemon_site.store.close()
            answer = await ada.post("/sign-out")
            assert refused(await ada.get("/audit/entries")) == (503, "store_away")
            await livemon_site.store.open()
        assert answer.status_code == 204
        assert 'livemon_session="";' in answer.headers["set-cookie"]
        assert held.ended.is_set()
    assert await livemon_site.sessions.find(ada.cookie) is None, "not even before the store knows"
    await until(lambda: _is_over(livemon_site, ada))
    assert await shown(livemon_site) == [("sign_out", "done", "")]
    assert await livemon_site.sessions.find(grace.cookie)


async def _is_over(site: Site, browser: Browser) -> bool:
    async with site.store.session() as session:
        row = await session.get(Session, browser.session_id)
    return row is not None and row.ended_at is not None


async def test_who_wants_out_does_not_wait_for_the_log(livemon_site: Site, monkeypatch):
    waited = []

    async def fails(*act: object) -> None:
        waited.append(act)
        raise log_module.NotRecorded("for the test")

    ada = await livemon_site.sign_in()
    monkeypatch.setattr(livemon_site.audit, "record", fails)
    assert (await ada.post("/sign-out")).status_code == 204
    assert await _is_over(livemon_site, ada)
    assert waited == []
    assert await shown(livemon_site) == [("sign_out", "done", "")]


# --- what other sites want


async def test_what_another_sites_page_wants_done_is_recorded_once_a_minute_and_nothing_is_done(livemon_site: Site):
    ada = await livemon_site.sign_in()
    headers = {"cookie": f"livemon_session={ada.cookie}", "origin": "https://evil.example"}
    async with httpx.AsyncClient(base_url=livemon_site.origin, headers=headers, timeout=60) as client:
        for path in ("/calls/call-1/end", "/sign-out", "/calls/call-1/end"):
            assert refused(await client.post(path)) == (403, "cross_site")
        assert (await client.get("/nowhere")).status_code == 404, "a link of theirs is no attack"
    (entry,) = await livemon_site.recorded()
    assert (told(entry), by(entry), entry.subject) == (("access", "refused", ""), ("", "", "", HERE), "")
    assert json.loads(entry.detail) == {
        "origin": "https://evil.example",
        "path": "/calls/call-1/end",
        "reason": "cross_site",
    }
    await livemon_site.audit.close()
    assert '"count":2' in (await livemon_site.recorded())[-1].detail


async def test_a_cookie_that_is_none_is_no_entry(livemon_site: Site):
    stranger = Browser(livemon_site, "made-up", "", "")
    assert refused(await stranger.post("/calls/call-1/end")) == (401, "unauthenticated")
    assert await livemon_site.recorded() == []
