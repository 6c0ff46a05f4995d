"""What programs send: the bodies of the API's requests, read strictly, and a word on what is wrong with one. Pure but for
reading.
"""

from typing import Annotated, TypeVar

from fastapi import Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from livemon.api.body import read_bytes
from livemon.api.errors import ApiError
from livemon_runtime.protocol import MAX_TURN_TEXT

from .filters import FilterCriteria
from .paging import Order, PageKey

MAX_BODY = 256_000
"""Bytes."""
MOST_LISTED = 1_000
MOST_SKIPPED = 1_000_000
_M = TypeVar("_M", bound=BaseModel)


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)
"""In JSON 1.0 is a whole number, too."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ListCalls(_Strict):
    """`POST /v3/list-calls`"""

    filter_criteria: FilterCriteria = FilterCriteria()
    sort_order: Order = "descending"
    limit: Annotated[int, Field(ge=1, le=MOST_LISTED), WHOLE] = 50
    skip: Annotated[int, Field(ge=0, le=MOST_SKIPPED), WHOLE] = 0
    pagination_key: PageKey | None = None
    include_total: bool = False


class CallControl(_Strict):
    """What the agent is to know, unheard by the caller, and whether it is to answer now. Without either nothing is done."""

    additional_context: Annotated[str, Field(min_length=1, max_length=MAX_TURN_TEXT)] | None = None
    trigger_response: bool = False


class UpdateLiveCall(_Strict):
    """`PATCH /v2/update-live-call/{call_id}`"""

    call_control: CallControl = CallControl()


def read(model: type[_M], body: bytes) -> _M:
    """The body as `model`; an empty one is `{}`. Raises `ApiError`."""
    try:
        return model.model_validate_json(body or b"{}")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise bad_request(f"{where}: {first['msg']}" if where else first["msg"]) from error


async def body_of(request: Request) -> bytes:
    """The body, whole. Raises `ApiError`."""
    return await read_bytes(request, MAX_BODY, bad_request)


def bad_request(why: str) -> ApiError:
    return ApiError(
        "bad_request",
        f"Nothing was done, for the request cannot be read: {why}. The document at /v2/openapi.json says what it has to be "
        "like.",
    )
