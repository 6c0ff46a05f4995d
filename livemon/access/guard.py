"""The guard at the door: pure ASGI, over http and websocket alike, so that nothing is served that it has not seen.

It knows who is signed in, and whether the request comes from our own pages and is meant for where the person is. What
somebody may do is looked at where it is done: an endpoint reads `person_of` and asks `Person.may`.
"""

import re
from collections.abc import Callable
from enum import Enum, auto
from importlib.metadata import version
from urllib.parse import quote, urlsplit

import structlog
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from livemon.store.audit.log import AuditLog
from livemon.store.errors import StoreError

from .cookie import COOKIE, cookies_of
from .errors import KeyRefused, TooManyFailures
from .key_bearers import SUBPROTOCOL, key_in_subprotocols, key_of, refused_elsewhere
from .named_workspace import means_another
from .person import Person
from .refusals import (
    API,
    CROSS_SITE,
    NO_KEY,
    NOT_FOR_KEYS,
    NOT_SIGNED_IN,
    OTHER_WORKSPACE,
    Refusal,
    is_api,
    path_of,
)
from .renewal import renewing
from .sessions import Sessions

__all__ = ["COOKIE", "Guard", "cookies_of", "person_of", "prefix_of"]

MAX_NEXT = 2_000

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_NICEGUI = f"/_nicegui/{version('nicegui')}"
_NICEGUI_SOCKET = "/_nicegui_ws/"

_log = structlog.get_logger(__name__)


class Entry(Enum):
    """Who a path is for."""

    OPEN = auto()
    SIGNED_IN = auto()
    SERVERS = auto()
    """For other servers' requests, which have neither an Origin nor a cookie: each proves by itself who it is from."""
    BEARERS = auto()
    """A socket whose first message has a token that nobody but whom it was given to can know: no cookie counts, so that no
    page elsewhere gets anything by a visitor's browser."""


_KNOWN = (Entry.SIGNED_IN, Entry.BEARERS)
"""Where everybody else has to be known."""

PATHS: tuple[tuple[str, Entry], ...] = (
    ("/sign-in", Entry.OPEN),
    ("/sign-in/link", Entry.OPEN),
    ("/sign-in/*", Entry.OPEN),
    ("/sign-in/*/callback", Entry.OPEN),
    ("/sign-in/*/back-channel-logout", Entry.SERVERS),
    ("/join", Entry.OPEN),
    ("/join/look", Entry.OPEN),
    ("/join/accept", Entry.OPEN),
    ("/join/with/*", Entry.OPEN),
    ("/healthz", Entry.OPEN),
    ("/metrics", Entry.OPEN),
    ("/v2/openapi.json", Entry.OPEN),
    ("/v2/live-audio/*", Entry.BEARERS),
    ("/favicon.ico", Entry.OPEN),
    ("/assets/", Entry.OPEN),
    # NiceGUI's own files, the same for every livemon of this version; everything else of NiceGUI belongs to somebody
    (f"{_NICEGUI}/static/", Entry.OPEN),
    (f"{_NICEGUI}/libraries/", Entry.OPEN),
    (f"{_NICEGUI}/components/", Entry.OPEN),
    (f"{_NICEGUI}/resources/", Entry.OPEN),
    (f"{_NICEGUI}/esm/", Entry.OPEN),
    ("/", Entry.SIGNED_IN),
)
"""The first that fits counts: a path with a slash at its end means everything below it, any other itself alone;
a star is one part of a path, whatever it is."""

OPEN_TO_KEYS = ("/feed/", "/calls/", "/listeners/", "/take-overs/", *API)
"""Below which an API key may ask: the calls. Pages and whatever is about people are for people who are signed in."""

GOES_ON = re.compile(r"/calls/[^/]+/end|/listeners/[^/]+/stop|/take-overs/[^/]+/cancel|/sign-out|/v2/stop-call/[^/]+")
"""What is done while the store is away too, for whoever it knew a little while ago: ending a call, leaving one, or livemon."""


