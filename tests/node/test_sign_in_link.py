"""`livemon sign-in-link`: another way in, also while the server runs."""

import json
import re
import urllib.error
import urllib.request

import pytest


def printed(process, *options: str) -> str:
    """The token of the link that the command prints."""
    code, said = process.run("sign-in-link", *options)
    assert code == 0, said
    return re.fullmatch(rf"{process.url}/sign-in#token=([\w-]+)\n", said)[1]


def use(process, token: str) -> dict:
    body = json.dumps({"token": token}).encode()
    request = urllib.request.Request(
        f"{process.url}/sign-in/link", body, {"Content-Type": "application/json", "Origin": process.url}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def test_it_lets_somebody_in_while_the_server_runs_and_only_once(running):
    token = printed(running, "--name", "Maya", "--role", "developer", "--workspace", "default")
    assert use(running, token) == {"next": "/live"}
    with pytest.raises(urllib.error.HTTPError, match="403"):
        use(running, token)


def test_the_role_is_the_one_that_was_said(running):
    assert use(running, printed(running, "--name", "Bob", "--role", "member")) == {"next": "/"}


def test_that_it_leads_into_other_workspaces_too_is_said(running):
    """In each that somebody belongs to, whoever has the link is that person."""
    assert running.run("add-workspace", "sales")[0] == 0
    printed(running, "--name", "Noa Both", "--role", "developer")
    code, said = running.run("sign-in-link", "--name", "noa both", "--role", "member", "--workspace", "sales")
    assert code == 0
    warning, link = said.splitlines()
    assert warning.startswith("Warning: ")
    assert warning.endswith("can switch to other workspaces too: default (as developer).")
    assert link.startswith(f"{running.url}/sign-in#token=")


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["--workspace", "nowhere"], 1, "There is no workspace 'nowhere'"),
        (["--name", " "], 1, "A person's name has 1 to"),
        (["--role", "owner"], 2, "owner"),
    ],
)
def test_what_cannot_be_is_said_in_words(running, options, code, says):
    done, said = running.run("sign-in-link", *options)
    assert (done, says in said) == (code, True), said
    assert "Traceback" not in said
    assert "token=" not in said


def test_a_database_that_cannot_be_used_is_said_in_words(own):
    own.folder.mkdir()
    (own.folder / "damaged.db").write_text("no database, by far " * 100)
    own.settings["LIVEMON_DATABASE_URL"] = f"sqlite:///{own.folder}/damaged.db"
    code, said = own.run("sign-in-link")
    assert (code, "is not a SQLite database" in said) == (1, True), said
    assert "Traceback" not in said
    assert not (own.folder / "data").exists()


def test_where_no_livemon_has_run_it_makes_nothing_and_says_so(own):
    code, said = own.run("sign-in-link")
    assert (code, "no livemon has run" in said, "token=" in said) == (1, True, False), said
    assert str(own.folder / "data") in said
    assert not (own.folder / "data").exists()
