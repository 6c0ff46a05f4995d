"""Sign-ins that are under way: a browser has gone to a provider, and comes back within ten minutes, once.

Each is bound to the browser by a cookie of its own, so that several tabs may be at it at once, and to the provider. The
nonce and the PKCE verifier come from the cookie's secret and the state: the store knows hashes alone.
"""

import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from sqlmodel import col, delete, func, select

from livemon.access.sign_in_limits import counted_as
from livemon.store.instants import Now, to_ms, utc_now
from livemon.store.store import Store
from livemon.store.tables import SignInAttempt

from .errors import AttemptGone, TooManyAttempts

LIFETIME = timedelta(minutes=10)
MOST = 20_000
MOST_OF_ONE_ADDRESS = 200
MAX_STATE = 128
MAX_SECRET = 128
COOKIE_PREFIX = "livemon_sign_in_"


@dataclass(frozen=True, slots=True)
class Attempt:
    """`state` goes through the address, `secret` stays in the browser's cookie; `next` is where to go then, or empty.

    `invitation` is the id of the one with which they come; `begun_at` (ms) is known once it was taken.
    """

    provider: str
    state: str
    secret: str
    next: str = ""
    invitation: str | None = None
    begun_at: int = 0

    @property
    def cookie(self) -> str:
        """The name of its cookie."""
        return cookie_of(self.state)

    @property
    def nonce(self) -> str:
        return self._derived("nonce")

    @property
    def verifier(self) -> str:
        """43 characters, as RFC 7636 wants at least."""
        return self._derived("code verifier")

    def _derived(self, what: str) -> str:
        made = hmac.new(self.secret.encode(), f"{what} {self.state}".encode(), sha256)
        return urlsafe_b64encode(made.digest()).decode().rstrip("=")


def cookie_of(state: str) -> str:
    """The name of the cookie that belongs to a state."""
    return COOKIE_PREFIX + _hash(state)[:16]


async def begin(
    store: Store,
    provider: str,
    *,
    next_path: str,
    address: str,
    invitation: str | None = None,
    now: Now = utc_now,
) -> Attempt:
    """A new one; an address counts as failures from there do. Raises `TooManyAttempts`, `StoreError`."""
    attempt = Attempt(provider, secrets.token_urlsafe(32), secrets.token_urlsafe(32), next_path, invitation)
    moment = now()
    address = counted_as(address) or address
    async with store.session() as session:
        await session.exec(delete(SignInAttempt).where(col(SignInAttempt.expires_at) <= to_ms(moment)))
        from_there = select(func.count()).where(col(SignInAttempt.address) == address)
        if (await session.exec(from_there)).one() >= MOST_OF_ONE_ADDRESS:
            raise TooManyAttempts(f"{address or 'one address'} has begun {MOST_OF_ONE_ADDRESS} in ten minutes")
        if (await session.exec(select(func.count()).select_from(SignInAttempt))).one() >= MOST:
            raise TooManyAttempts(f"{MOST} were begun in ten minutes")
        session.add(
            SignInAttempt(
                id=_hash(attempt.state),
                browser=_hash(attempt.secret),
                provider=provider,
                next=next_path,
                address=address,
                invitation=invitation,
                expires_at=to_ms(moment + LIFETIME),
            )
        )
        await session.commit()
    return attempt


async def take(store: Store, provider: str, state: str, cookies: Mapping[str, str], *, now: Now = utc_now) -> Attempt:
    """The one that this browser (its cookies) has begun with this provider; of any number who come with it one gets it.

    Raises `AttemptGone`, also if it was begun with another provider, and then it is over as well; `StoreError`.
    """
    secret = cookies.get(cookie_of(state), "") if 0 < len(state) <= MAX_STATE else ""
    if not 0 < len(secret) <= MAX_SECRET:
        raise AttemptGone("this browser has begun no such sign-in")
    own = (col(SignInAttempt.id) == _hash(state), col(SignInAttempt.browser) == _hash(secret))
    async with store.session() as session:
        found = (await session.exec(select(SignInAttempt).where(*own))).first()
        taken = await session.exec(delete(SignInAttempt).where(*own))
        await session.commit()
    if found is None or taken.rowcount != 1:
        raise AttemptGone("this sign-in was finished already, or never begun here")
    if found.expires_at <= to_ms(now()):
        raise AttemptGone("this sign-in took more than ten minutes")
    if found.provider != provider:
        raise AttemptGone(f"this sign-in was begun with {found.provider!r}, and came back from {provider!r}")
    begun_at = found.expires_at - int(LIFETIME.total_seconds() * 1000)
    return Attempt(provider, state, secret, found.next, found.invitation, begun_at)


def _hash(text: str) -> str:
    return sha256(text.encode("utf-8", "replace")).hexdigest()
