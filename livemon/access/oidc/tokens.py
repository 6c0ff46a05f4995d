"""A provider's signed tokens: read with its keys, and believed only if everything in them is as it should be. Pure.

The signature is checked by joserfc, the ID token's claims by Authlib, and the logout token's by hand, for want of a
library. Which algorithms may have signed is said by the settings, never by the token or the provider.
"""

import json
from base64 import urlsafe_b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from authlib.oidc.core.claims import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry

from .errors import TokenRefused
from .identity import Claims, subject_of
from .keys import Key

LEEWAY_S = 60
"""By how much the provider's clock may be off."""
LOGOUT_LIVES_S = 600
"""A logout token older than this is refused, whatever it says of its end."""
MAX_TOKEN = 65_536
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


@dataclass(frozen=True, slots=True)
class Header:
    """What a token says of its own signature: nothing of it is believed yet."""

    algorithm: str
    key_id: str | None
    kind: str


@dataclass(frozen=True, slots=True)
class Logout:
    """Whose sessions a provider wants ended: those of `sid`, or all of `subject`. `expires_at` in s since 1970."""

    token_id: str
    subject: str | None
    sid: str | None
    expires_at: float


class _Registry(JWSRegistry):
    max_header_length = 8_192  # some send a certificate along


def header_of(token: str) -> Header:
    """Raises `TokenRefused` for what is no signed token."""
    parts = token.split(".")
    if len(parts) != 3 or len(token) > MAX_TOKEN:
        raise TokenRefused("it is not of the form of a signed token")
    try:
        said: object = json.loads(urlsafe_b64decode(parts[0] + "=" * (-len(parts[0]) % 4)))
    except (ValueError, RecursionError) as error:
        raise TokenRefused("its header cannot be read") from error
    fields = cast("dict[str, object]", said) if isinstance(said, dict) else {}
    algorithm, key_id, kind = fields.get("alg"), fields.get("kid"), fields.get("typ", "")
    if not isinstance(algorithm, str) or not isinstance(key_id, str | None) or not isinstance(kind, str):
        raise TokenRefused("its header is not that of a signed token")
    return Header(algorithm, key_id, kind.lower())


def verified(token: str, keys: Sequence[Key], algorithms: Sequence[str]) -> tuple[dict[str, Any], Claims]:
    """Header and claims of a token that one of the keys has signed. Raises `TokenRefused`."""
    if header_of(token).algorithm not in algorithms:
        raise TokenRefused(f"it is not signed by {' or '.join(algorithms)}")
    registry = _Registry(algorithms=list(algorithms), strict_check_header=False)
    why = "no key of the provider's is named in it"
    for key in keys:
        try:
            found = jwt.decode(token, key, registry=registry)
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            why = str(error) or type(error).__name__
            continue
        return dict(found.header), found.claims
    raise TokenRefused(f"its signature does not hold ({why})")


def check_id_token(
    header: dict[str, Any],
    claims: Claims,
    *,
    issuer: str,
    client_id: str,
    nonce: str,
    access_token: str | None,
    now: datetime,
) -> None:
    """OpenID Connect Core 1.0, section 3.1.3.7. Raises `TokenRefused`."""
    subject_of(claims)
    # stated anew, since Authlib checks neither by itself once it is told anything
    options = {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": client_id}}
    parameters = {"nonce": nonce, "client_id": client_id, "access_token": access_token}
    token: Any = CodeIDToken(dict(claims), header, options, parameters)  # pyright: ignore[reportArgumentType]
    try:
        token.validate(int(now.timestamp()), LEEWAY_S)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise TokenRefused(str(error) or type(error).__name__) from error


def check_logout_token(header: Header, claims: Claims, *, issuer: str, client_id: str, now: datetime) -> Logout:
    """OpenID Connect Back-Channel Logout 1.0, section 2.6. Raises `TokenRefused`."""
    if header.kind not in ("", "jwt", "logout+jwt", "application/logout+jwt"):
        raise TokenRefused(f"it is a {header.kind[:40]}, and no logout token")
    if claims.get("iss") != issuer:
        raise TokenRefused("its issuer (iss) is another")
    audience = claims.get("aud")
    if client_id not in (audience if isinstance(audience, list) else [audience]):
        raise TokenRefused("it is for somebody else (aud)")
    expires_at = _in_time(claims, now.timestamp())
    events = claims.get("events")
    event = cast("dict[str, object]", events).get(LOGOUT_EVENT) if isinstance(events, dict) else None
    if not isinstance(event, dict):
        raise TokenRefused("it does not say that somebody has signed out (events)")
    if "nonce" in claims:
        raise TokenRefused("it has a nonce, as an ID token has, and a logout token must not")
    token_id, subject, sid = _text(claims, "jti"), _text(claims, "sub"), _text(claims, "sid")
    if token_id is None or (subject is None and sid is None):
        raise TokenRefused("it lacks its id (jti), or says nobody who signed out (sub, sid)")
    return Logout(token_id, subject, sid, expires_at)


def _in_time(claims: Claims, now: float) -> float:
    """When it ends."""
    issued, ends = claims.get("iat"), claims.get("exp")
    for moment in (issued, ends):
        if isinstance(moment, bool) or not isinstance(moment, int | float) or not abs(moment) < 2**53:
            raise TokenRefused("it does not say since when and until when it is good (iat, exp)")
    assert isinstance(issued, int | float)
    assert isinstance(ends, int | float)
    if ends <= now - LEEWAY_S:
        raise TokenRefused("it has expired (exp)")
    if not now - LOGOUT_LIVES_S - LEEWAY_S <= issued <= now + LEEWAY_S:
        raise TokenRefused("it was not issued just now (iat)")
    return min(float(ends), float(issued) + LOGOUT_LIVES_S) + 2 * LEEWAY_S


def _text(claims: Claims, name: str) -> str | None:
    value = claims.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= 255:
        raise TokenRefused(f"its {name} is no text of 1 to 255 characters")
    return value
