"""One identity provider: the way there, and what it says of who comes back. It knows no cookies and no store.

Every request has a timeout. What the provider says of itself is kept for an hour, and beyond that while it cannot be
reached: that is noticed by who wants to sign in, and by nobody else.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, cast

import structlog

from livemon.store.instants import Now, utc_now

from . import grants
from .errors import ProviderAway, ProviderRefused, TokenRefused
from .http import ProviderHttp
from .identity import Claims, subject_of, values_at
from .keys import Keys
from .metadata import Metadata, address_of, read_metadata
from .provider_settings import ProviderSettings
from .tokens import Logout, check_id_token, check_logout_token, header_of, verified

KEPT = timedelta(hours=1)
_OF_THE_TOKEN = frozenset(
    {"iss", "aud", "exp", "iat", "nbf", "jti", "azp", "nonce", "sid", "at_hash", "c_hash", "acr", "amr", "auth_time"}
)
"""What only the ID token may say; the rest of the claims may come from the userinfo endpoint too."""
_log = structlog.get_logger(__name__)


class SignedIn(dict[str, Any]):
    """The claims of somebody who has just signed in; `id_token` is the token that says so."""

    id_token: str = ""


class Provider:
    """Made without I/O."""

    def __init__(self, slug: str, settings: ProviderSettings, *, now: Now = utc_now) -> None:
        self.slug, self.settings = slug, settings
        self._now = now
        self._http = ProviderHttp()
        self._metadata: Metadata | None = None
        self._looked_at: datetime | None = None
        self._failures, self._failure = 0, ""
        self._lock = asyncio.Lock()
        self._keys = Keys(self._fetch_keys, now)

    @property
    def name(self) -> str:
        """What people call it."""
        return self.settings.name or self.slug.replace("_", " ").replace("-", " ").title()

    async def metadata(self) -> Metadata:
        """What it says of itself. Raises `ProviderAway` if it never did."""
        if self._is_fresh():
            assert self._metadata is not None
            return self._metadata
        failures = self._failures
        async with self._lock:
            if self._metadata is None and self._failures != failures:  # who waited here need not wait once more
                raise ProviderAway(self._failure)
            if not self._is_fresh():
                await self._look()
            assert self._metadata is not None
            return self._metadata

    async def sign_in_url(self, redirect_uri: str, *, state: str, nonce: str, verifier: str) -> str:
        """Where the browser goes to sign in. Raises `ProviderAway`."""
        endpoint = (await self.metadata()).authorization_endpoint
        return grants.sign_in_url(endpoint, self.settings, redirect_uri, state=state, nonce=nonce, verifier=verifier)

    async def check_sender(self, issuer: str | None) -> None:
        """That a browser was sent back by this provider (RFC 9207). Raises `TokenRefused`, `ProviderAway`."""
        metadata = await self.metadata()
        if issuer is None and not metadata.authorization_response_iss_parameter_supported:
            return
        if issuer != metadata.issuer:
            raise TokenRefused("the browser was sent back by another provider (iss), or by nobody")

    async def redeem(self, code: str, redirect_uri: str, *, nonce: str, verifier: str) -> SignedIn:
        """Exchange the code that a browser has brought. Raises `ProviderAway`, `ProviderRefused`, `TokenRefused`."""
        metadata = await self.metadata()
        answer = await self._exchange(metadata, code, redirect_uri, verifier)
        id_token, access_token = answer.get("id_token"), answer.get("access_token")
        if not isinstance(id_token, str):
            raise TokenRefused("there is no ID token in the provider's answer")
        access_token = access_token if isinstance(access_token, str) else None
        header, claims = await self._verified(id_token)
        check_id_token(
            header,
            claims,
            issuer=metadata.issuer,
            client_id=self.settings.client_id,
            nonce=nonce,
            access_token=access_token,
            now=self._now(),
        )
        signed_in = SignedIn(await self._completed(metadata, claims, access_token))
        signed_in.id_token = id_token
        return signed_in

    async def read_logout(self, token: str) -> Logout:
        """Whose sessions a logout token ends. Raises `TokenRefused`, `ProviderAway`."""
        header = header_of(token)
        metadata = await self.metadata()
        _, claims = await self._verified(token)
        return check_logout_token(
            header, claims, issuer=metadata.issuer, client_id=self.settings.client_id, now=self._now()
        )

    async def sign_out_url(self, id_token: str | None, back_to: str) -> str | None:
        """Where the browser goes to sign out there too; None if the provider has no such place.

        OpenID Connect RP-Initiated Logout 1.0; the client's id is for providers that cannot tell it from the token
        alone. Raises `ProviderAway`.
        """
        metadata = await self.metadata()
        if metadata.end_session_endpoint is None:
            return None
        parameters = [("client_id", self.settings.client_id), ("post_logout_redirect_uri", back_to)]
        if id_token:
            parameters.append(("id_token_hint", id_token))
        return grants.with_parameters(metadata.end_session_endpoint, *parameters)

    async def check_keys(self) -> int:
        """How many keys it signs with that livemon can use. Raises `ProviderAway`."""
        found = {
            key.thumbprint() for each in self.settings.algorithms for key in await self._keys.for_token(each, None)
        }
        return len(found)

    # ---- inside

    def _is_fresh(self) -> bool:
        return self._looked_at is not None and self._now() - self._looked_at < KEPT

    async def _look(self) -> None:
        try:
            found = await self._http.get(address_of(self.settings.issuer))
            self._metadata = read_metadata(found, self.settings.issuer)
        except ProviderAway as error:
            self._failures, self._failure = self._failures + 1, str(error)
            if self._metadata is None:
                raise
            _log.warning("a provider does not answer; what it said before is kept", provider=self.slug, why=str(error))
        self._looked_at = self._now()

    async def _fetch_keys(self) -> object:
        return await self._http.get((await self.metadata()).jwks_uri)

    async def _verified(self, token: str) -> tuple[dict[str, Any], Claims]:
        header = header_of(token)
        if header.algorithm not in self.settings.algorithms:  # before its key is asked for
            raise TokenRefused(
                f"it is signed by {header.algorithm[:20]!r}, and not by {' or '.join(self.settings.algorithms)}"
            )
        keys = await self._keys.for_token(header.algorithm, header.key_id)
        return verified(token, keys, self.settings.algorithms)

    async def _exchange(self, metadata: Metadata, code: str, redirect_uri: str, verifier: str) -> Mapping[str, object]:
        endpoint = metadata.token_endpoint
        methods = metadata.token_endpoint_auth_methods_supported
        headers, form = grants.token_request(
            endpoint, self.settings, methods, code=code, redirect_uri=redirect_uri, verifier=verifier
        )
        status, answer = await self._http.post(endpoint, headers, form)
        said = cast("dict[str, object]", answer) if isinstance(answer, dict) else {}
        if status == 200 and "error" not in said:
            return said
        if status >= 500 or "error" not in said:
            raise ProviderAway(f"its token endpoint answers {status}")
        raise ProviderRefused(str(said["error"]))

    async def _completed(self, metadata: Metadata, claims: Claims, access_token: str | None) -> Claims:
        """The claims, with what the ID token lacks of those that matter and the userinfo endpoint has.

        A provider that does not answer signs nobody in: for want of their groups people would lose their role.
        """
        wanted = values_at(claims, self.settings.roles_claim) is None and self.settings.maps_roles
        if not (wanted or "email" not in claims or "name" not in claims):
            return claims
        if metadata.userinfo_endpoint is None or access_token is None:
            return claims
        answer = await self._http.get(metadata.userinfo_endpoint, {"Authorization": f"Bearer {access_token}"})
        more = cast("dict[str, Any]", answer) if isinstance(answer, dict) else {}
        if more.get("sub") != subject_of(claims):  # OpenID Connect Core 1.0, section 5.3.2
            raise TokenRefused("the userinfo endpoint speaks of somebody else (sub)")
        if "email" in claims and more.get("email") != claims["email"]:
            more.pop("email_verified", None)  # that is about another address
        return {**{name: value for name, value in more.items() if name not in _OF_THE_TOKEN}, **claims}
