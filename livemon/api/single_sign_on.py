"""Signing in by an identity provider: the way there, the way back, and the provider's word that somebody has left.

What goes wrong leads to the sign-in page, which says it in words: neither code nor state stays in the address.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlencode

import structlog
from fastapi import APIRouter, Request
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, RedirectResponse, Response

from livemon.access import attribution, sign_in_limits
from livemon.access.cookie import cookie_attributes, set_session_cookie
from livemon.access.errors import AccessError, TooManyFailures
from livemon.access.guard import MAX_NEXT, prefix_of
from livemon.access.oidc import attempts, departures, hint, people
from livemon.access.oidc.attempts import COOKIE_PREFIX, LIFETIME, Attempt, cookie_of
from livemon.access.oidc.errors import AttemptGone, OidcError, ProviderAway, ProviderRefused
from livemon.access.oidc.identity import key_of
from livemon.access.sessions import SignedInBy
from livemon.store.audit.acts import Act, Action, Outcome
from livemon.store.errors import StoreError
from livemon.store.instants import to_ms, utc_now

from .body import BODY_TIMEOUT_S
from .errors import ApiError
from .recording import address_of, refuse_cross_site
from .sign_in import Host, base_of, end_all, set_hint_cookie, start_of

if TYPE_CHECKING:
    from livemon.access.oidc.provider import Provider

MOST_TABS = 10
"""Sign-ins that one browser has under way; with more it begins anew."""
MAX_BODY = 100_000
_HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}

_log = structlog.get_logger(__name__)


def router(host: Host) -> APIRouter:
    """The endpoints, for the application to include."""
    routes = APIRouter()

    @routes.get("/sign-in/{slug}")
    async def leave(slug: str, request: Request) -> Response:
        _check_navigation(host, request)
        next_path = own_path(request.query_params.get("next")) or ""
        try:
            await sign_in_limits.check(host.store, address_of(request))
            provider = _provider(host, slug)
            return await leave_for(host, provider, request, _see_other, next_path=next_path)
        except (OidcError, TooManyFailures, StoreError) as error:
            return await _to_page(host, request, slug, error, next_path)

    @routes.get("/sign-in/{slug}/callback")
    async def come_back(slug: str, request: Request) -> Response:
        _check_navigation(host, request)
        state, next_path, invitation = _one(request, "state"), "", None
        try:
            await sign_in_limits.check(host.store, address_of(request))
            provider = _provider(host, slug)
            attempt = await attempts.take(host.store, slug, state, request.cookies)
            next_path, invitation = attempt.next, attempt.invitation
            response = await _come_back(host, provider, request, attempt)
        except (OidcError, AccessError, StoreError) as error:
            response = await _to_page(host, request, slug, error, next_path, invitation)
        response.delete_cookie(cookie_of(state), **cookie_attributes(request))
        return response

    @routes.post("/sign-in/{slug}/back-channel-logout")
    async def back_channel_logout(slug: str, request: Request) -> Response:
        from livemon.access.oidc.back_channel import Ended, end_sessions

        try:
            token, provider = await _logout_token(request), _provider(host, slug)
            ended = await end_sessions(host.store, host.sessions, provider, token)
            for each in ended or [Ended(provider.settings.workspace, "", 0)]:
                detail = {"by": slug, "ended": each.sessions}
                act = Act(Action.SESSION_END, Outcome.DONE, each.workspace, subject=each.name, detail=detail)
                host.audit.note(replace(act, address=address_of(request)))
        except StoreError as error:
            _log.warning("a provider's logout was not done", provider=slug[:64], why=str(error))
            return _logout_refused(503, "temporarily_unavailable", "the database does not answer; try again")
        except ProviderAway as error:
            _log.warning("a provider's logout was not done", provider=slug[:64], why=str(error))
            return _logout_refused(503, "temporarily_unavailable", "the provider's keys cannot be fetched; try again")
        except OidcError as error:
            _log.warning("a logout token was refused", provider=slug[:64], why=str(error))
            detail = {"by": slug[:64], "reason": error.problem}
            act = Act(Action.SESSION_END, Outcome.REFUSED, address=address_of(request), detail=detail)
            host.audit.refuse(await _attributed(host, act, slug))
            return _logout_refused(400, "invalid_request", str(error))
        _log.info("signed out by the provider", provider=slug, sessions=sum(each.sessions for each in ended))
        return Response(status_code=200, headers=_HEADERS)

    return routes


def own_path(path: str | None) -> str | None:
    """The path if it leads to a page of this server, and nowhere else whatever a browser makes of it; else None."""
    if not path or len(path) > MAX_NEXT or not re.fullmatch(r"/[!#-\[\]-~]*", path):
        return None
    parts = path.partition("?")[0].partition("#")[0].split("/")[1:]
    if len(parts) > 1 and any(part.replace("%2e", ".").replace("%2E", ".") in ("", ".", "..") for part in parts[:-1]):
        return None  # `//elsewhere`, and what becomes that
    return None if "sign-in" in parts[:2] else path


async def leave_for(
    host: Host,
    provider: "Provider",
    request: Request,
    respond: Callable[[str], Response],
    *,
    next_path: str = "",
    invitation: str | None = None,
) -> Response:
    """Begin a sign-in: what `respond` answers with the address at the provider, and the attempt's cookie.

    Raises `ProviderAway`, `TooManyAttempts`, `StoreError`.
    """
    await provider.metadata()  # one that is away costs no row in the store
    attempt = await attempts.begin(
        host.store, provider.slug, next_path=next_path, address=address_of(request), invitation=invitation
    )
    url = await provider.sign_in_url(
        _redirect_uri(host, provider, request), state=attempt.state, nonce=attempt.nonce, verifier=attempt.verifier
    )
    response = respond(url)
    response.headers.update(_HEADERS)
    others = [name for name in request.cookies if name.startswith(COOKIE_PREFIX)]
    for name in others if len(others) >= MOST_TABS else ():
        response.delete_cookie(name, **cookie_attributes(request))
    response.set_cookie(
        attempt.cookie, attempt.secret, max_age=int(LIFETIME.total_seconds()), **cookie_attributes(request)
    )
    return response


async def _come_back(host: Host, provider: "Provider", request: Request, attempt: Attempt) -> Response:
    await provider.check_sender(request.query_params.get("iss"))
    if error := request.query_params.get("error"):
        raise ProviderRefused(error)
    signed_in = await provider.redeem(
        _one(request, "code"), _redirect_uri(host, provider, request), nonce=attempt.nonce, verifier=attempt.verifier
    )

    sid = signed_in.get("sid")
    kept = hint.seal(signed_in.id_token)
    by = SignedInBy(provider.slug, signed_in["sub"], sid if isinstance(sid, str) else None, kept.sealed)
    device, address, cookie = request.headers.get("user-agent", ""), address_of(request), ""

    async def looking(session: AsyncSession) -> None:
        now = to_ms(utc_now())
        await departures.look(session, by.provider, by.subject, by.sid, since=attempt.begun_at, at=now)

    async def opening(session: AsyncSession, who: people.LetIn) -> None:
        nonlocal cookie
        cookie = await host.sessions.put(session, who.user_id, who.workspace, device=device, address=address, by=by)

    async def recording(session: AsyncSession, act: Act) -> None:
        await host.audit.add(session, replace(act, address=address, detail={**act.detail, "by": provider.slug}))

    entrance = people.Entrance(looking, opening, recording)
    try:
        await people.let_in(host.store, provider.settings, signed_in, entrance, invitation=attempt.invitation)
    except OidcError as error:
        error.about = key_of(signed_in)
        raise
    person = await host.sessions.find(cookie)
    await end_all(host, request, Action.SESSION_END)  # whoever was signed in here, and knows that cookie, is out
    response = RedirectResponse(attempt.next or start_of(request, person), 303, headers=_HEADERS)
    set_session_cookie(response, request, cookie)
    set_hint_cookie(response, request, kept.key)
    return response


def _check_navigation(host: Host, request: Request) -> None:
    """Raises `ApiError`, and notes it, unless somebody goes there: a page that has their browser fetch it as a picture, say,
    must not use up how often their address may fail. A browser that does not say what it fetches for is old."""
    if request.headers.get("sec-fetch-dest", "document") != "document":
        refuse_cross_site(host, request)
        raise ApiError("cross_site", _NOT_A_PAGE, _HEADERS)


_NOT_A_PAGE = (
    "A page has asked for this in the background, so nobody was signed in and nothing was counted. Open livemon's own sign-in "
    "page, and sign in there."
)


async def _attributed(host: Host, act: Act, slug: str, invitation: str | None = None) -> Act:
    """As one of the workspace that it belongs to; of none if there is no such provider."""
    if invitation is not None:
        act = await attribution.by_invitation(host.store, act, invitation)
    provider = host.providers.get(slug)
    return (
        act
        if act.workspace or provider is None
        else await attribution.by_provider(host.store, act, provider.settings.workspace)
    )


def _see_other(url: str) -> Response:
    return RedirectResponse(url, 303)


def _provider(host: Host, slug: str) -> "Provider":
    if slug not in host.providers:
        raise AttemptGone("there is no such provider")
    return host.providers[slug]


def _redirect_uri(host: Host, provider: "Provider", request: Request) -> str:
    return f"{base_of(request, host.public_url)}/sign-in/{provider.slug}/callback"


def _one(request: Request, name: str) -> str:
    """A parameter that stands in the address once; empty if it does not, or several times."""
    values = request.query_params.getlist(name)
    return values[0] if len(values) == 1 else ""


async def _to_page(
    host: Host, request: Request, slug: str, error: Exception, next_path: str, invitation: str | None = None
) -> RedirectResponse:
    """The sign-in page, which says what happened and what to do. What is no outage is a refusal, recorded and counted."""
    if isinstance(error, OidcError) and not isinstance(error, ProviderAway):
        reason = "provider_refused" if error.problem == ProviderRefused.problem else error.problem
        detail = {"by": slug[:64], "reason": reason}
        act = Act(Action.SIGN_IN, Outcome.REFUSED, subject=error.about, address=address_of(request), detail=detail)
        await sign_in_limits.refused(host.store, host.audit, await _attributed(host, act, slug, invitation))
    others = "store" if isinstance(error, StoreError) else "settings"
    problem = error.problem if isinstance(error, OidcError | TooManyFailures) else others
    _log.warning("nobody was signed in", provider=slug[:64], problem=problem, why=str(error))
    said = {"problem": problem, "provider": slug[:64]} | ({"next": next_path} if next_path else {})
    return RedirectResponse(
        f"{prefix_of(request)}/sign-in?{urlencode(said, safe='/', quote_via=quote)}", 303, headers=_HEADERS
    )


async def _logout_token(request: Request) -> str:
    """The form's one field. Raises `AttemptGone` for what is no such form."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY:
                    raise AttemptGone("the request is too long")
        found = parse_qs(bytes(body).decode("ascii"), max_num_fields=20).get("logout_token", [])
    except (TimeoutError, ClientDisconnect, ValueError) as error:
        raise AttemptGone("the request cannot be read") from error
    if len(found) != 1:
        raise AttemptGone("the request has no logout_token")
    return found[0]


def _logout_refused(status: int, error: str, why: str) -> JSONResponse:
    """As the specification has it (section 2.8), for the provider's log."""
    return JSONResponse({"error": error, "error_description": why}, status, headers=_HEADERS)
