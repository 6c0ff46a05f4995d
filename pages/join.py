"""The page of an invitation (`/join#token=…`): what one is invited to, and the ways in.

Plain HTML and one script (`components/join.js`), which asks `/join/look` and accepts: the token stands in the address's
hash, so neither server nor log has it. Whom it lets in is for those endpoints to say.
"""

import json

from starlette.requests import Request
from starlette.responses import HTMLResponse

from livemon.texts import TEXTS
from pages.document import document

_OWN = ("join.", "role.")


async def join_page(request: Request) -> HTMLResponse:
    """The same page for everyone."""
    words = {key: text for key, text in TEXTS.items() if key.startswith(_OWN)}
    return document(request, "join.html", words=json.dumps(words))
