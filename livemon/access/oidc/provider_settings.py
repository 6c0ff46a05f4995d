"""What an operator says of one identity provider: `LIVEMON_OIDC__<NAME>__…`, with the name in lower case as its slug."""

import json
from typing import Annotated, Literal, Self, cast
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import NoDecode

ALGORITHMS = tuple(f"{family}{bits}" for family in ("RS", "PS", "ES") for bits in (256, 384, 512))
"""By which a provider signs with a key of its own; never `none`, and never one with a secret that both sides know."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def is_secure(url: str) -> bool:
    """Whether an address is https, or http on this very machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    if not host or parts.username is not None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK)


def _issuer(url: str) -> str:
    if not is_secure(url) or urlsplit(url).query or urlsplit(url).fragment:
        raise ValueError("an address like https://id.example.com/realms/main is needed, and http only on this machine")
    if urlsplit(url).hostname == "login.microsoftonline.com" and urlsplit(url).path.split("/")[1] in _ANYBODY:
        raise ValueError("name your own tenant: https://login.microsoftonline.com/<tenant id>/v2.0")
    return url.removesuffix("/.well-known/openid-configuration")


_ANYBODY = ("common", "organizations", "consumers")


def _listed(value: object) -> object:
    """`a, b` or, for names with a comma in them, `["a", "b"]`."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            found: object = json.loads(value)
        except ValueError:
            raise ValueError('it begins like a list, and is none: write a, b or ["a", "b"]') from None
        return found
    return [part.strip() for part in value.split(",") if part.strip()]


def _algorithms(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names or any(name not in ALGORITHMS for name in names):
        raise ValueError(f"one or more of {', '.join(ALGORITHMS)} are needed")
    return names


def _lower(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name.lower().removeprefix("@") for name in names)


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]
Text = Annotated[str, Field(min_length=1)]


class ProviderSettings(BaseModel):
    """One provider. Everything but the issuer and the client's id may be left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: Annotated[str, AfterValidator(_issuer)]
    client_id: Text
    client_secret: SecretStr | None = None
    """Left out for a public client: PKCE alone then binds the code to this server."""
    name: str = ""
    """What the button says; the slug with a capital unless set."""
    scopes: str = "openid profile email"

    roles_claim: Text = "groups"
    """Where in the claims the groups or roles stand, with dots for what is nested: `realm_access.roles`."""
    admins: Names = ()
    developers: Names = ()
    members: Names = ()
    unmapped: Literal["member", "refuse"] = "member"
    """What becomes of somebody whom none of the three names."""

    domains: Annotated[Names, AfterValidator(_lower)] = ()
    emails: Annotated[Names, AfterValidator(_lower)] = ()
    """Who may come in at all; with neither: everyone whom the provider knows."""
    trust_emails: bool = False
    """The provider's people cannot choose their e-mail address, so that `email_verified` is not asked for."""

    algorithms: Annotated[Names, AfterValidator(_algorithms)] = ("RS256",)
    workspace: Text = "default"

    @model_validator(mode="after")
    def _scopes_ask_for_an_id_token(self) -> Self:
        if "openid" not in self.scopes.split():
            raise ValueError("SCOPES must have openid among them")
        return self

    @property
    def maps_roles(self) -> bool:
        """Whether the claims decide who is what; otherwise livemon's own Admins do."""
        return bool(self.admins or self.developers or self.members)


def known_variables() -> list[str]:
    """The last parts of the variables' names."""
    return [name.upper() for name in ProviderSettings.model_fields]


def _slugs(value: object) -> object:
    if isinstance(value, dict):
        named = cast("dict[object, object]", value)
        for slug in named:
            if not isinstance(slug, str) or not _is_slug(slug):
                raise ValueError(
                    "the middle of the variable's name becomes part of an address: up to 32 letters, digits, - and _, "
                    "and not 'link'"
                )
        return named
    return value


def _is_slug(slug: str) -> bool:
    return slug.replace("-", "").replace("_", "").isalnum() and slug.isascii() and len(slug) <= 32 and slug != "link"


Providers = Annotated[dict[str, ProviderSettings], BeforeValidator(_slugs)]
"""By slug, in the order in which their buttons stand."""
