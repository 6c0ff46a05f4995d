"""API keys: what machines ask with in place of a session. An Admin makes them, with rights and a last day; a key is told
once, and only its hash is kept.

A key's rights are its own: it goes on if its maker is no Admin any more, until it is revoked or expires. Who makes or
revokes one has to be an Admin within the transaction that does it, and records it there.
"""

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from sqlmodel import col, delete, func, or_, select

from livemon.store.audit.acts import Action
from livemon.store.instants import Now, to_ms, utc_now
from livemon.store.store import Store
from livemon.store.tables import ApiKey, User, Workspace

from .administration import Administration, Change
from .errors import BadKey, TooManyKeys, UnknownKey
from .roles import CALL_RIGHTS, Right

GIVEN = tuple(right for right in Right if right in CALL_RIGHTS)
"""What a key may be given, in the order in which people are shown it."""
PREFIX = "lmk_"
MAX_NAME = 100
MAX_DAYS = 366
MOST = 100
"""Keys of one workspace that are good."""
KEPT = timedelta(days=30)
"""How long a key that is over stays in the store, to be shown."""
MOST_OVER = 100
"""Keys that are over and shown, the newest."""

_ID = re.compile(r"[0-9a-f]{16}")
_KEY = re.compile(rf"{PREFIX}({_ID.pattern})_[\w-]{{43}}", re.ASCII)


@dataclass(frozen=True, slots=True)
class WantedKey:
    """A key as somebody asks for it: its rights by their names, and for how many days it is good."""

    name: str
    rights: Iterable[str]
    days: int


@dataclass(frozen=True, slots=True)
class NewKey:
    """`key` is told this once; times in ms."""

    id: str
    key: str
    expires_at: int


def id_in(key: str) -> str | None:
    """The id that stands in a key; None for what is no key."""
    found = _KEY.fullmatch(key)
    return found[1] if found else None


def hash_of(key: str) -> str:
    return sha256(key.encode("utf-8", "replace")).hexdigest()


def rights_in(text: str) -> frozenset[Right]:
    """The rights that a key's row names; what only a newer version knows gives nothing."""
    return frozenset(right for right in CALL_RIGHTS if right.value in text.split())


async def make_key(admin: Administration, wanted: WantedKey) -> NewKey:
    """A new key of the Admin's workspace.

    Raises `BadKey`, `TooManyKeys`, `NotAdmin`, `StoreError`.
    """
    name, rights, lasts = _name(wanted.name), _rights(wanted.rights), _lasts(wanted.days)
    key_id = secrets.token_hex(8)
    key = f"{PREFIX}{key_id}_{secrets.token_urlsafe(32)}"
    async with admin.changing() as change:
        await change.session.exec(delete(ApiKey).where(_over_for_long(change.now)))
        good = (col(ApiKey.workspace_id) == change.workspace_id, ~_over(change.now_ms))
        if (await change.session.exec(select(func.count()).select_from(ApiKey).where(*good))).one() >= MOST:
            raise TooManyKeys(MOST)
        row = ApiKey(
            id=key_id,
            hash=hash_of(key),
            workspace_id=change.workspace_id,
            name=name,
            rights=rights,
            created_by=admin.person.user_id,
            created_at=change.now_ms,
            expires_at=to_ms(change.now + lasts),
        )
        change.session.add(row)
        await _record(change, row, "made")
    return NewKey(key_id, key, row.expires_at)


async def keys_of(store: Store, workspace: str, *, now: Now = utc_now) -> list[tuple[ApiKey, str]]:
    """The keys of a workspace (a slug) and their makers' names, the newest first: all that are good, and some that are
    over. Raises `StoreError`."""
    of_workspace = (
        select(ApiKey, User.name)
        .join(Workspace, col(Workspace.id) == col(ApiKey.workspace_id))
        .join(User, col(User.id) == col(ApiKey.created_by), isouter=True)
        .where(col(Workspace.slug) == workspace)
        .order_by(col(ApiKey.created_at).desc(), col(ApiKey.id))
    )
    over = _over(to_ms(now()))
    async with store.session() as session:
        found = list((await session.exec(of_workspace.where(~over))).all())
        found += (await session.exec(of_workspace.where(over).limit(MOST_OVER))).all()
    return sorted(((key, maker or "") for key, maker in found), key=lambda each: -each[0].created_at)


async def revoke_key(admin: Administration, key_id: str) -> None:
    """End a key of the Admin's workspace. Harmless if it is revoked already.

    Raises `UnknownKey`, `NotAdmin`, `StoreError`.
    """
    if not _ID.fullmatch(key_id):
        raise UnknownKey
    async with admin.changing() as change:
        wanted = (col(ApiKey.id) == key_id, col(ApiKey.workspace_id) == change.workspace_id)
        found = (await change.session.exec(select(ApiKey).where(*wanted))).first()
        if found is None:
            raise UnknownKey
        if found.revoked_at is None:
            found.revoked_at = change.now_ms
            change.session.add(found)
            await _record(change, found, "revoked")


async def _record(change: Change, key: ApiKey, what: str) -> None:
    until = datetime.fromtimestamp(key.expires_at / 1000, UTC).date().isoformat()
    facts = {"change": what, "key": key.id, "rights": key.rights, "until": until}
    await change.record(Action.API_KEY, key.name, **facts)


def _name(name: str) -> str:
    shown = " ".join(name.split())
    if not 0 < len(shown) <= MAX_NAME or not shown.isprintable():
        raise BadKey(f"its name has 1 to {MAX_NAME} characters that can be printed")
    return shown


def _rights(rights: Iterable[str]) -> str:
    """As a key's row names them."""
    asked = set(rights)
    if not asked <= set(GIVEN):
        raise BadKey(f"its rights are of {', '.join(GIVEN)}")
    if Right.WATCH not in asked:
        raise BadKey(f"nothing of a call is possible without the right to {Right.WATCH}")
    return " ".join(right for right in GIVEN if right in asked)


def _lasts(days: int) -> timedelta:
    if not 1 <= days <= MAX_DAYS:
        raise BadKey(f"it is good for 1 to {MAX_DAYS} days")
    return timedelta(days=days)


def _over(now_ms: int):
    """The condition that a key is good no more."""
    return or_(col(ApiKey.revoked_at).is_not(None), col(ApiKey.expires_at) <= now_ms)


def _over_for_long(moment: datetime):
    long_ago = to_ms(moment - KEPT)
    return or_(col(ApiKey.revoked_at) <= long_ago, col(ApiKey.expires_at) <= long_ago)
