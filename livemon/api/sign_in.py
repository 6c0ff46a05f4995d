"""Signing in by a one-time link, and out again (docs/interfaces.md, «Endpoints»).

Out again also means out at the provider by which somebody came, if it has a place for that and can be reached.
"""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import structlog
from fastapi import APIRouter, Request
from pydantic import BaseModel
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import JSONResponse, Response

from livemon.access import attribution, sign_in_limits
from livemon.access.cookie import ABSOLUTE, COOKIE, cookie_attributes, cookies_of, set_session_cookie
from livemon.access.errors import AccessError, LinkUsed, TooManyFailures
from livemon.access.guard import person_of, prefix_of
from livemon.access.links import Entering, use_link
from livemon.access.oidc import hint
from livemon.access.oidc.errors import OidcError
from livemon.access.person import Person
from livemon.access.roles import Right
from livemon.access.sessions import Sessions, SignedInBy
from livemon.store.audit.acts import Act, Action, Outcome
from livemon.store.audit.errors import NotRecorded
from livemon.store.audit.log import AuditLog
from livemon.store.errors import StoreError
from livemon.store.store import Store

from .body import read_body
from .errors import ApiError
from .recording import act_of, address_of, not_recorded

if TYPE_CHECKING:
    from livemon.access.oidc.provider import Provider

MAX_BODY = 4_096
PROVIDER_TIMEOUT_S = 3.0
"""How long somebody who signs out waits for a provider that livemon has not met since it started."""

_log = structlog.get_logger(__name__)


class Host(Protocol):
    """What the endpoints need of the node."""

    @property
    def audit(self) -> AuditLog: ...
    @property
    def sessions(self) -> Sessions: ...
    @property
    def store(self) -> Store: ...
    @property
    def providers(self) -> "Mapping[str, Provider]": ...
    @property
    def public_url(self) -> str | None: ...


class _LinkBody(BaseModel):
    token: str


def router(host: Host) -> APIRouter:
    """The endpoints, for the application to include."""
    routes = APIRouter()

    @routes.post("/sign-in/link")
    async def sign_in(request: Request) -> Response:
        token = (await read_body(request, _LinkBody, MAX_BODY, '{"token": "…"}', _bad_request)).token

        async def recording(session: AsyncSession, who: Entering) -> None:
            await host.audit.add(session, _signed_in(request, who))

        try:
            await sign_in_limits.check(host.store, address_of(request))
            user_id, workspace = await use_link(host.store, token, recording=recording)
            cookie = await host.sessions.open(
                user_id, workspace, device=request.headers.get("user-agent", ""), address=address_of(request)
            )
            person = await host.sessions.find(cookie)
            await end_all(
                host, request, Action.SESSION_END
            )  # whoever was signed in here, and knows that cookie, is out
        except TooManyFailures as error:
            raise sign_in_limited(error) from error
        except AccessError as error:
            act = Act(Action.SIGN_IN, Outcome.REFUSED, address=address_of(request), detail={"reason": "link_used"})
            act = await attribution.by_link(host.store, act, token)
            await sign_in_limits.refused(host.store, host.audit, act)
            raise ApiError("link_used", str(LinkUsed())) from error
        except NotRecorded as error:
            raise not_recorded(error) from error
        except StoreError as error:
            raise ApiError("store_away", str(error)) from error
        response = JSONResponse({"next": start_of(request, person)})
        set_session_cookie(response, request, cookie)
        return response

    @routes.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        there = await _sign_out_there(host, request, await _leave(host, request))
        response = JSONResponse({"next": there}) if there else Response(status_code=204)
        for name in (COOKIE, hint.COOKIE):
            response.delete_cookie(name, **cookie_attributes(request))
        return response

    return routes


async def _leave(host: Host, request: Request) -> SignedInBy | None:
    """Whoever asks is out, also while nothing can be recorded or the store is away: both are made up for.

    Gives the provider by which they came, as far as that is known.
    """
    person = person_of(request)
    try:
        by = await host.sessions.signed_in_by(person.session_id) if person else None
        await end_all(host, request, Action.SIGN_OUT)
    except StoreError as error:
        _log.warning("signed out at this node alone until the database is back", why=str(error))
        known = [person, *(host.sessions.recollect(cookie) for cookie in cookies_of(request))]
        for session_id in {one.session_id for one in known if one is not None}:
            host.sessions.leave(session_id)
        if person is not None:
            host.audit.note(act_of(request, person, Action.SIGN_OUT, Outcome.DONE))
        return None
    return by


async def _sign_out_there(host: Host, request: Request, by: SignedInBy | None) -> str | None:
    """Where the browser signs out at its provider; None if it came by a link, or the provider has no such place."""
    provider = host.providers.get(by.provider) if by else None
    if provider is None or by is None:
        return None
    try:
        async with asyncio.timeout(PROVIDER_TIMEOUT_S):
            id_token = hint.unseal(by.id_token, request.cookies.get(hint.COOKIE))
            return await provider.sign_out_url(id_token, f"{base_of(request, host.public_url)}/sign-in")
    except (OidcError, TimeoutError) as error:
        _log.warning("signed out here alone", provider=provider.slug, why=str(error) or "no answer in time")
        return None


def base_of(request: Request, public_url: str | None) -> str:
    """The address by which the browser has livemon: as configured, or as it asked (the guard's Host, the proxy's path)."""
    return public_url or f"{request.url.scheme}://{request.url.netloc}{prefix_of(request)}"


def start_of(request: Request, person: Person | None) -> str:
    """Where somebody goes who has just signed in and has not said where to."""
    return prefix_of(request) + ("/live" if person is not None and person.may(Right.WATCH) else "/")


def set_hint_cookie(response: Response, request: Request, key: str) -> None:
    """Give the browser the key to what its provider asks for when it signs out."""
    response.set_cookie(hint.COOKIE, key, max_age=int(ABSOLUTE.total_seconds()), **cookie_attributes(request))


def _signed_in(request: Request, who: Entering) -> Act:
    known = (who.workspace, who.user_id, who.name)
    return Act(Action.SIGN_IN, Outcome.DONE, *known, address=address_of(request), detail={"by": "link"})


async def end_all(host: Host, request: Request, why: Action) -> None:
    """End every session that the request's cookies could stand for; it is leaving, and so waits for no record.

    Raises `StoreError`; then the person's own, which is the last of them, is not recorded.
    """
    person, ours = person_of(request), await host.sessions.ids_of(cookies_of(request))
    own = [person.session_id] if person is not None else []
    for session_id in [one for one in ours if one not in own] + own:
        running = await host.sessions.person(session_id)
        await host.sessions.end(session_id)
        if running is not None:
            host.audit.note(act_of(request, running, why, Outcome.DONE))


def sign_in_limited(error: TooManyFailures) -> ApiError:
    return ApiError("sign_in_limited", str(error), {"Retry-After": str(error.wait_s)})


def _bad_request(why: str) -> ApiError:
    return ApiError(
        "bad_request", f"The request to sign in cannot be read: {why}. Nobody was signed in. Open the link again."
    )
