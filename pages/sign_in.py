"""The sign-in page: a button for each identity provider, and the way in by a one-time link.

Plain HTML and one script (`components/sign_in.js`), which exchanges a link's token for a session: the token stands in the
address's hash, so neither server nor log has it. What went wrong at a provider is said here (`?problem=`).
"""

from collections.abc import Mapping
from typing import Protocol
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse

from livemon.access.guard import prefix_of
from livemon.api.single_sign_on import own_path
from livemon.texts import TEXTS, say
from pages.document import document


class Named(Protocol):
    """What the page needs of a provider."""

    @property
    def name(self) -> str: ...


class SignInPage:
    """The same page for everyone; whoever is signed in already may sign in as somebody else."""

    def __init__(self, providers: Mapping[str, Named]) -> None:
        self._providers = providers

    async def answer(self, request: Request) -> HTMLResponse:
        """The page for this request."""
        next_path = own_path(request.query_params.get("next"))
        query = f"?next={quote(next_path, safe='/')}" if next_path else ""
        buttons = [
            {"slug": slug, "name": provider.name, "href": f"{prefix_of(request)}/sign-in/{slug}{query}"}
            for slug, provider in self._providers.items()
        ]
        return document(request, "sign_in.html", providers=buttons, problem=self._problem(request))

    def _problem(self, request: Request) -> dict[str, str] | None:
        """What is said of a sign-in that did not come about; only words that we know, whatever the address says."""
        problem, slug = request.query_params.get("problem", ""), request.query_params.get("provider", "")
        if not problem:
            return None
        key = f"sign_in.problem.{problem}"
        name = self._providers[slug].name if slug in self._providers else say("sign_in.problem.provider")
        title = key if key in TEXTS else "sign_in.problem.failed"
        return {"code": problem, "title": say(title, name=name), "text": say(f"{title}.text", name=name)}
