"""`livemon` with nothing configured: it serves, lets its first Admin in, and agents find its Valkey."""

import re

import httpx

from livemon.access.guard import COOKIE
from livemon_runtime import Runtime
from tests.conftest import free_port
from tests.livemon_process import LivemonProcess
from tests.node.conftest import links_of, redis_url_of, valkey_of
from tests.node.feed import list_feed, shows, until


async def use(process: LivemonProcess, token: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=process.url, headers={"origin": process.url}, timeout=60) as browser:
        return await browser.post("/sign-in/link", json={"token": token})


async def test_it_prints_where_it_is_and_a_link_that_works_once(running):
    assert f"is running at http://127.0.0.1:{running.port}\n" in running.output
    (token,) = links_of(running)
    first, second = await use(running, token), await use(running, token)
    assert (first.status_code, first.json()) == (200, {"next": "/live"})
    assert (second.status_code, second.json()["error"]["code"]) == (403, "link_used")


async def test_the_cookie_of_a_link_opens_the_page(running):
    headers = {"cookie": f"{COOKIE}={await running.cookie()}"}
    async with httpx.AsyncClient(base_url=running.url, headers=headers, timeout=60) as browser:
        page = await browser.get("/live")
    assert page.status_code == 200
    assert "text/html" in page.headers["content-type"]


async def test_no_page_loads_anything_from_anywhere_else(running):
    headers = {"cookie": f"{COOKIE}={await running.cookie()}"}
    async with httpx.AsyncClient(base_url=running.url, headers=headers, timeout=60) as browser:
        pages = [await browser.get(path) for path in ("/sign-in", "/live")]
    for page in pages:
        assert page.status_code == 200
        assert re.findall(r"""(?:src|href|from|import)\s*[=(]?\s*["'](?:https?:)?//[^"']+""", page.text) == []


async def test_an_agents_call_stands_in_the_list(running):
    cookie = await running.cookie()
    async with Runtime(redis_url_of(running), name="bot") as runtime, list_feed(running, cookie) as page:
        async with runtime.call(call_type="web_call", agent_name="Ada") as call:
            await until(page, shows(call.call_id))
        await until(page, lambda message: call.call_id in message.get("drop", []))


async def test_its_valkey_killed_comes_back_and_the_list_goes_on(running):
    cookie = await running.cookie()
    async with (
        Runtime(redis_url_of(running), name="bot") as runtime,
        list_feed(running, cookie) as page,
        runtime.call(call_type="web_call", agent_name="Ada") as before,
    ):
        await until(page, shows(before.call_id))
        valkey = valkey_of(running)
        valkey.kill()
        await until(page, lambda message: message.get("state") == "stale")
        await until(page, lambda message: (message.get("feed") or message).get("state") == "live")
        async with runtime.call(call_type="web_call", agent_name="Bob") as after:
            await until(page, shows(after.call_id))
        assert valkey_of(running).pid != valkey.pid
        async with list_feed(running, cookie) as anew:
            snapshot = await until(anew, lambda message: message["t"] == "snapshot")
        assert before.call_id in [row["id"] for row in snapshot["calls"]]


def test_it_leaves_nothing_where_it_was_started_but_its_data_folder(running):
    assert {path.name for path in running.folder.iterdir()} == {"data", "livemon.log"}
    assert (running.folder / "data").stat().st_mode & 0o077 == 0
    assert {path.name for path in (running.folder / "data").iterdir()} >= {"valkey", "livemon.db"}


async def test_no_secret_stands_in_the_log_at_any_level(running):
    token = await running.link_token("Eve")
    answer = await use(running, token)
    cookie = answer.cookies[COOKIE]
    async with list_feed(running, cookie) as page:
        await until(page, lambda message: message["t"] == "snapshot")
    async with httpx.AsyncClient(base_url=running.url, cookies={COOKIE: cookie}, timeout=60) as browser:
        page = await browser.get("/live")
        await browser.post("/sign-out", headers={"origin": running.url})
    client_ids = re.findall(r"client_id['\"]?\s*[:=]\s*['\"]([\w-]{20,})", page.text)
    assert client_ids, "NiceGUI says the client's id in another way now"
    for secret in (token, cookie, *client_ids):
        assert secret not in running.output
    assert len(re.findall(re.escape(links_of(running)[0]), running.output)) == 1


def test_a_second_livemon_on_the_same_folder_is_refused_with_words(running):
    second = LivemonProcess(free_port(), running.folder)
    code, said = second.run()
    assert code == 1
    assert "Another livemon uses the data folder" in said
    assert "Traceback" not in said


def test_a_port_that_is_taken_is_refused_with_words(running, tmp_path):
    second = LivemonProcess(running.port, tmp_path)
    code, said = second.run()
    assert code == 1
    assert f"livemon cannot listen on 127.0.0.1:{running.port} (Address already in use)" in said
    assert "LIVEMON_PORT=" in said
    assert "Traceback" not in said
    assert not (tmp_path / "data").exists()
