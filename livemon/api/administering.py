"""What the endpoints for Admins share: who asks, and what becomes of a change that is refused."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol

from fastapi import Request

from livemon.access.administration import Administration
from livemon.access.errors import (
    AccessError,
    AlreadyUsed,
    BadKey,
    BadName,
    LastAdmin,
    NoLinkFor,
    NotAdmin,
    NotHere,
    RoleByProvider,
    TooManyInvitations,
    TooManyKeys,
    UnknownKey,
)
from livemon.access.guard import person_of
from livemon.access.roles import Right
from livemon.store.audit.errors import NotRecorded
from livemon.store.audit.log import AuditLog
from livemon.store.errors import StoreError
from livemon.store.store import Store

from .errors import ApiError, NotSignedIn
from .recording import address_of, not_recorded, refuse

_CODES: dict[type[AccessError], str] = {
    NotAdmin: "forbidden",
    NotHere: "not_found",
    LastAdmin: "last_admin",
    RoleByProvider: "role_by_provider",
    AlreadyUsed: "already_used",
    TooManyInvitations: "too_many_invitations",
    BadName: "bad_request",
    BadKey: "bad_request",
    TooManyKeys: "too_many_keys",
    UnknownKey: "not_found",
}


class Host(Protocol):
    """What the endpoints need of the node."""

    @property
    def audit(self) -> AuditLog: ...
    @property
    def store(self) -> Store: ...


def admin_of(host: Host, request: Request) -> Administration:
    """Whoever asks, as an Admin of their session's workspace. Raises `ApiError`, and notes it, for anybody else.

    A change asks once more, in its own transaction.
    """
    person = person_of(request)
    if person is None:
        raise NotSignedIn
    if not person.may(Right.MANAGE):
        refuse(host, request, person)
        raise ApiError("forbidden", str(NotAdmin()))
    return Administration(host.store, host.audit, person, address_of(request))


@contextmanager
def answering(host: Host, request: Request, admin: Administration) -> Generator[None]:
    """Around what is done: a refusal is noted, and becomes an `ApiError`, as everything else that keeps it from being done."""
    try:
        yield
    except AccessError as error:
        code = error.code if isinstance(error, NoLinkFor) else _CODES[type(error)]
        if code != "bad_request":
            refuse(host, request, admin.person, about=error.about, reason=code)
        raise ApiError(code, str(error)) from error
    except NotRecorded as error:
        raise not_recorded(error) from error
    except StoreError as error:
        raise ApiError("store_away", str(error)) from error
