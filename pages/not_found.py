"""What an address that leads nowhere answers: a page to people, the API's error to programs."""

from fastapi.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from livemon.texts import say
from pages.document import document


async def not_found(request: Request, error: Exception) -> Response:
    """404 in the form that the request asks for."""
    if "text/html" in request.headers.get("Accept", ""):
        return document(request, "not_found.html", 404, path=request.url.path)
    detail = error.detail if isinstance(error, HTTPException) else ""
    message = detail if detail and detail != "Not Found" else say("not_found.text", path=request.url.path)
    return JSONResponse({"error": {"code": "not_found", "message": message}}, 404)
