"""Reading a request's JSON: whole, in time, of a bounded size, and of the shape that was asked for."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from .errors import ApiError

BODY_TIMEOUT_S = 10.0
_M = TypeVar("_M", bound=BaseModel)


async def read_bytes(request: Request, max_bytes: int, refuse: Callable[[str], ApiError]) -> bytes:
    """The body, whole. `refuse` makes the error from what is wrong, to be raised."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > max_bytes:
                    raise refuse(f"it has more than {max_bytes} bytes")
    except (TimeoutError, ClientDisconnect) as error:
        raise refuse("it did not arrive whole") from error
    return bytes(body)


async def read_body(
    request: Request, model: type[_M], max_bytes: int, like: str, refuse: Callable[[str], ApiError]
) -> _M:
    """The body as `model`. `like` is an example of it."""
    body = await read_bytes(request, max_bytes, refuse)
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise refuse(f"it is not JSON like {like}") from error
