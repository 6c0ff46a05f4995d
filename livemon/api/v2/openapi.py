"""The OpenAPI document of the API for programs: what the parts of it say of their paths, put together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from .idempotency import HEADER, LONGEST, REPLAYED
from .shapes import Error

Json = dict[str, Any]

_REFUSALS = {
    400: "The request cannot be read, or asks for what livemon does not have",
    401: "No API key, or one that is not good any more",
    403: "The key lacks the right",
    404: "No such call in the key's workspace",
    409: "It was not done: the call, its agent or another request stands against it",
    422: "The Idempotency-Key came with another request before",
    429: "Too often: try again after Retry-After",
    500: "A fault of livemon's",
    502: "The agent's program tried and failed, or said no in words of its own",
    503: "Redis, the database or this server is not ready: try again",
    504: "The agent's program has not answered in time",
}
_LOOKING = (400, 401, 403, 404, 429, 500, 503)
_ACTING = tuple(_REFUSALS)
_RETRY_AFTER: Json = {"Retry-After": {"description": "Seconds", "schema": {"type": "integer", "minimum": 1}}}


@dataclass(frozen=True, slots=True)
class Part:
    """What one module of the API says of its paths, and the models that it refers to by `ref`."""

    paths: Mapping[str, Json]
    models: Sequence[type[BaseModel]] = ()


def ref(model: type[BaseModel]) -> Json:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def json_of(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def body(model: type[BaseModel], *, required: bool = False) -> Json:
    return {"required": required, "content": json_of(ref(model))}


def looking(done: Json, **about: Any) -> Json:
    """An operation that changes nothing; `done`: its answers by status."""
    return {**about, "responses": {**done, **_refusals(_LOOKING)}}


def acting(done: Json, **about: Any) -> Json:
    """One that does something to a call, and may have an Idempotency-Key."""
    replayed = {REPLAYED: {"description": "That this is the answer of the first time", "schema": {"const": "true"}}}
    answers = {status: {**answer, "headers": replayed} for status, answer in done.items()}
    parameters = [*about.pop("parameters", []), _IDEMPOTENCY_KEY]
    return {**about, "parameters": parameters, "responses": {**answers, **_refusals(_ACTING)}}


def doing(done: Json, **about: Any) -> Json:
    """One that does something to a call, and has no use for an Idempotency-Key."""
    return {**about, "responses": {**done, **_refusals(status for status in _ACTING if status != 422)}}


CALL_ID: Json = {
    "name": "call_id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,128}$"},
}
_IDEMPOTENCY_KEY: Json = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "The same request with the same key is done once, and answered alike for 24 hours",
    "schema": {"type": "string", "maxLength": LONGEST, "pattern": "^[!-~]([ -~]*[!-~])?$"},
}


def document(parts: Iterable[Part]) -> Json:
    """The whole, without `servers`, which depend on who asks."""
    parts = list(parts)
    models = dict.fromkeys([Error, *(model for part in parts for model in part.models)])
    _, schemas = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "livemon's API for programs",
            "version": version("livemon"),
            "description": "The live part of Retell's API, answered by livemon. Retell's own clients work against it.",
        },
        "paths": {path: item for part in parts for path, item in part.paths.items()},
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key of livemon's: `lmk_…`"}
            },
        },
        "security": [{"key": []}],
    }


def _refusals(statuses: Iterable[int]) -> Json:
    return {
        str(status): {
            "description": _REFUSALS[status],
            "content": json_of(ref(Error)),
            **({"headers": _RETRY_AFTER} if status in (409, 429) else {}),
        }
        for status in statuses
    }
