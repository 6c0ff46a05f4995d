"""Why the guard lets somebody not in, and how an error is written into an answer: one shape for all of livemon, with two
fields more where programs ask that were written for Retell's API.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response

API = ("/v2/", "/v3/")
"""Below which the API for programs lies (docs/api.md)."""


def is_api(path: str) -> bool:
    """Whether a path is one of the API for programs."""
    return path.startswith(API)


def path_of(connection: HTTPConnection) -> str:
    """The path as the routes see it: without the root path that a server may have been given."""
    path, root = connection.scope["path"], connection.scope.get("root_path", "").rstrip("/")
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def refusal_body(path: str, code: str, message: str) -> dict[str, object]:
    """The JSON of an error that answers a request for `path`: `error` everywhere; below `/v2/` and `/v3/` also `status` and
    `message`, which are all that Retell's API has."""
    body: dict[str, object] = {"error": {"code": code, "message": message}}
    return {"status": "error", "message": message, **body} if is_api(path) else body


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why somebody is not let in. The shape of the answer is that of the API's errors (docs/interfaces.md)."""

    code: str
    status: int
    close_code: int
    message: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def response(self, path: str) -> Response:
        body = refusal_body(path, self.code, self.message)
        return JSONResponse(body, self.status, headers={"Cache-Control": "no-store", **self.headers})


NOT_SIGNED_IN = Refusal(
    "unauthenticated", 401, 4401, "You are not signed in, or your session has ended. Sign in, then try again."
)
NO_KEY = Refusal(
    "unauthenticated",
    401,
    4401,
    "No API key came with this request, so nothing was done. Send the header Authorization: Bearer lmk_… with a key that an "
    "admin of your workspace has made.",
    {"WWW-Authenticate": 'Bearer realm="livemon"'},
)
CROSS_SITE = Refusal(
    "cross_site",
    403,
    4403,
    "This request does not come from one of livemon's own pages, so nothing was done. Reload the page and try again. If "
    "livemon stands behind a proxy, the proxy has to pass the Host header on, or LIVEMON_PUBLIC_URL has to say the "
    "address that people open.",
)
OTHER_WORKSPACE = Refusal(
    "other_workspace",
    409,
    4409,
    "You are in another workspace by now than the one that this was meant for, so nothing was done. The page goes there by "
    "itself; if it does not, load it anew.",
)
NOT_FOR_KEYS = Refusal(
    "forbidden",
    403,
    4403,
    "This is not open to API keys, so nothing was done: they are for watching calls and acting on them. Sign in as a person "
    "to do this.",
)
