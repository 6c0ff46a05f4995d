"""The audit log for Admins: a page of entries, and all of them as a file (docs/interfaces.md, «Endpoints»).

Entries of the session's workspace, and those that belong to none. Who may is looked at here, at the moment of use.
"""

import csv
import io
import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Annotated, Any, Protocol
from unicodedata import normalize

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import JSONResponse, Response, StreamingResponse

from livemon.access.guard import person_of
from livemon.access.person import Person
from livemon.access.roles import Right
from livemon.access.sessions import Held, Sessions
from livemon.store.audit.acts import Action, Outcome
from livemon.store.audit.log import AuditLog
from livemon.store.audit.search import Filter, find
from livemon.store.errors import StoreError
from livemon.store.store import Store
from livemon.store.tables import AuditEntry

from .errors import ApiError, NotSignedIn
from .recording import act_of, record, refuse

PAGE = 50
EXPORT_PAGE = 500
MAX_TEXT = 200
COLUMNS = (
    *("seq", "time", "workspace", "action", "outcome", "person", "person_id"),
    *("subject", "call_id", "address", "detail", "about", "previous", "hash"),
)
_FORMULA = ("=", "+", "-", "@")
"""How a text begins that a spreadsheet would take for a formula (OWASP, «CSV Injection»), wide or narrow."""


class Host(Protocol):
    """What the endpoints need of the node."""

    @property
    def audit(self) -> AuditLog: ...
    @property
    def sessions(self) -> Sessions: ...
    @property
    def store(self) -> Store: ...


_Text = Annotated[str, Field(max_length=MAX_TEXT)]
_Number = Annotated[int | None, Field(ge=0, le=2**62)]


class _Query(BaseModel):
    """What an address may ask for; times in ms, inclusive; `before`: an entry's number."""

    model_config = ConfigDict(str_strip_whitespace=True)

    person: _Text = ""
    action: _Text = ""
    call: _Text = ""
    since: _Number = None
    until: _Number = None
    before: _Number = None

    @property
    def filter(self) -> Filter:
        return Filter(self.person, self.action, self.call, self.since, self.until)


def router(host: Host) -> APIRouter:
    """The endpoints, for the application to include."""
    routes = APIRouter()

    @routes.get("/audit/entries")
    async def entries(request: Request) -> Response:
        person, asked = _admin(host, request), _asked(request)
        try:
            found = await find(host.store, person.workspace, asked.filter, before=asked.before, limit=PAGE + 1)
        except StoreError as error:
            raise ApiError("store_away", str(error)) from error
        page = found[:PAGE]
        older = page[-1].seq if len(found) > PAGE else None
        body = {"entries": [_shown(entry) for entry in page], "older": older}
        return JSONResponse(body, headers={"Cache-Control": "no-store"})

    @routes.get("/audit/export.csv")
    async def export(request: Request) -> Response:
        person, wanted = _admin(host, request), _asked(request).filter
        await record(host, act_of(request, person, Action.EXPORT, Outcome.DONE))
        name = f"livemon-audit-{datetime.now(UTC):%Y-%m-%d}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return StreamingResponse(_file(host, person, wanted), media_type="text/csv; charset=utf-8", headers=headers)

    return routes


def _admin(host: Host, request: Request) -> Person:
    """Who asks. Raises `ApiError`, and notes it, if that person may not read the log."""
    person = person_of(request)
    if person is None:
        raise NotSignedIn
    if not person.may(Right.MANAGE):
        refuse(host, request, person)
        raise ApiError("forbidden", "The audit log is for Admins. Ask an admin of your workspace to look for you.")
    return person


def _asked(request: Request) -> _Query:
    """Raises `ApiError`."""
    try:
        return _Query.model_validate(dict(request.query_params))
    except ValidationError as error:
        names = ", ".join(sorted({str(one["loc"][0]) for one in error.errors()}))
        raise ApiError(
            "bad_request", f"The audit log cannot be searched by this {names}. Change the filter, then try again."
        ) from error


def _shown(entry: AuditEntry) -> dict[str, Any]:
    """An entry for the page: without hashes, which say nothing to a person."""
    names = ("seq", "at", "action", "outcome", "person", "person_id", "subject", "call_id", "address", "about")
    return {name: getattr(entry, name) for name in names} | {"detail": _detail(entry)}


def _detail(entry: AuditEntry) -> dict[str, Any]:
    """Its small facts; none of an entry that somebody has broken."""
    try:
        detail = json.loads(entry.detail)
    except ValueError:
        return {}
    return detail if isinstance(detail, dict) else {}  # pyright: ignore[reportUnknownVariableType]


async def _file(host: Host, person: Person, wanted: Filter) -> AsyncGenerator[str]:
    """The file, as it is read: the newest first, until the right is gone; what fails on the way breaks it off."""
    yield _line(COLUMNS)
    before: int | None = None
    async with host.sessions.hold(person.session_id, Right.MANAGE) as held:
        while found := await _more(host, held, person, wanted, before):
            yield "".join(_line(_cells(entry)) for entry in found)
            before = found[-1].seq


async def _more(host: Host, held: Held, person: Person, wanted: Filter, before: int | None) -> list[AuditEntry]:
    if held.ended.is_set():
        raise PermissionError("the session or the right to read the audit log has ended")
    return await find(host.store, person.workspace, wanted, before=before, limit=EXPORT_PAGE)


def _cells(entry: AuditEntry) -> list[object]:
    time = datetime.fromtimestamp(entry.at / 1000, UTC).isoformat(timespec="milliseconds")
    return [time if name == "time" else getattr(entry, name) for name in COLUMNS]


def _line(cells: tuple[str, ...] | list[object]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow([_harmless(cell) if isinstance(cell, str) else cell for cell in cells])
    return out.getvalue()


def _harmless(text: str) -> str:
    """As a text, whatever a spreadsheet would make of it; white space before it is none to all of them."""
    return f"'{text}" if normalize("NFKC", text).lstrip().startswith(_FORMULA) else text
