"""The one shape of errors that every endpoint answers, and the codes with which a WebSocket is refused."""

from collections.abc import Mapping
from enum import IntEnum

from fastapi import Request
from starlette.responses import JSONResponse

_STATUS: Mapping[str, int] = {
    "unauthenticated": 401,
    "forbidden": 403,
    "cross_site": 403,
    "link_used": 403,
    "not_found": 404,
    "unsupported": 409,
    "already_ended": 409,
    "refused": 409,
    "bad_request": 400,
    "microphone_refused": 400,
    "internal": 500,
    "failed": 502,
    "redis_away": 503,
    "store_away": 503,
    "too_many": 503,
    "too_late": 504,
    "no_answer": 504,
}
_OTHER = 502
"""A code that only a runtime knows."""


class CloseCode(IntEnum):
    """Why a socket of ours is closed (docs/interfaces.md, «Endpoints»)."""

    UNAUTHENTICATED = 4401
    FORBIDDEN = 4403
    NOT_FOUND = 4404
    POLICY = 1008
    TRY_AGAIN = 1013


class ApiError(Exception):
    """An answer other than success; `message` is shown to a person: what happened, what it means, what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message

    @property
    def status(self) -> int:
        return _STATUS.get(self.code, _OTHER)

    @property
    def response(self) -> JSONResponse:
        return JSONResponse({"error": {"code": self.code, "message": self.message}}, self.status)


class NotSignedIn(ApiError):
    def __init__(self) -> None:
        super().__init__(
            "unauthenticated", "You are not signed in, or your session has ended. Sign in, then try again."
        )


class Forbidden(ApiError):
    def __init__(self) -> None:
        message = "Live Monitoring is for Admins and Developers. Ask an admin of your workspace to give you that role."
        super().__init__("forbidden", message)


async def answer_api_error(_request: Request, error: Exception) -> JSONResponse:
    """To be registered with the application as the handler of `ApiError`."""
    if not isinstance(error, ApiError):
        raise error
    return error.response
