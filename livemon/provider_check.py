"""Looks at the identity providers of the settings, for `livemon doctor`: what they say of themselves, and their keys."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.engine import make_url

from livemon.access.oidc.errors import ProviderAway
from livemon.access.oidc.metadata import Metadata
from livemon.access.oidc.provider import Provider
from livemon.finding import Finding, Grade
from livemon.settings import Settings


async def check_providers(settings: Settings) -> list[Finding]:
    """What was found, provider by provider. Nothing is changed, and nobody is signed in."""
    providers = [Provider(slug, each) for slug, each in settings.oidc.items()]
    found = await asyncio.gather(*(_check(provider, settings) for provider in providers))
    return [*(finding for each in found for finding in each), *_workspaces(settings)]


async def _check(provider: Provider, settings: Settings) -> list[Finding]:
    try:
        metadata = await provider.metadata()
        keys = await provider.check_keys()
    except ProviderAway as error:
        return [
            Finding(
                Grade.PROBLEM,
                f"Nobody can sign in with {provider.name}: {error}",
                f"See that this machine reaches it, and that {_variable(provider, 'ISSUER')} is its issuer, letter for letter.",
            )
        ]
    back = f"{settings.url}/sign-in/{provider.slug}"
    good = Finding(
        Grade.OK,
        f"{provider.name} answers; registered there should be the redirect URI {back}/callback, after sign-out "
        f"{settings.url}/sign-in, and for its back-channel logout {back}/back-channel-logout",
    )
    return [good, *_complaints(provider, metadata, keys)]


def _complaints(provider: Provider, metadata: Metadata, keys: int) -> Iterator[Finding]:
    algorithms = provider.settings.algorithms
    signs = metadata.id_token_signing_alg_values_supported
    if not keys or (signs is not None and set(signs).isdisjoint(algorithms)):
        yield Finding(
            Grade.PROBLEM,
            f"{provider.name} signs with nothing that livemon accepts ({', '.join(algorithms)})",
            f"Have it sign by one of these, or set {_variable(provider, 'ALGORITHMS')} (it names: {', '.join(signs or ())}).",
        )
    if metadata.code_challenge_methods_supported is not None and (
        "S256" not in metadata.code_challenge_methods_supported
    ):
        yield Finding(
            Grade.WARNING,
            f"{provider.name} does not say that it knows PKCE with S256, which livemon always uses",
            "Try to sign in; if that fails, turn PKCE on for livemon's client at the provider.",
        )
    if provider.settings.unmapped == "refuse" and not provider.settings.maps_roles:
        yield Finding(
            Grade.WARNING,
            f"Nobody new can come in by {provider.name}: who has no role is refused, and no claim gives one",
            f"Set {_variable(provider, 'ADMINS')}, {_variable(provider, 'DEVELOPERS')} or {_variable(provider, 'MEMBERS')}.",
        )


def _workspaces(settings: Settings) -> list[Finding]:
    url = make_url(settings.database)
    if url.get_backend_name() != "sqlite" or not Path(url.database or "").exists():
        return []
    try:
        address = f"{Path(url.database or '').absolute().as_uri()}?mode=ro"  # nothing is to be changed, nor migrated
        with contextlib.closing(sqlite3.connect(address, uri=True)) as database:
            known = [slug for (slug,) in database.execute("SELECT slug FROM workspace ORDER BY slug")]
    except sqlite3.Error:
        return []  # said already
    return [
        Finding(
            Grade.PROBLEM,
            f"There is no workspace {each.workspace!r}, so livemon does not start",
            f"Set LIVEMON_OIDC__{slug.upper()}__WORKSPACE to one of: {', '.join(known)}.",
        )
        for slug, each in settings.oidc.items()
        if each.workspace not in known
    ]


def _variable(provider: Provider, name: str) -> str:
    return f"LIVEMON_OIDC__{provider.slug.upper()}__{name}"
