"""Which workspace a request says that it is for: that of the page which sends it.

A browser has one session for all its pages. Once it has gone to another workspace, a page that still shows the former one
is a moment behind, and what somebody presses there would befall the call of the same id in the other. So each of our pages
names the workspace that it shows; who names none (a machine, a link that is followed) is in the session's, as ever.
"""

from starlette.requests import HTTPConnection

from .person import Person

HEADER = "X-Livemon-Workspace"
PARAMETER = "workspace"
"""Of the query, where a browser sends no header of ours: with sockets, and as a page goes."""


def means_another(connection: HTTPConnection, person: Person) -> bool:
    """Whether the request is for another workspace than the session's, or for several."""
    named = [*connection.headers.getlist(HEADER), *connection.query_params.getlist(PARAMETER)]
    return any(one != person.workspace for one in named)
