"""What `/assets/` serves, and what it doesn't."""

import json
import re
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from components.assets import FOLDER, Assets


@pytest.fixture
def client() -> TestClient:
    return TestClient(Starlette(routes=[Mount("/", Assets())]))


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("theme.css", "text/css"),
        ("socket.js", "text/javascript"),
        ("icons/livemon.svg", "image/svg+xml"),
        ("icons/livemon-192.png", "image/png"),
        ("livemon.webmanifest", "application/manifest+json"),
    ],
)
def test_a_browser_gets_each_kind_and_asks_again_whether_it_changed(client: TestClient, path: str, kind: str) -> None:
    answer = client.get(f"/{path}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].split(";")[0] == kind
    assert answer.headers["cache-control"] == "no-cache"
    assert client.get(f"/{path}", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304


@pytest.mark.parametrize(
    "path", ["assets.py", "__init__.py", "icons/render.py", "", "icons", "..%2fpyproject.toml", "x.js"]
)
def test_nothing_else_is_served(client: TestClient, path: str) -> None:
    assert client.get(f"/{path}").status_code == 404


def test_the_manifests_icons_are_there_in_the_size_it_says(client: TestClient) -> None:
    manifest = json.loads(client.get("/livemon.webmanifest").text)
    assert manifest["start_url"]
    for icon in manifest["icons"]:
        content = client.get(f"/{icon['src']}").content
        if icon["type"] == "image/png":
            width, height = (int.from_bytes(content[at : at + 4]) for at in (16, 20))
            assert f"{width}x{height}" == icon["sizes"]
        else:
            assert content.startswith(b"<svg")


def test_every_import_of_a_script_leads_somewhere() -> None:
    missing: list[str] = []
    for script in Path(FOLDER).glob("*.js"):
        imported = re.findall(r'"/assets/([\w.]+)"', script.read_text())
        missing += [f"{script.name}: {name}" for name in imported if not (FOLDER / name).is_file()]
    assert missing == []
