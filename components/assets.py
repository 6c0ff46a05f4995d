"""What browsers fetch under `/assets/`: the scripts, styles and icons that stand beside the components.

Open to everyone (the sign-in page needs them too), so it serves nothing but those kinds of files. Browsers ask each
time whether a file has changed, so that a server of a new version never meets a script of the old one.
"""

import mimetypes
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).parent
KINDS: Mapping[str, str] = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}
for _suffix, _kind in KINDS.items():
    mimetypes.add_type(_kind, _suffix)


class Assets(StaticFiles):
    """An ASGI app over the folder of the components; mount it at `/assets`."""

    def __init__(self) -> None:
        super().__init__(directory=FOLDER)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, or 304 if the browser has it; 404 for anything that is not meant for browsers."""
        if PurePosixPath(path).suffix not in KINDS:
            raise HTTPException(404)
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response
