"""The endpoints of members, invitations, keys and joining as a test wants them: what they list, and what they say to an act.

Who may do what is tested with the real server, in tests/api and tests/browser.
"""

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Page, Request, Route

from tests.components.conftest import Stage

NOW = 1_760_000_000_000
MINUTE = 60_000
DAY = 86_400_000

CHROME_ON_ANDROID = (
    "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)
FIREFOX_ON_LINUX = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"

ENDPOINTS = ("/members/", "/invitations", "/keys", "/join/")


def session(session_id: str, **fields: Any) -> dict[str, Any]:
    times = {"created_at": NOW - 3 * DAY, "last_seen_at": NOW - 5 * MINUTE, "expires_at": NOW + 4 * DAY}
    about = {"device": FIREFOX_ON_LINUX, "address": "192.0.2.7", "this": False}
    return {"id": session_id, **about, **times, **fields}


def member(
    user_id: str, name: str, role: str = "developer", *sessions: dict[str, Any], **fields: Any
) -> dict[str, Any]:
    about = {"email": "", "by": None, "role_by": None, "last_seen": NOW - 5 * MINUTE, "you": False}
    return {"user_id": user_id, "name": name, "role": role, **about, "sessions": list(sessions), **fields}


def invitation(invitation_id: str, name: str, role: str = "developer", **fields: Any) -> dict[str, Any]:
    times = {"created_at": NOW - DAY, "expires_at": NOW + 6 * DAY}
    return {"id": invitation_id, "name": name, "role": role, "created_by": "Ada", **times, **fields}


def key(key_id: str, name: str, *rights: str, **fields: Any) -> dict[str, Any]:
    times = {"created_at": NOW - DAY, "expires_at": NOW + 89 * DAY, "revoked_at": None, "last_used_at": None}
    return {"id": key_id, "name": name, "rights": list(rights or ["watch"]), "created_by": "Ada", **times, **fields}


class Office:
    """`answers` has what a path answers to a POST, as status and body; all others answer 204. What was asked is in `acts`."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.members: list[dict[str, Any]] = []
        self.invitations: list[dict[str, Any]] = []
        self.keys: list[dict[str, Any]] = []
        self.rights = ["watch", "read", "unmasked", "listen", "take_over", "end", "inject"]
        self.answers: dict[str, tuple[int, Any]] = {}
        self.away = False
        self.acts: list[tuple[str, Any]] = []
        self.read = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def open(self) -> None:
        await self._page.route(lambda url: urlsplit(url).path.startswith(ENDPOINTS), self._answer)

    def refuse(self, path: str, code: str, message: str, status: int = 409) -> None:
        self.answers[path] = (status, {"error": {"code": code, "message": message}})

    def member(self, user_id: str) -> dict[str, Any]:
        return next(one for one in self.members if one["user_id"] == user_id)

    async def _answer(self, route: Route, request: Request) -> None:
        path = urlsplit(request.url).path
        if request.method == "GET" and not path.endswith("/all"):  # a page
            await route.fallback()
            return
        if request.method == "POST":
            self.acts.append((path, json.loads(request.post_data or "null")))
            await self.may_answer.wait()
        if self.away:
            await route.abort()
        elif request.method == "POST":
            status, body = self.answers.get(path, (204, None))
            await route.fulfill(status=status, **({} if body is None else {"json": body}))
        else:
            self.read += 1
            await route.fulfill(json=self._list(path))

    def _list(self, path: str) -> dict[str, Any]:
        if path == "/keys/all":
            return {"now": NOW, "rights": self.rights, "keys": self.keys}
        return {"now": NOW, "members": self.members, "invitations": self.invitations}


async def opened(stage: Stage, component: str, **lists: Any) -> Office:
    """That component on the stage, in an office with these `members`, `invitations` or `keys`."""
    office = Office(stage.page)
    for name, entries in lists.items():
        setattr(office, name, entries)
    await office.open()
    await stage.page.add_style_tag(url="/assets/admission.css")
    await stage.mount(component)
    return office
