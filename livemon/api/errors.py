"""The one shape of errors that every endpoint answers, and the codes with which a WebSocket is refused."""

from collections.abc import Mapping
from enum import IntEnum

from fastapi import Request
from starlette.responses import JSONResponse

from livemon.access.refusals import is_api, path_of, refusal_body
from livemon.access.roles import Right

_STATUS: Mapping[str, int] = {
    "unauthenticated": 401,
    "forbidden": 403,
    "cross_site": 403,
    "link_used": 403,
    "invitation_used": 403,
    "not_found": 404,
    "last_admin": 409,
    "role_by_provider": 409,
    "by_provider": 409,
    "elsewhere": 409,
    "already_used": 409,
    "name_taken": 409,
    "already_member": 409,
    "too_many_invitations": 409,
    "unsupported": 409,
    "already_ended": 409,
    "talking": 409,
    "refused": 409,
    "too_many_keys": 409,
    "bad_request": 400,
    "unsupported_filter": 400,
    "unsupported_field": 400,
    "method_not_allowed": 405,
    "in_progress": 409,
    "taken": 409,
    "cancelled": 409,
    "microphone_not_heard": 409,
    "idempotency_key_reused": 422,
    "rate_limited": 429,
    "microphone_refused": 400,
    "sign_in_limited": 429,
    "internal": 500,
    "failed": 502,
    "redis_away": 503,
    "store_away": 503,
    "not_ready": 503,
    "not_recorded": 503,
    "too_many": 503,
    "too_late": 504,
    "no_answer": 504,
}
_OTHER = 502
"""A code that only a runtime knows."""


class CloseCode(IntEnum):
    """Why a socket of ours is closed (docs/interfaces.md, «Endpoints»)."""

    ENDED = 1000
    NOT_LIVE = 4004
    """No such call, or not yet: for programs, which come again (docs/api.md)."""
    BAD_REQUEST = 4400
    UNAUTHENTICATED = 4401
    FORBIDDEN = 4403
    NOT_FOUND = 4404
    POLICY = 1008
    TRY_AGAIN = 1013


class ApiError(Exception):
    """An answer other than success; `message` is shown to a person: what happened, what it means, what to do."""

    def __init__(self, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.headers = code, message, headers

    @property
    def status(self) -> int:
        return _STATUS.get(self.code, _OTHER)

    def response(self, path: str = "/") -> JSONResponse:
        """The answer to a request for `path`, which says in whose shape it is."""
        return JSONResponse(refusal_body(path, self.code, self.message), self.status, self.headers)


class NotSignedIn(ApiError):
    def __init__(self) -> None:
        super().__init__(
            "unauthenticated", "You are not signed in, or your session has ended. Sign in, then try again."
        )


class Forbidden(ApiError):
    """Somebody lacks a right, or an API key does (docs/rights.md)."""

    def __init__(self, right: Right, *, is_key: bool = False) -> None:
        what, so = _NOT_FOR_YOU[right]
        whose, wanted = ("This API key does", "key") if is_key else ("Your role does", "role")
        super().__init__(
            "forbidden", f"{whose} not include {what}{so} Ask an admin of your workspace for a {wanted} that does."
        )


_NOT_FOR_YOU = {
    Right.WATCH: ("Live Monitoring", ", so nothing was done."),
    Right.READ: ("reading transcripts", "."),
    Right.UNMASKED: ("numbers and addresses as they are", "."),
    Right.LISTEN: ("listening to calls", ", so you do not hear this one. The call goes on."),
    Right.TAKE_OVER: ("taking calls over", ", so nobody was asked for this one. It is as it was."),
    Right.END: ("ending calls", ", so this one goes on."),
    Right.INJECT: ("giving agents context", ", so this agent was told nothing. The call goes on."),
    Right.CONNECT: ("connecting agents", ", so you do not see which runtimes are there. Calls go on."),
    Right.MANAGE: ("managing the workspace", ", so nothing was changed."),
}


async def answer_api_error(request: Request, error: Exception) -> JSONResponse:
    """To be registered with the application as the handler of `ApiError`."""
    if not isinstance(error, ApiError):
        raise error
    path = path_of(request)
    answer = error.response(path)
    if is_api(path) and error.status == 409 and error.code != "in_progress":
        answer.headers.setdefault("x-should-retry", "false")  # Retell's clients would send it again by themselves
    return answer
