"""How often nobody could be let in from one address, counted for all nodes together; with too many, nobody new is for a
while. Who is let in is not counted, and whoever is in already is never asked.

`check` before an attempt, `refused` after one that failed. While the store is away nothing is counted: it lets nobody in
either. The address is the client's as a trusted proxy tells it (`LIVEMON_TRUSTED_PROXIES`); an IPv6 address counts as its
/64, which one person can have all to themselves. From an address that nobody knows nobody is kept out.
"""

from datetime import timedelta
from ipaddress import IPv6Address, ip_address
from typing import cast

import structlog
from sqlalchemy import CursorResult
from sqlmodel import col, delete, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from livemon.store.audit.acts import Act, Action, Outcome
from livemon.store.audit.log import AuditLog
from livemon.store.errors import StoreError
from livemon.store.instants import Now, to_ms, utc_now
from livemon.store.store import Store
from livemon.store.tables import SignInFailures
from livemon.store.upsert import insert

from .errors import TooManyFailures

MOST = 10
WINDOW = timedelta(minutes=5)
STEP = timedelta(seconds=30)
"""How exactly it is known when a failure was: all of a step go out of the window together."""
TIMEOUT_S = 2.0
_WINDOW_MS, _STEP_MS = (int(each.total_seconds() * 1000) for each in (WINDOW, STEP))

_log = structlog.get_logger(__name__)


async def check(store: Store, address: str, *, now: Now = utc_now) -> None:
    """Whether somebody may try to come in from there. Raises `TooManyFailures`."""
    if (counted := counted_as(address)) is None:
        return
    moment = to_ms(now())
    recent = (col(SignInFailures.address) == counted, col(SignInFailures.since) > _out(moment))
    steps = select(SignInFailures.since, SignInFailures.count).where(*recent).order_by(col(SignInFailures.since))
    try:
        async with store.session(timeout=TIMEOUT_S) as session:
            found = (await session.exec(steps)).all()
    except StoreError as error:
        _log.warning("it is not known how many sign-ins have failed", why=str(error))
        return
    if (until := _until([(since, count) for since, count in found])) is not None:
        raise TooManyFailures(max(1, -(-(until - moment) // 1000)))


async def refused(store: Store, audit: AuditLog | None, act: Act, *, now: Now = utc_now) -> None:
    """Note `act`, and count it for its address; the failure with which too many have been there is noted as well."""
    if audit is not None:
        audit.refuse(act)
    if (counted := counted_as(act.address)) is None:
        return
    moment = to_ms(now())
    try:
        async with store.session(timeout=TIMEOUT_S) as session:
            of_step, of_window = await _count(session, counted, moment)
            await session.commit()
    except StoreError as error:
        _log.warning("a failed sign-in was not counted", why=str(error))
        return
    if of_window == MOST and audit is not None:
        audit.note(Act(Action.SIGN_IN, Outcome.REFUSED, address=act.address, detail={"reason": "limited"}))
    if of_step == 1:
        await _sweep(store, moment)


def counted_as(address: str) -> str | None:
    """The address, or the network, under which failures from there are counted; None if it is no address."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return f"{IPv6Address(int(found) >> 64 << 64)}/64"


async def _count(session: AsyncSession, counted: str, moment: int) -> tuple[int, int]:
    """One more; how many there are now of this step, and of the whole window."""
    row = {"address": counted, "since": moment - moment % _STEP_MS, "count": 1}
    put = insert(session, SignInFailures).values(row)
    again = {"count": SignInFailures.count + 1}
    put = put.on_conflict_do_update(index_elements=["address", "since"], set_=again).returning(SignInFailures.count)
    told = cast(CursorResult[int], await session.exec(put))
    recent = (col(SignInFailures.address) == counted, col(SignInFailures.since) > _out(moment))
    of_window = (await session.exec(select(func.sum(SignInFailures.count)).where(*recent))).one()
    return told.scalar_one(), of_window or 0


async def _sweep(store: Store, moment: int) -> None:
    """Remove what counts at no node any more, whatever its clock; tried again with the next failure."""
    try:
        async with store.session(timeout=TIMEOUT_S) as session:
            await session.exec(delete(SignInFailures).where(col(SignInFailures.since) <= _out(moment) - _WINDOW_MS))
            await session.commit()
    except StoreError as error:
        _log.warning("old counts of failed sign-ins were not removed", why=str(error))


def _out(moment: int) -> int:
    """Steps that began then, or before, are wholly out of the window."""
    return moment - _WINDOW_MS - _STEP_MS


def _until(steps: list[tuple[int, int]]) -> int | None:
    """When (ms) few enough are left, the oldest going first; None if they are few enough."""
    left, until = sum(count for _, count in steps), None
    for since, count in steps:
        if left < MOST:
            break
        left -= count
        until = since + _STEP_MS + _WINDOW_MS
    return until
