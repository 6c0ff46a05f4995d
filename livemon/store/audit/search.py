"""Finding entries: those of one workspace, and of none, newest first, a page at a time."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, or_
from sqlmodel import col, select

from livemon.store.store import Store
from livemon.store.tables import AuditEntry

NO_WORKSPACE = ""
"""What belongs to no workspace, such as a link that never was one, names nobody, and is shown in each."""
_ESCAPE = "\\"


@dataclass(frozen=True, slots=True)
class Filter:
    """`person`: part of a name (in any case), or an id; `call`: how a call's id begins; `since`, `until`: ms, inclusive."""

    person: str = ""
    action: str = ""
    call: str = ""
    since: int | None = None
    until: int | None = None


async def find(
    store: Store, workspace: str, wanted: Filter, *, before: int | None = None, limit: int
) -> list[AuditEntry]:
    """At most `limit` entries, the newest first, all older than number `before`. Raises `StoreError`."""
    query = select(AuditEntry).where(*_conditions(workspace, wanted))
    if before is not None:
        query = query.where(col(AuditEntry.seq) < before)
    async with store.session() as session:
        return list((await session.exec(query.order_by(col(AuditEntry.seq).desc()).limit(limit))).all())


def _conditions(workspace: str, wanted: Filter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [col(AuditEntry.workspace).in_((workspace, NO_WORKSPACE))]
    if wanted.person:
        name = func.lower(AuditEntry.person).like(_pattern(wanted.person.lower(), "%"), escape=_ESCAPE)
        as_written = col(AuditEntry.person).like(
            _pattern(wanted.person, "%"), escape=_ESCAPE
        )  # SQLite lowers ASCII alone
        conditions.append(or_(name, as_written, col(AuditEntry.person_id) == wanted.person))
    if wanted.action:
        conditions.append(col(AuditEntry.action) == wanted.action)
    if wanted.call:
        conditions.append(col(AuditEntry.call_id).like(_pattern(wanted.call), escape=_ESCAPE))
    if wanted.since is not None:
        conditions.append(col(AuditEntry.at) >= wanted.since)
    if wanted.until is not None:
        conditions.append(col(AuditEntry.at) <= wanted.until)
    return conditions


def _pattern(text: str, before: str = "") -> str:
    """For LIKE: what has the text in it, or begins with it; what the text says is no pattern."""
    for special in (_ESCAPE, "%", "_"):
        text = text.replace(special, _ESCAPE + special)
    return f"{before}{text}%"