def entry_of(path: str) -> Entry:
    """Who a path is for; what the table does not name is for people who are signed in."""
    for listed, entry in PATHS:
        if path == listed or (listed.endswith("/") and path.startswith(listed)):
            return entry
        if "*" in listed and _parts_fit(path.split("/"), listed.split("/")):
            return entry
    return Entry.SIGNED_IN


def _parts_fit(parts: list[str], listed: list[str]) -> bool:
    """Part for part the same, where no star stands; there it is any but an empty one."""
    fits = (bool(part) if wanted == "*" else part == wanted for part, wanted in zip(parts, listed, strict=False))
    return len(parts) == len(listed) and all(fits)


def person_of(connection: HTTPConnection) -> Person | None:
    """Who asks, as the guard has found; None if nobody is signed in, or if no guard has looked."""
    person = connection.scope.get("state", {}).get("person")
    return person if isinstance(person, Person) else None


def prefix_of(connection: HTTPConnection) -> str:
    """The path that a proxy has put before ours, to be put before an address that we send; empty as a rule."""
    prefix = (connection.headers.get("x-forwarded-prefix", "") + connection.scope.get("root_path", "")).rstrip("/")
    return prefix if re.fullmatch(r"(/[\w.~-]+)+", prefix, re.ASCII) else ""


