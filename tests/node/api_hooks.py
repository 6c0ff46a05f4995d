"""Hooks of schemathesis: what a document cannot say of a request that is good. What is written wrongly stays as it is."""

import re
from itertools import count
from typing import Any

import schemathesis

_GOOD = re.compile(r"[!-~]([ -~]*[!-~])?")
_numbers = count()


@schemathesis.hook
def filter_body(_context: Any, body: Any) -> bool:
    """In Python's patterns `$` lets a newline through at the end, and in those of JSON Schema it does not."""
    key = body.get("pagination_key") if isinstance(body, dict) else None
    return not (isinstance(key, str) and key.endswith("\n"))


@schemathesis.hook
def map_headers(_context: Any, headers: Any) -> Any:
    """An Idempotency-Key may not have come with another request before."""
    key = headers.get("Idempotency-Key") if isinstance(headers, dict) else None
    if isinstance(key, str) and len(key) <= 200 and _GOOD.fullmatch(key):
        return {**headers, "Idempotency-Key": f"{key}-{next(_numbers)}"}
    return headers
