"""The sign-in page: exchanges a one-time link's token for a session, or says how to get a link.

Plain HTML and one script (`components/sign_in.js`): the token stands in the address's hash, so neither server nor log
has it.
"""

from starlette.requests import Request
from starlette.responses import HTMLResponse

from pages.document import document


async def sign_in(request: Request) -> HTMLResponse:
    """The same page for everyone; whoever is signed in already may sign in as somebody else."""
    return document(request, "sign_in.html")
