"""The requests of OAuth 2.0's code grant with PKCE, as Authlib writes them: its untyped functions, and nothing else."""

from typing import Any
from urllib.parse import quote_plus

import authlib.common.urls
import authlib.oauth2.auth
import authlib.oauth2.rfc6749.parameters
import authlib.oauth2.rfc7636

from .provider_settings import ProviderSettings

_parameters: Any = authlib.oauth2.rfc6749.parameters
_pkce: Any = authlib.oauth2.rfc7636
_urls: Any = authlib.common.urls
_auth: Any = authlib.oauth2.auth


def sign_in_url(
    endpoint: str, settings: ProviderSettings, redirect_uri: str, *, state: str, nonce: str, verifier: str
) -> str:
    """Where a browser goes to sign in (OpenID Connect Core 1.0, section 3.1.2.1; RFC 7636 with S256)."""
    return _parameters.prepare_grant_uri(
        endpoint,
        client_id=settings.client_id,
        response_type="code",
        redirect_uri=redirect_uri,
        scope=settings.scopes,
        state=state,
        nonce=nonce,
        code_challenge=_pkce.create_s256_code_challenge(verifier),
        code_challenge_method="S256",
    )


def token_request(
    endpoint: str,
    settings: ProviderSettings,
    methods: list[str] | None,
    *,
    code: str,
    redirect_uri: str,
    verifier: str,
) -> tuple[dict[str, str], str]:
    """Headers and form that exchange a code, with the client's secret in one of the `methods` that the provider takes."""
    client_id, secret, method = settings.client_id, "", "none"
    if settings.client_secret is not None:
        secret = settings.client_secret.get_secret_value()
        method = _method(methods or ["client_secret_basic"], quote_plus(client_id + secret) == client_id + secret)
    if method == "client_secret_basic":  # RFC 6749, section 2.3.1: encoded as in a form, then put together
        client_id, secret = quote_plus(client_id), quote_plus(secret)
    form = _parameters.prepare_token_request("authorization_code", "", redirect_uri, code=code, code_verifier=verifier)
    _, headers, body = _auth.ClientAuth(client_id, secret, method).prepare("POST", endpoint, {}, form)
    return headers, body


def _method(methods: list[str], plain: bool) -> str:
    """How the secret is sent; not every provider decodes one that has to be encoded for the header."""
    if "client_secret_basic" in methods and (plain or "client_secret_post" not in methods):
        return "client_secret_basic"
    return "client_secret_post"


def with_parameters(url: str, *parameters: tuple[str, str]) -> str:
    """The address with these after its question mark."""
    return _urls.add_params_to_uri(url, list(parameters))
