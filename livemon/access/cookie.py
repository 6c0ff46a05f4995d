"""The session's cookie: its name, its attributes, and the hash by which the store knows it. For guard and endpoints alike."""

import secrets
from datetime import timedelta
from hashlib import sha256
from typing import Literal, TypedDict

from starlette.requests import HTTPConnection
from starlette.responses import Response

COOKIE = "livemon_session"
ABSOLUTE = timedelta(days=7)
"""After this a session is over, whatever happens."""
MAX_COOKIE = 128
MAX_COOKIES = 4
"""Several of the same name may come (other paths, other domains); more are an attack or a mess."""
MAX_COOKIE_HEADER = 16_384


class Attributes(TypedDict):
    """What `Response.set_cookie` and `delete_cookie` take."""

    path: str
    secure: bool
    httponly: bool
    samesite: Literal["lax"]


def new_cookie() -> str:
    """256 bits that nobody guesses."""
    return secrets.token_urlsafe(32)


def hash_of(cookie: str) -> str:
    """What the store knows a cookie by."""
    return sha256(cookie.encode("utf-8", "replace")).hexdigest()


def cookies_of(connection: HTTPConnection) -> list[str]:
    """What the browser sent as our cookie: one as a rule, several if others have set some of the same name."""
    header = ";".join(connection.headers.getlist("cookie"))
    if len(header) > MAX_COOKIE_HEADER:
        return []
    pairs = (part.partition("=") for part in header.split(";"))
    values = [value.strip().strip('"') for name, _, value in pairs if name.strip() == COOKIE]
    return [value for value in dict.fromkeys(values) if value][:MAX_COOKIES]


def cookie_attributes(connection: HTTPConnection) -> Attributes:
    """Scripts never see the cookie, other sites never send it along, and https keeps it to https."""
    secure = connection.url.scheme in ("https", "wss")
    return {"path": "/", "secure": secure, "httponly": True, "samesite": "lax"}


def set_session_cookie(response: Response, connection: HTTPConnection, cookie: str) -> None:
    """Give the browser its session."""
    response.set_cookie(COOKIE, cookie, max_age=int(ABSOLUTE.total_seconds()), **cookie_attributes(connection))
