"""A provider's public keys: fetched when first needed, again once they are an hour old, and for a key not seen before.

The last is what a provider's change of keys needs; anybody can invent such a key, so it happens once in ten seconds at
most, however many ask.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import structlog
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, RSAKey

from livemon.store.instants import Now

from .errors import ProviderAway

KEPT = timedelta(hours=1)
AGAIN_AFTER = timedelta(seconds=10)
MAX_KEYS = 100
MIN_RSA_BITS = 2_048

Key = RSAKey | ECKey
_KINDS = {"RS": "RSA", "PS": "RSA", "ES": "EC"}
_log = structlog.get_logger(__name__)


class Keys:
    """`fetch` gets the JSON Web Key Set; it raises `ProviderAway`."""

    def __init__(self, fetch: Callable[[], Awaitable[object]], now: Now) -> None:
        self._fetch, self._now = fetch, now
        self._keys: Sequence[Key] = ()
        self._fetched_at: datetime | None = None
        self._lock = asyncio.Lock()

    async def for_token(self, algorithm: str, key_id: str | None) -> Sequence[Key]:
        """The keys that may have signed it; none if the provider knows no such key. Raises `ProviderAway`."""
        if self._age() > KEPT:
            await self._renew(KEPT)
        found = self._fitting(algorithm, key_id)
        if not found and self._age() > AGAIN_AFTER:
            await self._renew(AGAIN_AFTER)
            found = self._fitting(algorithm, key_id)
        return found

    def _age(self) -> timedelta:
        return timedelta.max if self._fetched_at is None else self._now() - self._fetched_at

    async def _renew(self, older_than: timedelta) -> None:
        async with self._lock:
            if self._age() <= older_than:  # somebody else has, meanwhile
                return
            try:
                self._keys = _keys_in(await self._fetch())
            except ProviderAway as error:
                if not self._keys:
                    raise
                _log.warning("a provider's keys cannot be fetched anew", why=str(error))
            self._fetched_at = self._now()

    def _fitting(self, algorithm: str, key_id: str | None) -> list[Key]:
        kind = _KINDS.get(algorithm[:2])
        return [
            key
            for key in self._keys
            if key.key_type == kind
            and (key_id is None or key.get("kid") == key_id)
            and key.get("alg", algorithm) == algorithm
            and key.get("use", "sig") == "sig"
        ]


def _keys_in(found: object) -> list[Key]:
    """The public keys that can be used; a set may have others, which are passed over. Raises `ProviderAway`."""
    listed = cast("dict[str, Any]", found).get("keys") if isinstance(found, dict) else None
    if not isinstance(listed, list):
        raise ProviderAway("its keys are no JSON Web Key Set")
    keys: list[Key] = []
    for each in cast("list[Any]", listed)[:MAX_KEYS]:
        try:
            key = JWKRegistry.import_key(each)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError):
            continue
        if isinstance(key, ECKey) or (isinstance(key, RSAKey) and key.public_key.key_size >= MIN_RSA_BITS):
            keys.append(key)
    return keys
