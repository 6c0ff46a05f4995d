"""A provider's word that somebody has signed out there: their sessions here end, each word counts once.

OpenID Connect Back-Channel Logout 1.0. What is open here closes at once, at other nodes when they next look, which is
within two seconds. Who is just signing in does not get in (`departures`).
"""

from collections import Counter
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy.exc import IntegrityError
from sqlmodel import col, delete, or_, select, update

from livemon.access.sessions import Sessions
from livemon.store.instants import Now, to_ms, utc_now
from livemon.store.store import Store
from livemon.store.tables import Session, UsedToken, User, Workspace

from . import departures
from .errors import TokenRefused
from .provider import Provider


@dataclass(frozen=True, slots=True)
class Ended:
    """How many sessions of somebody have ended in a workspace (its slug)."""

    workspace: str
    name: str
    sessions: int


async def end_sessions(
    store: Store, sessions: Sessions, provider: Provider, token: str, *, now: Now = utc_now
) -> list[Ended]:
    """Whose have ended, and where.

    Raises `TokenRefused`, `ProviderAway`, `StoreError`; then none has, and the token is as good.
    """
    logout = await provider.read_logout(token)
    moment = to_ms(now())
    whose = [] if logout.subject is None else [col(Session.subject) == logout.subject]
    if logout.sid is not None:
        named = col(Session.sid) == logout.sid
        # a session whose id there is not known is one of all that the person has
        whose.append(or_(named, col(Session.sid).is_(None)) if whose else named)
    running = (col(Session.provider) == provider.slug, col(Session.ended_at).is_(None), *whose)
    async with store.session() as session:
        await session.exec(delete(UsedToken).where(col(UsedToken.expires_at) <= moment))
        session.add(UsedToken(id=_id(provider.slug, logout.token_id), expires_at=int(logout.expires_at * 1000)))
        try:
            await session.flush()
        except IntegrityError as error:
            raise TokenRefused("it was used already (jti)") from error
        await departures.note(session, provider.slug, logout.subject, logout.sid, at=moment)
        query = (
            select(Session.id, Workspace.slug, User.name)
            .join(Workspace, col(Workspace.id) == col(Session.workspace_id))
            .join(User, col(User.id) == col(Session.user_id))
            .where(*running)
        )
        ending = (await session.exec(query)).all()
        await session.exec(update(Session).where(*running).values(ended_at=moment, id_token=None))
        await session.commit()
    sessions.let_go(*(session_id for session_id, _, _ in ending))
    by_person = Counter((slug, name) for _, slug, name in ending)
    return [Ended(slug, name, count) for (slug, name), count in by_person.items()]


def _id(slug: str, token_id: str) -> str:
    return sha256(f"{slug} {token_id}".encode("utf-8", "replace")).hexdigest()
