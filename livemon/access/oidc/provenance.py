"""By which provider somebody comes in, and whether its claims decide what they are. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from .provider_settings import ProviderSettings


class Named(Protocol):
    """What is asked of a provider."""

    @property
    def name(self) -> str: ...
    @property
    def settings(self) -> ProviderSettings: ...


@dataclass(frozen=True, slots=True)
class Provenance:
    """Labels of providers: by whom they come in (None: by a link), whose claims give the role (None: Admins do)."""

    by: str | None = None
    role_by: str | None = None


def provenance_of(key: str, workspace: str, providers: Iterable[Named]) -> Provenance:
    """What the person with this `User.key` is in `workspace` (a slug); of several clients of one issuer its own counts."""
    kind, _, rest = key.partition(":")
    if kind != "oidc":
        return Provenance()
    issuer = rest.partition(" ")[0]  # in which no space is, other than in subjects
    theirs = [provider for provider in providers if provider.settings.issuer.rstrip("/") == issuer.rstrip("/")]
    here = [provider for provider in theirs if provider.settings.workspace == workspace]
    deciding = [provider for provider in here if provider.settings.maps_roles]
    for known in (*deciding, *here, *theirs):
        return Provenance(known.name, deciding[0].name if deciding else None)
    return Provenance(urlsplit(issuer).hostname or issuer)  # one that the settings name no more
