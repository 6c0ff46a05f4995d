"""Several workspaces in one livemon: made by a command while it runs, there at once for people and agents, and sealed off."""

import asyncio

import pytest
from websockets.exceptions import ConnectionClosed

from livemon.access.roles import Role
from livemon_runtime import Runtime
from tests.livemon_process import LivemonProcess
from tests.node.conftest import redis_url_of
from tests.node.feed import list_feed, shows, until


async def test_one_that_is_made_while_it_runs_takes_people_and_calls_without_a_restart(running: LivemonProcess):
    code, said = running.run("add-workspace", "night-shift", "--name", "Night shift")
    assert code == 0, said
    assert "livemon sign-in-link --workspace night-shift" in said
    assert 'Runtime(url, workspace="night-shift")' in said
    code, said = running.run("workspaces")
    assert code == 0
    assert "night-shift  Night shift (0 members)" in said.splitlines()

    cookie = await running.cookie("Nora", Role.DEVELOPER, "night-shift")
    async with Runtime(redis_url_of(running), name="night-bot", workspace="night-shift") as runtime:
        runtime.call(call_id="at-night")
        await shown_once_ready(running, cookie, "at-night")
        runtime.calls()[0].end()
    assert "night-shift  Night shift (1 member)" in running.run("workspaces")[1].splitlines()


async def shown_once_ready(running: LivemonProcess, cookie: str, call_id: str) -> None:
    """As a page does it: until the node has the workspace it says «try again»."""
    async with asyncio.timeout(60):
        while True:
            async with list_feed(running, cookie) as socket:
                try:
                    await until(socket, shows(call_id))
                    return
                except ConnectionClosed as closed:
                    assert closed.rcvd, "it says why"
                    assert (closed.rcvd.code, closed.rcvd.reason) == (1013, "not_ready")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["default"], "There is a workspace 'default' already"),
        (["Night"], "use 1 to 64 of a-z, 0-9 and -"),
        (["other", "--name", " "], "A workspace's name has 1 to 100 characters"),
    ],
)
def test_what_cannot_be_is_said_in_words_and_nothing_is_made(running: LivemonProcess, arguments, says):
    code, said = running.run("add-workspace", *arguments)
    assert (code, says in said) == (1, True), said
    assert "Traceback" not in said
    assert "other" not in running.run("workspaces")[1]


@pytest.mark.parametrize("command", [["add-workspace", "other"], ["workspaces"]])
def test_where_no_livemon_has_run_there_is_nothing_to_add_to(own: LivemonProcess, command):
    code, said = own.run(*command)
    assert (code, "no livemon has run" in said) == (1, True), said
    assert not (own.folder / "data").exists()
