"""A new cookie once somebody's role has changed: what stood for the former rights does not stand for the new ones.

The session's id stays, so that what holds it goes on. The former cookie is good for ten more seconds, for requests that are
under way; of any number that come with it at once one gets the new one.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog
from sqlmodel import col, select, update
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Message, Send

from livemon.store.errors import StoreError
from livemon.store.instants import Now, to_ms
from livemon.store.store import Store
from livemon.store.tables import Membership, Session

from .cookie import COOKIE, cookies_of, hash_of, new_cookie, set_session_cookie
from .person import Person

FORMER = timedelta(seconds=10)
TIMEOUT_S = 2.0

_log = structlog.get_logger(__name__)
Renew = Callable[[str, list[str]], Awaitable[str | None]]
"""Session's id and the request's cookies: the new cookie, or None if it has none of them (any more)."""


async def renew(store: Store, session_id: str, cookies: list[str], *, now: Now) -> str | None:
    """The new cookie of a running session whose present one is among `cookies`; else None. Raises `StoreError`."""
    cookie = new_cookie()
    moment = now()
    own = (
        col(Session.id) == session_id,
        col(Session.cookie).in_([hash_of(each) for each in cookies]),
        col(Session.ended_at).is_(None),
    )
    role = (
        select(Membership.role)
        .where(
            col(Membership.user_id) == col(Session.user_id),
            col(Membership.workspace_id) == col(Session.workspace_id),
        )
        .correlate(Session)
        .scalar_subquery()
    )
    change = {
        "cookie": hash_of(cookie),
        "former_cookie": col(Session.cookie),
        "former_until": to_ms(moment + FORMER),
        "role": role,
    }
    async with store.session(timeout=TIMEOUT_S) as session:
        changed = await session.exec(update(Session).where(*own).values(**change))
        await session.commit()
    return cookie if changed.rowcount == 1 else None


def renewing(renew: Renew, connection: HTTPConnection, person: Person, send: Send) -> Send:
    """`send`, by which the answer takes a new cookie along if the person's is for another role than they have.

    An answer that gives or takes the session's cookie by itself is left as it is.
    """
    if not person.stale:
        return send

    async def send_with_cookie(message: Message) -> None:
        if message["type"] == "http.response.start" and not _has_cookie(MutableHeaders(scope=message)):
            try:
                cookie = await renew(person.session_id, cookies_of(connection))
            except StoreError as error:
                cookie = None
                _log.warning("a session's cookie was not renewed", why=str(error))
            if cookie is not None:
                _put(message, connection, cookie)
        await send(message)

    return send_with_cookie


def _has_cookie(headers: MutableHeaders) -> bool:
    return any(value.startswith(f"{COOKIE}=") for value in headers.getlist("set-cookie"))


def _put(message: Message, connection: HTTPConnection, cookie: str) -> None:
    giving = Response()
    set_session_cookie(giving, connection, cookie)
    headers = MutableHeaders(scope=message)
    headers.append("set-cookie", giving.headers["set-cookie"])
    headers["cache-control"] = "no-store"  # nobody on the way may keep it
