"""Reading the audit log: by Admins alone, of their own workspace, by filters and pages, and as a file."""

import csv
import io
from typing import Any

import httpx
import pytest

from livemon.access.roles import Role
from livemon.api import audit
from livemon.store.audit.acts import Act, Action, Outcome
from tests.api.site import Browser, Site
from tests.api.test_listen import refused

DAY_MS = 86_400_000


@pytest.fixture
async def ada(livemon_site: Site) -> Browser:
    return await livemon_site.sign_in()


async def fill(site: Site, *acts: Act) -> None:
    for act in acts:
        await site.audit.record(act)


def act(person: str = "Ada", action: Action = Action.LISTEN, **fields: Any) -> Act:
    said = {"workspace": "default", "person_id": f"id-of-{person}", "person": person, **fields}
    return Act(action, Outcome.DONE, **said)


async def found(browser: Browser, query: str = "") -> list[dict[str, Any]]:
    answer = await browser.get(f"/audit/entries?{query}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()["entries"]


async def rows(browser: Browser, query: str = "") -> list[dict[str, str]]:
    answer = await browser.get(f"/audit/export.csv?{query}")
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


# --- who may


@pytest.mark.parametrize("path", ["/audit/entries", "/audit/export.csv"])
@pytest.mark.parametrize("role", [Role.DEVELOPER, Role.MEMBER])
async def test_nobody_but_an_admin_may(livemon_site: Site, path: str, role: Role):
    answer = await (await livemon_site.sign_in("Dev", role)).get(path)
    assert refused(answer) == (403, "forbidden")
    assert "for Admins" in answer.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/audit/entries", "/audit/export.csv"])
async def test_a_stranger_may_not(livemon_site: Site, path: str):
    async with httpx.AsyncClient(base_url=livemon_site.origin) as client:
        assert (await client.get(path)).status_code == 401


async def test_another_workspaces_entries_are_nobodys_business_here(livemon_site: Site, ada: Browser):
    await fill(livemon_site, act("Eve", workspace="other", call_id="secret-call"), act("Ada"))
    await fill(livemon_site, Act(Action.SIGN_IN, Outcome.REFUSED, address="192.0.2.9"))
    for query in ("", "person=Eve", "call=secret-call"):
        assert "Eve" not in {entry["person"] for entry in await found(ada, query)}
        assert "Eve" not in {row["person"] for row in await rows(ada, query)}
    assert "192.0.2.9" in {entry["address"] for entry in await found(ada)}, "what belongs to none is shown in each"


# --- filters and pages


async def test_each_filter_finds_what_is_so(livemon_site: Site, ada: Browser):
    await fill(
        livemon_site,
        act("Ada", call_id="call-1"),
        act("Bob", Action.END_CALL, call_id="call-12"),
        act("Ärne", Action.ROLE, call_id="other"),
    )

    async def people(query: str) -> list[str]:
        return [entry["person"] for entry in await found(ada, query) if entry["person"]]

    assert await people("") == ["Ärne", "Bob", "Ada"]
    assert await people("person=bo") == ["Bob"]
    assert await people("person=%C3%84rn") == ["Ärne"]
    assert await people("person=id-of-Ada") == ["Ada"]
    assert await people("action=end_call") == ["Bob"]
    assert await people("call=call-1") == ["Bob", "Ada"]
    assert await people("call=call-1&person=ada&action=listen") == ["Ada"]
    for pattern in ("person=%25", "person=_", "call=%25", "call=call_1", "person=%5C"):
        assert await people(pattern) == []
    assert await people("person=%20Bob%20") == ["Bob"]


async def test_times_are_inclusive_on_either_side(livemon_site: Site, ada: Browser):
    await fill(livemon_site, act("Ada"))
    (entry,) = await found(ada, "person=Ada")
    at = entry["at"]
    assert await found(ada, f"person=Ada&since={at}&until={at}") == [entry]
    assert await found(ada, f"person=Ada&since={at + 1}") == []
    assert await found(ada, f"person=Ada&until={at - 1}") == []


async def test_pages_follow_each_other_without_gap_or_overlap(livemon_site: Site, ada: Browser, monkeypatch):
    monkeypatch.setattr(audit, "PAGE", 4)
    await fill(livemon_site, *(act("Ada", call_id=f"call-{n}") for n in range(10)))
    seen: list[str] = []
    before = ""
    while True:
        answer = (await ada.get(f"/audit/entries?person=Ada{before}")).json()
        seen += [entry["call_id"] for entry in answer["entries"]]
        await fill(livemon_site, act("Ada", call_id="meanwhile"))
        if answer["older"] is None:
            break
        before = f"&before={answer['older']}"
    assert seen == [f"call-{n}" for n in reversed(range(10))]


@pytest.mark.parametrize("query", ["since=yesterday", "until=-1", f"before={2**64}", "person=" + "x" * 201])
@pytest.mark.parametrize("path", ["/audit/entries", "/audit/export.csv"])
async def test_what_cannot_be_searched_by_is_refused_in_the_apis_shape(livemon_site: Site, ada: Browser, path, query):
    answer = await ada.get(f"{path}?{query}")
    assert refused(answer) == (400, "bad_request")
    assert query.partition("=")[0] in answer.json()["error"]["message"]


# --- the file


async def test_the_file_has_every_entry_in_full(livemon_site: Site, ada: Browser, monkeypatch):
    monkeypatch.setattr(audit, "EXPORT_PAGE", 7)
    await fill(livemon_site, *(act("Ada", call_id=f"call-{n}", detail={"n": n}) for n in range(30)))
    read = await rows(ada, "person=Ada&action=listen")
    assert [row["call_id"] for row in read] == [f"call-{n}" for n in reversed(range(30))]
    stored = {entry.seq: entry for entry in await livemon_site.recorded()}
    for row in read:
        entry = stored[int(row["seq"])]
        assert (row["hash"], row["previous"], row["detail"]) == (entry.hash, entry.previous, entry.detail)
        assert row["time"].endswith("+00:00")


async def test_the_file_is_a_download_and_its_making_is_recorded_first(livemon_site: Site, ada: Browser):
    answer = await ada.get("/audit/export.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith('attachment; filename="livemon-audit-')
    entry = (await livemon_site.recorded())[-1]
    assert (entry.action, entry.person_id) == ("export", ada.user_id)
    assert answer.text.splitlines()[1].startswith(f"{entry.seq},")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", " =1+1", "\uff1d1+1", "\uff20x"])
async def test_no_cell_is_a_formula_to_a_spreadsheet(livemon_site: Site, ada: Browser, text: str):
    await fill(livemon_site, act(text, subject=text))
    row = (await rows(ada, "action=listen"))[0]
    assert (row["person"], row["subject"]) == (f"'{text}", f"'{text}")


async def test_quotes_commas_and_line_feeds_break_no_row(livemon_site: Site, ada: Browser):
    await fill(livemon_site, act('A "quoted", name\nand more'))
    assert (await rows(ada, "action=listen"))[0]["person"] == 'A "quoted", name\ufffdand more'