def _without_prefix(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """What is no path must not get into a page, and NiceGUI writes it there as it comes."""
    return [header for header in headers if header[0] != b"x-forwarded-prefix"]


class Guard:
    """ASGI middleware. `sessions` may be given as a callable, for an application that is made before its node.

    `public_url` is the address that people open, if the Host header that arrives here is another one; `audit` is where
    refusals of API keys are noted; `on_cross_site` is told of what other sites have browsers do.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        sessions: Sessions | Callable[[], Sessions],
        public_url: str | None = None,
        audit: AuditLog | None = None,
        on_cross_site: Callable[[HTTPConnection], None] | None = None,
    ) -> None:
        self._app, self._on_cross_site = app, on_cross_site
        self._sessions: Callable[[], Sessions] = (lambda: sessions) if isinstance(sessions, Sessions) else sessions
        self._audit = audit
        self._public_origin = _origin(public_url) if public_url else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        person = await self._admit(connection)
        if isinstance(person, Person) and means_another(connection, person):
            person = OTHER_WORKSPACE
        if isinstance(person, Refusal):
            await _refuse(connection, person, receive, send)
            return
        state = {**scope.get("state", {}), "person": person}
        scope = {**scope, "state": state}
        if not prefix_of(connection):
            scope["headers"] = _without_prefix(scope["headers"])
        if person is not None and scope["type"] == "http":
            send = renewing(self._sessions().renew, connection, person, send)
        await self._app(scope, receive, send)

    async def _admit(self, connection: HTTPConnection) -> Person | Refusal | None:
        """Who comes in, None where that does not matter, or why nobody does."""
        is_http, entry = connection.scope["type"] == "http", entry_of(path_of(connection))
        if entry is (Entry.SERVERS if is_http else Entry.BEARERS):
            return None
        if entry in _KNOWN and (machine := await self._admit_machine(connection)) is not None:
            return machine
        unsafe = not is_http or connection.scope["method"] not in _SAFE_METHODS
        if unsafe and not self._is_from_us(connection):
            if self._on_cross_site is not None:
                self._on_cross_site(connection)
            return CROSS_SITE
        if entry not in _KNOWN:
            return None
        try:
            for cookie in cookies_of(connection):
                if person := await self._sessions().find(cookie):
                    return person
        except StoreError as error:
            if known := self._known(connection):
                return known
            _log.warning("nobody can be let in", why=str(error))
            return Refusal("store_away", 503, 1013, str(error))
        return NOT_SIGNED_IN

    async def _admit_machine(self, connection: HTTPConnection) -> Person | Refusal | None:
        """Who comes with a key, or should; None if it may be a browser."""
        if (key := _key_of(connection)) is not None:
            return await self._admit_key(connection, key)
        return NO_KEY if is_api(path_of(connection)) and not cookies_of(connection) else None

    async def _admit_key(self, connection: HTTPConnection, key: str) -> Person | Refusal:
        """Which machine comes in, or why none does. No cookie counts then, and no browser sends a key by itself, so that an
        Origin need not be there."""
        if connection.headers.getlist("origin") and not self._is_from_us(connection):
            return CROSS_SITE
        keys, path = self._sessions().keys, path_of(connection)
        address = connection.client.host if connection.client else ""
        try:
            person = await keys.admit(key, address, self._audit)
        except KeyRefused as error:
            challenge = {"WWW-Authenticate": 'Bearer realm="livemon", error="invalid_token"'}
            return Refusal("unauthenticated", 401, 4401, str(error), challenge)
        except TooManyFailures as error:
            return Refusal("sign_in_limited", 429, 1013, str(error), {"Retry-After": str(error.wait_s)})
        except StoreError as error:
            known = keys.recollect(key) if connection.scope["type"] == "http" and GOES_ON.fullmatch(path) else None
            return known or Refusal("store_away", 503, 1013, str(error))
        if path.startswith(OPEN_TO_KEYS):
            return person
        if self._audit is not None:
            self._audit.refuse(refused_elsewhere(person, path, address))
        return NOT_FOR_KEYS

    def _known(self, connection: HTTPConnection) -> Person | None:
        """Who it was a little while ago, for what must go on without the store."""
        if connection.scope["type"] != "http" or not GOES_ON.fullmatch(path_of(connection)):
            return None
        known = (self._sessions().recollect(cookie) for cookie in cookies_of(connection))
        return next((person for person in known if person is not None), None)

    def _is_from_us(self, connection: HTTPConnection) -> bool:
        origins, hosts = connection.headers.getlist("origin"), connection.headers.getlist("host")
        if len(origins) != 1 or len(hosts) != 1:
            return False
        origin = _origin(origins[0])
        if origin is None or (connection.scope["scheme"] in ("https", "wss") and origin[0] != "https"):
            return False
        return origin in (self._public_origin, _origin(f"{origin[0]}://{hosts[0]}"))


def _key_of(connection: HTTPConnection) -> str | None:
    """The API key that comes with a request. In the API for programs whatever is sent as one is taken for one: a program
    with another service's key is to be told that, and not that it comes from a foreign page."""
    key = key_of(connection)
    if key is None and is_api(path_of(connection)):
        if (key := key_in_subprotocols(connection)) is not None:
            return key
        sent = connection.headers.getlist("authorization")
        return "" if any(each.lower().startswith("bearer ") for each in sent) else None
    return key


def _origin(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of an address; None if it is not one of the web."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        return None
    return parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80)


async def _refuse(connection: HTTPConnection, refusal: Refusal, receive: Receive, send: Send) -> None:
    if connection.scope["type"] == "http":
        path = path_of(connection)
        reads = connection.scope["method"] in ("GET", "HEAD") and not is_api(path)
        wants_page = reads and "text/html" in connection.headers.get("accept", "")
        response = _to_sign_in(connection) if refusal is NOT_SIGNED_IN and wants_page else refusal.response(path)
        await response(connection.scope, receive, send)
        return
    await receive()  # the browser's wish to connect
    if not path_of(connection).startswith(_NICEGUI_SOCKET):  # which knows no close codes
        subprotocol = None if key_in_subprotocols(connection) is None else SUBPROTOCOL
        # a browser is told nothing of a refusal before this
        await send({"type": "websocket.accept", "subprotocol": subprotocol})
    await send({"type": "websocket.close", "code": refusal.close_code, "reason": refusal.code})


def _to_sign_in(connection: HTTPConnection) -> Response:
    """The sign-in page, which leads on to what was asked for."""
    scope, prefix = connection.scope, prefix_of(connection)
    raw: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    root = scope.get("root_path", "").rstrip("/").encode()
    path = raw[len(root) :] if root and raw.startswith(root + b"/") else raw
    asked = prefix + "/" + path.decode("latin-1").lstrip("/\\")  # never `//elsewhere`
    if query := scope.get("query_string", b""):
        asked += "?" + query.decode("latin-1")
    target = f"{prefix}/sign-in"
    if len(asked) <= MAX_NEXT:
        target += f"?next={quote(asked, safe='/')}"
    return RedirectResponse(target, 303, headers={"Cache-Control": "no-store"})
