"""How endpoints write into the audit log: who asks, from where, and the refusal of what cannot be recorded."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from starlette.requests import HTTPConnection

from livemon.access.person import Person
from livemon.store.audit.acts import Act, Action, Outcome
from livemon.store.audit.errors import NotRecorded
from livemon.store.audit.log import AuditLog, Noted
from livemon_runtime.errors import InvalidName
from livemon_runtime.keys import check_id

from .errors import ApiError

ACTIONS: Mapping[str, Action] = {
    "/calls/{call_id}/listen": Action.LISTEN,
    "/listeners/{listener_id}/stop": Action.LISTEN,
    "/calls/{call_id}/take-over": Action.TAKE_OVER,
    "/take-overs/{take_over_id}": Action.TAKE_OVER,
    "/calls/{call_id}/end": Action.END_CALL,
    "/v2/listen-live-call/{call_id}": Action.LISTEN,
    "/v2/take-over-live-call/{call_id}": Action.TAKE_OVER,
    "/v2/stop-call/{call_id}": Action.END_CALL,
    "/v2/update-live-call/{call_id}": Action.INJECT,
    "/v2/live-audio/{call_id}": Action.LISTEN,
    "/members/{user_id}/role": Action.ROLE,
    "/members/{user_id}/remove": Action.ROLE,
    "/members/{user_id}/link": Action.SIGN_IN_LINK,
    "/members/sessions/{session_id}/end": Action.SESSION_END,
    "/invitations": Action.INVITATION,
    "/invitations/{invitation_id}/revoke": Action.INVITATION,
    "/keys": Action.API_KEY,
    "/keys/{key_id}/revoke": Action.API_KEY,
    "/connect/password": Action.REDIS_SHOWN,
    "/workspace": Action.SIGN_IN,
}
"""What somebody does who asks there; anywhere else it is `Action.ACCESS`."""

_IDS = ("user_id", "session_id", "invitation_id", "key_id")
_ID = re.compile(r"[\w-]{1,64}", re.ASCII)


class Host(Protocol):
    """What recording needs of the node."""

    @property
    def audit(self) -> AuditLog: ...


def act_of(connection: HTTPConnection, person: Person, action: Action, outcome: Outcome, **detail: str | int) -> Act:
    """The act of whoever asks; its call is the address's."""
    return Act(
        action,
        outcome,
        workspace=person.workspace,
        person_id=person.user_id,
        person=person.name,
        call_id=_call_of(connection),
        address=address_of(connection),
        detail=detail,
    )


async def record(host: Host, act: Act) -> Noted:
    """Write down what is about to be done. Raises `ApiError` if that cannot be: then it must not be done."""
    try:
        return await host.audit.record(act)
    except NotRecorded as error:
        raise not_recorded(error) from error


def refuse(host: Host, connection: HTTPConnection, person: Person, *, about: str = "", **detail: str | int) -> None:
    """Note that this person may not do what is asked for. `about`: whom or what it is about, by name; without it, the id
    that the address has. `detail`: such as the reason."""
    path = getattr(connection.scope.get("route"), "path", "") or connection.scope["path"]
    action = ACTIONS.get(path, Action.ACCESS)
    act = act_of(connection, person, action, Outcome.REFUSED, **detail)
    named = replace(act, subject=about or _id_in(connection))
    host.audit.refuse(named if action is not Action.ACCESS else refused_access(act, path))


def refuse_cross_site(host: Host, connection: HTTPConnection) -> None:
    """Note that another site wanted a browser to do something here: one entry a minute for each address.

    Nobody is named: whoever's browser it was has not asked for it, and no cookie was looked at.
    """
    said = {"reason": "cross_site", "path": connection.url.path, "origin": connection.headers.get("origin", "")}
    host.audit.refuse(Act(Action.ACCESS, Outcome.REFUSED, address=address_of(connection), detail=said))


def refused_access(act: Act, path: str) -> Act:
    """The refusal of a page, a feed or an endpoint, `path` being its route."""
    return Act(Action.ACCESS, Outcome.REFUSED, act.workspace, act.person_id, act.person, path, act.call_id, act.address)


def not_recorded(error: NotRecorded) -> ApiError:
    return ApiError("not_recorded", str(error))


def address_of(connection: HTTPConnection) -> str:
    """Where the request comes from, as far as a trusted proxy says; empty if nobody knows."""
    return connection.client.host if connection.client else ""


def _id_in(connection: HTTPConnection) -> str:
    """What else the address names by an id; empty if that could be none. It is the caller's word, and short."""
    named = next((str(connection.path_params[name]) for name in _IDS if name in connection.path_params), "")
    return named if _ID.fullmatch(named) else ""


def _call_of(connection: HTTPConnection) -> str:
    """The call that the address names; empty if that is no call's id."""
    try:
        return check_id("call_id", connection.path_params.get("call_id", ""))
    except InvalidName:
        return ""
